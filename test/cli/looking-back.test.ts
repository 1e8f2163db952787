import { appendFile, mkdir, rename, writeFile } from "node:fs/promises";
import t from "tap";
import type { AuditHead, Blame, MemoryVersion, Session } from "../../lib/api.ts";
import { mountedTest } from "../fixtures/drivers.ts";
import { testHome } from "../fixtures/home.ts";

mountedTest(t, "blame says who wrote each line, through renames, in any mount", async (t) => {
  const home = await testHome(t);
  const first = await home.directory("first");
  const second = await home.directory("second");
  await home.memfs("mount", "--create", "notes", first, "--agent", "scout", "--session", "s-1");
  await home.memfs("mount", "notes", second, "--agent", "editor", "--session", "s-2");
  await writeFile(`${first}/limits.md`, "API limit is 50 rps\n");
  await appendFile(`${second}/limits.md`, "retry with jitter\n");
  await rename(`${first}/limits.md`, `${first}/api.md`);

  const time = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d";
  const shown = await home.memfs("blame", "second/api.md");
  t.match(
    shown.stdout,
    new RegExp(`^@1  scout/s-1   ${time}  1  API limit is 50 rps\n@2  editor/s-2  ${time}  2  retry with jitter\n$`),
  );
  const blame = await home.json<Blame>("blame", "notes:/api.md");
  t.match(blame.lines, [
    { line: 1, text: "API limit is 50 rps", agent: "scout", session_id: "s-1", memory_version_id: /^memver_/ },
    { line: 2, text: "retry with jitter", agent: "editor", session_id: "s-2", created_at: /Z$/ },
  ]);
  t.equal((await home.json<Blame>("blame", "notes:/api.md@1")).lines.length, 1);

  await writeFile(`${first}/image`, Buffer.from([0, 1, 2]));
  const binary = await home.memfs("blame", "first/image");
  t.match(binary, { code: 65, stdout: "", stderr: /^memfs: memver_\w+ is binary and has no lines; .*\n$/ });
  t.match(await home.memfs("blame", "notes"), { code: 64, stderr: /notes is a store; name a memory/ });
  t.match(await home.memfs("blame", "notes:/none"), { code: 66, stderr: /no memory is or was at \/none/ });
});

