/** Going back from the command line, seen in a mount. */
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import t from "tap";
import type { MemoryVersion } from "../../lib/api.ts";
import { mountedTest } from "../fixtures/drivers.ts";
import { testHome } from "../fixtures/home.ts";

mountedTest(t, "a directory goes back to a moment: a preview, then it is in the mount", async (t) => {
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", notes);
  await mkdir(`${notes}/plans`);
  await writeFile(`${notes}/plans/a.md`, "one\n");
  await writeFile(`${notes}/plans/b.md`, "b\n");
  const { usage } = await home.json<{ usage: { head_seq: number } }>("store", "show", "notes");
  await writeFile(`${notes}/plans/a.md`, "two\n");
  await rm(`${notes}/plans/b.md`);
  await writeFile(`${notes}/plans/new.md`, "new\n");
  const to = `#${usage.head_seq}`;
  const preview = await home.memfs("rollback", "./notes/plans", "--to", to, "--dry-run");
  t.match(preview, { code: 0, stdout: /modified +\/plans\/a\.md[^]*\n3 things would change; this was a dry run\n$/ });
  t.equal(await readFile(`${notes}/plans/a.md`, "utf8"), "two\n");
  const done = await home.memfs("rollback", "./notes/plans", "--to", to);
  t.match(done, {
    code: 0,
    stdout: /\n3 things changed, as rollback #\d+; take it back with: memfs undo memstore_\w+ --seq \d+\n$/,
  });
  t.strictSame((await readdir(`${notes}/plans`)).sort(), ["a.md", "b.md"]);
  t.equal(await readFile(`${notes}/plans/a.md`, "utf8"), "one\n");
  t.match(await home.memfs("rollback", "notes:/plans", "--to", "1"), {
    code: 64,
    stderr: /has no versions of its own/,
  });
  t.match(await home.memfs("rollback", "notes:/plans", "--to", "#1"), { code: 66, stderr: /was no directory then/ });
});

mountedTest(t, "a deleted memory whose path is taken comes back at another one", async (t) => {
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", notes);
  await writeFile(`${notes}/b.md`, "b\n");
  await rm(`${notes}/b.md`);
  const [, made] = await home.json<MemoryVersion[]>("log", "notes:/b.md");
  await writeFile(`${notes}/b.md`, "somebody else's\n");
  const back = ["rollback", "notes:/b.md", "--to", made?.id ?? ""];
  t.match(await home.memfs(...back), { code: 73, stderr: /\/b\.md is taken/ });
  t.match(await home.memfs(...back, "--as", "/sub/back.md", "--note", "it was right"), {
    code: 0,
    stdout: /^restored/,
  });
  t.equal(await readFile(`${notes}/sub/back.md`, "utf8"), "b\n");
  t.match(await home.json("show", "notes:/sub/back.md"), { memory_id: made?.memory_id, note: "it was right" });
  t.equal(await readFile(`${notes}/b.md`, "utf8"), "somebody else's\n");
});

mountedTest(
  t,
  "what a session did is taken back, others' lines stay, and the exit code says whether it was all",
  async (t) => {
    const home = await testHome(t);
    const [theirs, ours] = [await home.directory("theirs"), await home.directory("ours")];
    await home.memfs("mount", "--create", "notes", theirs, "--agent", "scout", "--session", "s-1");
    await home.memfs("mount", "notes", ours, "--agent", "editor", "--session", "s-2");
    await writeFile(`${ours}/f.md`, "one\ntwo\nthree\n");
    await writeFile(`${theirs}/f.md`, "one\nTWO\nthree\n");
    await appendFile(`${ours}/f.md`, "four\n");
    await writeFile(`${theirs}/made.md`, "made\n");
    const preview = await home.memfs("undo", "notes", "--session", "s-1", "--dry-run");
    t.match(preview, { code: 0, stdout: /modified +\/f\.md[^]*\n2 things would change; this was a dry run\n$/ });
    t.equal(await readFile(`${ours}/f.md`, "utf8"), "one\nTWO\nthree\nfour\n");
    const done = await home.memfs("undo", "notes", "--session", "s-1");
    t.match(done, {
      code: 0,
      stdout: /\n2 things changed, as undo #\d+; take it back with: memfs undo notes --seq \d+\n$/,
    });
    t.equal(await readFile(`${ours}/f.md`, "utf8"), "one\ntwo\nthree\nfour\n");
    t.strictSame(await readdir(theirs), ["f.md"]);
    const seq = /--seq (\d+)/.exec(done.stdout)?.[1] ?? "";
    t.equal((await home.memfs("undo", "notes", "--seq", seq)).code, 0);
    t.equal(await readFile(`${ours}/f.md`, "utf8"), "one\nTWO\nthree\nfour\n");

    await writeFile(`${ours}/f.md`, "one\nTWO, or so\nthree\nfour\n");
    const partly = await home.memfs("undo", "notes", "--session", "s-1");
    t.match(partly, { code: 1, stdout: /kept +\/f\.md +others rewrote "TWO, or so"\n/ });
    t.equal(await readFile(`${theirs}/f.md`, "utf8"), "one\nTWO, or so\nthree\nfour\n");

    const refused: [args: string[], code: number, says: RegExp][] = [
      [["--session", "s-none"], 66, /session s-none has done nothing in this store/],
      [["--agent", "none"], 66, /agent none has done nothing/],
      [["--seq", "99999"], 66, /no entry #99999 in the journal/],
      [["--seq", "first"], 64, /--seq is "first"/],
      [[], 64, /undo needs one of/],
      [["--session", "s-1", "--since", "2h ago"], 64, /go with --agent/],
    ];
    for (const [args, code, says] of refused)
      t.match(await home.memfs("undo", "notes", ...args), { code, stderr: says });
  },
);
