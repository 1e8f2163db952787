import { appendFile, readFile, readdir, writeFile } from "node:fs/promises";
import t from "tap";
import type { MemoryVersion, Mount } from "../../lib/api.ts";
import { mountedTest } from "../fixtures/drivers.ts";
import { shell } from "../fixtures/fuse.ts";
import { testHome, mountsBelow } from "../fixtures/home.ts";

mountedTest(t, "a session from the first store to the stop of the daemon, and again after it", async (t) => {
  const home = await testHome(t);
  for (const name of ["notes", "frozen", "all"]) await home.directory(name);
  const file = `${home.place}/notes/limits.md`;

  const created = await home.memfs("store", "create", "notes", "--description", "What the team has learned");
  t.match(created.stdout, /^memstore_01\w{22}\n$/, "create prints the id");
  await home.memfs("store", "create", "org");
  const mounted = await home.memfs("mount", "notes", "./notes", "--agent", "scout", "--session", "s-1");
  t.strictSame(mounted, { code: 0, stdout: "s-1\n", stderr: "" }, "mount prints the session id");

  await writeFile(file, "API limit is 50 rps\n");
  await appendFile(file, "retry with jitter\n");
  const versions = await home.json<MemoryVersion[]>("log", "./notes/limits.md");
  t.strictSame(
    versions.map((version) => [
      version.n,
      version.operation,
      version.agent,
      version.created_by,
      version.content_size_change_bytes,
    ]),
    [
      [2, "modified", "scout", { type: "session_actor", session_id: "s-1" }, 18],
      [1, "created", "scout", { type: "session_actor", session_id: "s-1" }, 20],
    ],
    "two versions, newest first",
  );
  const log = await home.memfs("log", "./notes/limits.md");
  t.match(
    log.stdout,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}memver_\w+ {2}modified {2}\/limits\.md@2 {2}scout\/s-1 {2}\+18\n/,
    "one line per version",
  );
  t.equal(log.stdout.trimEnd().split("\n").length, 2);

  const shown = await home.memfs("show", "notes:/limits.md@1");
  t.match(shown.stdout, /\n\nAPI limit is 50 rps\n$/, "the content as it was");
  t.match(shown.stdout, /Author: +scout\/s-1/, "and who wrote it");

  const back = await home.memfs("rollback", "notes:/limits.md", "--to", "1");
  t.match(back.stdout, /as version 3/);
  t.equal(await readFile(file, "utf8"), "API limit is 50 rps\n", "the mount shows it at once");

  t.equal((await home.memfs("mount", "notes:ro", "./frozen")).code, 0);
  t.equal(await readFile(`${home.place}/frozen/limits.md`, "utf8"), "API limit is 50 rps\n");
  await t.rejects(writeFile(`${home.place}/frozen/limits.md`, "x"), { code: "EROFS" });

  t.equal((await home.memfs("mount", "notes:rw", "org:ro", "./all")).code, 0);
  t.strictSame((await readdir(`${home.place}/all`)).sort(), ["notes", "org"]);
  await writeFile(`${home.place}/all/notes/from-all.md`, "here\n");
  t.equal(await readFile(file.replace("limits", "from-all"), "utf8"), "here\n", "seen in the other mount");
  await t.rejects(writeFile(`${home.place}/all/org/x`, "x"), { code: "EROFS" });
  const all = await home.memfs("log", "./all/notes/from-all.md");
  t.match(all.stdout, /created {2}\/from-all\.md@1 /, "a path in a mount of several stores is a target");

  t.equal((await home.memfs("umount", "./notes")).code, 0);
  t.strictSame(await readdir(`${home.place}/notes`), [], "the directory is empty again");
  t.equal((await home.memfs("daemon", "stop")).code, 0);
  t.strictSame(mountsBelow(home.place), [], "stop unmounts");
  t.equal((await home.memfs("daemon", "status")).code, 69);

  t.equal(
    (await home.memfs("cat", "notes:/limits.md@2")).stdout,
    "API limit is 50 rps\nretry with jitter\n",
    "all is still there",
  );
  t.strictSame(await home.json<Mount[]>("mounts"), [], "mounts are not");
  const audit = await home.memfs("audit", "verify");
  t.equal(audit.code, 0);
  t.match(audit.stdout, /^notes: ok, \d+ entries, head [0-9a-f]{64}$/m);
});