t.test("diff prints a patch and says with its exit code whether anything differs", async (t) => {
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", notes);
  await mkdir(`${notes}/d`);
  await writeFile(`${notes}/d/f`, "one\ntwo\n");
  await writeFile(`${notes}/d/f`, "one\nTWO");
  const [second, first] = await home.json<MemoryVersion[]>("log", "notes:/d/f");
  const patch = [
    "diff --git a/d/f b/d/f",
    `index ${first?.id}..${second?.id}`,
    "--- a/d/f",
    "+++ b/d/f",
    "@@ -1,2 +1,2 @@",
    " one",
    "-two",
    "+TWO",
    "\\ No newline at end of file",
    "",
  ].join("\n");
  const moment = `#${first?.seq}`;
  for (const targets of [
    ["notes/d/f"],
    ["notes:/d/f@1"],
    ["notes:/d/f@1", "notes:/d/f@2"],
    ["notes:/d/f@-1", "notes:/d/f"],
    [`notes@${moment}`],
    [`./notes/d@${moment}`, "./notes/d"],
  ]) {
    t.strictSame(await home.memfs("diff", ...targets), { code: 1, stdout: patch, stderr: "" }, targets.join(" "));
  }
  t.strictSame(await home.memfs("diff", "notes:/d/f@2"), { code: 0, stdout: "", stderr: "" }, "nothing differs");
  const json = await home.memfs("diff", "notes:/d/f", "--json");
  t.equal(json.code, 1);
  t.match(JSON.parse(json.stdout), { files: [{ kind: "text", hunks: [{ from_line: 1, from_count: 2 }] }] });
  await home.memfs("store", "create", "other");
  for (const [targets, code, says] of [
    [["notes"], 64, /is compared between moments; name one/],
    [["notes:/d/f@9"], 66, /there is no version 9/],
    [["notes@#9999"], 66, /#9999 is before store notes began, still to come, or unknown/],
    [["notes:/d/f", "other"], 64, /are in different stores/],
    [[], 64, /missing required argument/],
  ] as const) {
    t.match(await home.memfs("diff", ...targets), { code, stdout: "", stderr: says }, targets.join(" "));
  }
});

t.test("sessions, the log of a directory, and the head to keep", async (t) => {
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", notes, "--agent", "scout", "--session", "s-1");
  await mkdir(`${notes}/d`);
  await writeFile(`${notes}/d/f`, "one\n");
  await writeFile(`${notes}/g`, "two\n");
  await rename(`${notes}/d/f`, `${notes}/f`);
  const log = await home.json<MemoryVersion[]>("log", "notes/d");
  t.strictSame(
    log.map(({ path, operation }) => `${operation} ${path}`),
    ["modified /f", "created /d/f"],
  );
  t.match(await home.memfs("log", "notes:/d", "--operation", "deleted"), { code: 0, stdout: "" });
  t.match(await home.memfs("log", "notes:/e"), { code: 66, stderr: /no memory is or was at \/e; look/ });

  const shown = await home.memfs("sessions", "notes");
  t.match(shown.stdout, /^scout\/s-1 {2}\S+ \S+ {2}\S+ \S+ {2}3 writes, 1 mount, mounted now\n$/);
  const [session] = await home.json<Session[]>("sessions", "notes");
  t.match(session, { agent: "scout", session_id: "s-1", writes: 3, conflicts: 0, mounts: 1, mounted: true });
  t.match(await home.memfs("sessions", "nope"), { code: 66, stderr: /no store "nope"/ });

  const head = await home.memfs("audit", "head", "notes");
  t.match(head.stdout, /^\d+ [0-9a-f]{64}\n$/);
  const hash = head.stdout.trim().split(" ")[1] ?? "";
  t.equal((await home.json<AuditHead>("audit", "head", "notes")).hash, hash);
  await writeFile(`${notes}/g`, "three\n");
  t.equal((await home.memfs("audit", "verify", "notes", "--head", hash)).code, 0);
  t.equal((await home.memfs("audit", "verify", "notes", "--head", "0".repeat(64))).code, 1);
});

t.test("ls, cat and show look at a moment of a store, a directory, a file", async (t) => {
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", notes);
  await mkdir(`${notes}/d`);
  await writeFile(`${notes}/d/b`, "then\n");
  await writeFile(`${notes}/d/a`, "then\n");
  const [newest] = await home.json<MemoryVersion[]>("log", "notes", "-n", "1");
  const moment = `#${newest?.seq}`;
  await writeFile(`${notes}/d/a`, "now, and longer\n");
  await writeFile(`${notes}/d/c`, "new\n");
  await rename(`${notes}/d/b`, `${notes}/moved`);

  t.match((await home.memfs("ls", `notes:/d@${moment}`)).stdout, /^5 {2}.* {2}a\n5 {2}.* {2}b\n$/);
  t.match((await home.memfs("ls", `notes@${moment}`)).stdout, /^ +d\/\n$/);
  t.match((await home.memfs("ls", `notes/d@${newest?.id}`)).stdout, / a\n.* b\n$/, "a version is a moment");
  t.match(await home.json("ls", `notes:/d/b@${moment}`), [{ path: "/d/b", content_size_bytes: 5 }], "one file");
  t.equal((await home.memfs("cat", `notes:/d/a@${moment}`)).stdout, "then\n");
  t.equal((await home.memfs("cat", `notes:/moved@${moment}`)).stdout, "then\n", "where it is now leads to it");
  t.equal((await home.memfs("cat", `notes:/d/b@${moment}`)).stdout, "then\n", "and where it was");
  t.match((await home.memfs("show", `notes:/d/a@${moment}`)).stdout, /\/d\/a@1 /);
  for (const [args, code, says] of [
    [["ls", "notes@#1000000"], 66, /#1000000 is before store notes began, still to come, or unknown/],
    [["ls", "notes@2001-01-01T00:00:00Z"], 66, /before store notes began/],
    [["ls", "notes@3"], 64, /3 counts versions of one memory and is no moment/],
    [["ls", `notes:/d/c@${moment}`], 66, /nothing is at \/d\/c/],
    [["cat", `notes:/d/c@${moment}`], 66, /did not exist at that time/],
    [["cat", "notes:/d/a@memver_0111111111111111111111"], 66, /memver_0111111111111111111111/],
  ] as const) {
    t.match(await home.memfs(...args), { code, stdout: "", stderr: says }, args.join(" "));
  }
});
