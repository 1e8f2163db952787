/** What a program is told when a limit is reached: the errno, from the call that it checks, and nothing changed. */
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryStore } from "../../lib/api.ts";
import { mountedTest } from "../fixtures/drivers.ts";
import { run } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { damageContent } from "../fixtures/sound.ts";

/** Opens, writes, truncates or closes a file; prints the call that failed and the errno, or what was left at the end. */
const ATTEMPT = `
import errno, os, sys
path, flags, size, at = sys.argv[1], int(sys.argv[2], 8), int(sys.argv[3]), int(sys.argv[4])
stage = "open"
try:
    fd = os.open(path, flags, 0o644)
    try:
        stage = "write"
        os.pwrite(fd, b"y" * size, at)
    except OSError as error:
        os.close(fd)
        raise
    stage = "close"
    os.close(fd)
    print("ok")
except OSError as error:
    print(stage, errno.errorcode[error.errno])
`;

/** Opens a file for appending, runs a command, and writes then; prints the errno. */
const ARCHIVE = `
import errno, os, subprocess, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
try:
    os.write(fd, b"more")
    print("ok")
except OSError as error:
    print(errno.errorcode[error.errno])
`;

const [WRITE, CREATE, APPEND] = ["1", "101", "2001"];

interface Limited {
  readonly home: TestHome;
  readonly notes: string;
  /** Writes `size` bytes at an offset. Resolves to "ok", or the call and its errno. */
  attempt(name: string, flags: string, size: number, at?: number): Promise<string>;
  policy(...changes: readonly string[]): Promise<void>;
  /** Files with their contents, and the counts of the store. */
  state(): Promise<{ files: unknown; usage: MemoryStore["usage"] }>;
}

async function mounted(t: Test): Promise<Limited> {
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.json("mount", "--create", "notes", "notes");
  writeFileSync(join(notes, "f"), "x".repeat(1000));
  writeFileSync(join(notes, "g"), "x".repeat(500));
  return {
    home,
    notes,
    async attempt(name, flags, size, at = 0) {
      const { stdout, stderr } = await run("python3", ["-c", ATTEMPT, join(notes, name), flags, `${size}`, `${at}`]);
      return stdout.trim() + stderr;
    },
    async policy(...changes) {
      await home.json("store", "policy", "notes", ...changes);
    },
    async state() {
      const names = (await readdir(notes)).sort();
      const files = names.map((name) => [name, readFileSync(join(notes, name), "latin1"), statSync(join(notes, name))]);
      return { files, usage: (await home.json<MemoryStore>("store", "show", "notes")).usage };
    },
  };
}

mountedTest(t, "limits are refused by open and write, and leave everything as it was", async (t) => {
  const { attempt, policy, state, notes } = await mounted(t);
  const before = await state();

  await policy("max_memory_bytes=1000");
  t.equal(await attempt("f", WRITE, 1, 1000), "write EFBIG", "behind the end");
  t.equal(await attempt("f", WRITE, 1, 2 ** 40), "write EFBIG", "far behind it");
  t.equal(await attempt("f", APPEND, 1), "write EFBIG", "appending");
  const truncated = await run("truncate", ["-s", "1001", join(notes, "f")]);
  t.match(truncated, { code: 1, stderr: /File too large/ });
  await policy("max_memory_bytes=10M", "max_live_bytes=1500");
  t.equal(await attempt("g", APPEND, 1), "write EDQUOT", "bytes of all files");
  await policy("max_live_bytes=1G", "max_memories=2");
  t.equal(await attempt("new", CREATE, 1), "open EDQUOT", "one memory more");
  await policy("max_memories=100000", "max_history_bytes=1000");
  t.equal(await attempt("g", APPEND, 1), "write EDQUOT", "bytes of history");
  const after = await state();
  t.strictSame(after.files, before.files);
  t.strictSame(after.usage, { ...before.usage, head_seq: (before.usage?.head_seq ?? 0) + 4 }, "but four policies");

  await policy("max_history_bytes=10G");
  t.equal(await attempt("g", APPEND, 1), "ok", "and goes on when there is room");
});

mountedTest(t, "an archived store refuses a write through a file that was open before", async (t) => {
  const { home, notes, attempt, state } = await mounted(t);
  const memfs = join(import.meta.dirname, "../../dist/cli/main.js");
  const before = await state();
  const command = [process.execPath, memfs, "store", "archive", "notes"];
  const archived = await run("env", [`MEMFS_HOME=${home.home.dir}`, "python3", "-c", ARCHIVE, join(notes, "f"), ...command]); // prettier-ignore
  t.strictSame(archived, { code: 0, stdout: "EROFS\n", stderr: "" });
  t.equal(await attempt("f", WRITE, 1), "open EROFS");
  t.equal(await attempt("new", CREATE, 1), "open EROFS");
  t.strictSame((await state()).files, before.files);
});

mountedTest(t, "a file whose stored content is damaged cannot be read; all others go on", async (t) => {
  const { home, notes, attempt } = await mounted(t);
  const big = join(notes, "big");
  writeFileSync(big, randomBytes(50_000));
  await home.memfs("daemon", "stop");
  t.ok((await damageContent(home.home.dir, 2000)) > 0);
  await home.json("mount", "notes", "notes");
  t.match(await run("cat", [big]), { code: 1, stderr: /Input\/output error/ });
  t.equal((await readFile(join(notes, "f"))).length, 1000);
  t.equal(await attempt("f", APPEND, 5), "ok");
  t.strictSame((await readdir(notes)).sort(), ["big", "f", "g"]);
  t.match(await home.log(), /damaged|"level":"error"/, "and the log says so");
  t.equal((await run("rm", [big])).code, 0, "it can be removed");
});