mountedTest(t, "a mount carries what it was given, else the caller's name and a new session", async (t) => {
  const home = await testHome(t);
  await home.directory("a");
  await home.directory("b");
  const first = await home.memfsWith(
    { env: { MEMFS_AGENT: "ranger" } },
    "mount",
    "--create",
    "notes",
    "handbook:ro",
    "a",
  );
  t.match(first.stdout, /^sesn_01\w{22}\n$/);
  t.equal((await home.memfs("mount", "notes", "b", "--session", "s-2")).code, 0);
  const mounts = await home.json<Mount[]>("mounts");
  t.match(mounts, [
    {
      mountpoint: `${home.place}/b`,
      session_id: "s-2",
      owner: { uid: process.getuid?.(), gid: process.getgid?.() },
      stores: [{ name: "notes", access: "rw", directory: null }],
    },
    {
      mountpoint: `${home.place}/a`,
      agent: "ranger",
      session_id: first.stdout.trim(),
      stores: [
        { name: "notes", access: "rw", directory: "notes" },
        { name: "handbook", access: "ro", directory: "handbook" },
      ],
    },
  ]);
  const listed = await home.memfs("mounts");
  t.match(listed.stdout, new RegExp(`^${home.place}/a +notes:rw handbook:ro +ranger/sesn_`, "m"));
  const prompt = await home.memfs("prompt", "a");
  t.match(prompt.stdout, new RegExp(`${home.place}/a/handbook: "handbook" \\(read-only\\)`));
  t.match(prompt.stdout, /memfs log/);
  t.match(prompt.stdout, /a\/STORE\/\.memfs\/README/);
});

mountedTest(
  t,
  "a target may be a path through a link, a relative name inside the mount, and of the past",
  async (t) => {
    const home = await testHome(t);
    const notes = await home.directory("notes");
    await home.memfs("mount", "--create", "notes", "notes");
    await writeFile(`${notes}/a.md`, "one\n");
    const { symlink, rm, mkdir } = await import("node:fs/promises");
    await symlink(notes, `${home.place}/link`);
    await mkdir(`${notes}/sub`);
    await writeFile(`${notes}/sub/b.md`, "two\n");

    t.equal((await home.memfs("cat", "link/sub/b.md")).stdout, "two\n");
    t.equal((await home.memfsWith({ cwd: `${notes}/sub` }, "cat", "b.md")).stdout, "two\n");
    t.equal((await home.memfsWith({ cwd: `${notes}/sub` }, "cat", "../a.md")).stdout, "one\n");
    t.match((await home.memfs("ls", "notes")).stdout, / a\.md\n +sub\/\n$/);
    t.match((await home.memfs("ls", "./notes/sub")).stdout, / b\.md\n$/);

    await writeFile(`${notes}/a.md@1`, "its name ends so\n");
    t.equal((await home.memfs("cat", "notes:/a.md@1")).stdout, "one\n", "what reads as a version is one");
    for (const target of ["notes:/a.md@1/", "./notes/a.md@1/", "notes:/a.md@1@1"]) {
      t.equal((await home.memfs("cat", target)).stdout, "its name ends so\n", target);
      t.match((await home.memfs("show", target)).stdout, /^Memory: +\/a\.md@1@1 /m, target);
    }

    await rm(`${notes}/sub/b.md`);
    // By somebody else: what the process that removed it writes there at once would go on as the same memory.
    await shell('echo new > "$1"', `${notes}/sub/b.md`);
    const former = (await home.memfs("log", "./notes/sub/b.md")).stdout.trimEnd().split("\n");
    t.equal(former.length, 3);
    t.notMatch(former[0], /former/);
    t.match(former[1], /deleted .* former mem_01\w{22}$/, "who was there before is listed after, with its id");
    const old = /memver_\w+/.exec(former[2] ?? "")?.[0] ?? "";
    t.equal((await home.memfs("cat", `notes:/sub/b.md@${old}`)).stdout, "two\n");

    await rm(`${notes}/a.md`);
    t.match(
      (await home.memfs("log", "./notes/a.md")).stdout,
      /deleted .*\n.*created /,
      "what was removed is still named so",
    );
    t.equal((await home.memfs("cat", "notes:/a.md@1")).stdout, "one\n");
    const gone = await home.memfs("cat", "notes:/a.md");
    t.equal(gone.code, 66);
    t.equal((await home.memfs("rollback", "notes:/a.md", "--to", "1")).code, 0);
    t.equal(await readFile(`${notes}/a.md`, "utf8"), "one\n", "and can come back");
  },
);
