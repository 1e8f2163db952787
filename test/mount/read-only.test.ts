/**
 * Every call that changes a file, in every way to reach one, on a store that is mounted read-only. The results are the
 * table of docs/read-only.md: `MEMFS_TEST_WRITE_DOCS=1` rewrites it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as prettier from "prettier";
import t, { type Test } from "tap";
import type { MemoryStore } from "../../lib/api.ts";
import { currentDriver, mountedTest } from "../fixtures/drivers.ts";
import { run, shell } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { journalKinds, problemsIn } from "../fixtures/sound.ts";

const CALLS = join(import.meta.dirname, "../fixtures/forbidden-calls.py");
const PAGE = join(import.meta.dirname, "../../docs/read-only.md");
const BEGIN = "<!-- The tables below are written by test/mount/read-only.test.ts. -->";

interface Attempt {
  readonly call: string;
  readonly reach: string;
  readonly result: string;
  readonly changed: readonly string[];
}

/** Results that refuse before the store is asked: the kernel's own, each for its reason. */
const OTHER_REFUSALS: Readonly<Record<string, RegExp>> = {
  // The descriptor is not open for writing.
  EBADF: /^p?write|^fallocate|into it$/,
  EINVAL: /^ftruncate|RENAME_WHITEOUT/,
  EACCES: /^mmap, shared|^mprotect/,
  // Two stores are two file systems.
  EXDEV: /^rename|^link/,
  // There is no such thing here, on any store.
  EOPNOTSUPP: /FICLONE|O_TMPFILE/,
  ENOTTY: /ioctl/,
  ENOSYS: /O_TMPFILE/,
};

/** And those of libfuse 2 and its driver, see docs/drivers.md. */
const NATIVE_REFUSALS: Readonly<Record<string, RegExp>> = {
  EINVAL: /RENAME_(NOREPLACE|EXCHANGE)/,
  ENODEV: /shared/,
  EBUSY: /^rmdir/,
};

const FURNISH = `
  cd "$1"
  printf content > f; ln f h; mkdir d d2; printf g > d2/g; ln -s f l; mkfifo p
  setfattr -n user.x -v before f
`;

/** The store `frozen` with something in it, and `notes`; nothing is mounted. */
async function furnished(t: Test): Promise<TestHome> {
  const home = await testHome(t);
  for (const [name, script] of [
    ["frozen", FURNISH],
    ["notes", 'cd "$1"; printf n > f; ln -s ../frozen l'],
  ] as const) {
    // prettier-ignore
    const directory = await home.directory(name);
    await home.json("mount", "--create", name, name);
    const outcome = await shell(script, directory);
    t.strictSame({ code: outcome.code, stderr: outcome.stderr }, { code: 0, stderr: "" });
    await home.json("umount", name);
  }
  await home.memfs("daemon", "stop");
  return home;
}

async function attempts(t: Test, frozen: string, writable: string): Promise<Attempt[]> {
  const scratch = await mkdtemp(join(tmpdir(), "mro-"));
  const bind = join(scratch, "bind");
  const bound = await shell('mkdir "$1" && mount --bind "$2" "$1"', bind, frozen);
  try {
    t.equal(bound.stderr, "");
    const { code, stdout, stderr } = await run("python3", [CALLS, frozen, writable, scratch]);
    t.strictSame({ code, stderr }, { code: 0, stderr: "" });
    return stdout.trim().split("\n").map((line) => JSON.parse(line) as Attempt); // prettier-ignore
  } finally {
    await run("umount", ["-l", bind]);
    await shell('rmdir "$1" && rm -r "$2"', bind, scratch);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Refused, and with nothing changed. */
function isRefused({ call, result, changed }: Attempt): boolean {
  if (changed.length > 0) return false;
  if (result === "ok") return call.startsWith("mmap, private");
  const native = currentDriver() === "native" && (NATIVE_REFUSALS[result]?.test(call) ?? false);
  return native || result === "EROFS" || (OTHER_REFUSALS[result]?.test(call) ?? false);
}

/** The past does not show fifos, and no attributes of programs. */
function isAbsent({ call, result, changed }: Attempt): boolean {
  return changed.length === 0 && result === "ENOENT" && call === "unlink of a fifo";
}

/** Rows by call, columns by reach. */
function table(found: readonly Attempt[]): string {
  const columns = [...new Set(found.map(({ reach }) => reach))];
  const rows = [...new Set(found.map(({ call }) => call))].map((call) => {
    const cells = columns.map((reach) => found.find((one) => one.call === call && one.reach === reach)?.result ?? "–");
    return `| ${[call, ...cells].join(" | ")} |`;
  });
  return [`| call | ${columns.join(" | ")} |`, `|${" --- |".repeat(columns.length + 1)}`, ...rows].join("\n");
}

const ACROSS = ["out of it", "into it", "over a file of it"];

async function documented(found: readonly Attempt[]): Promise<string> {
  const [text = ""] = readFileSync(PAGE, "utf8").split(BEGIN);
  const inside = found.filter(({ reach }) => !ACROSS.includes(reach) && reach !== "directory of stores");
  const tables = [
    "## Files and names of the store\n\nEvery way to reach the same file.",
    table(inside),
    "## Between it and a writable store of the same mount",
    table(found.filter(({ reach }) => ACROSS.includes(reach))),
    "## The directory that holds the stores",
    table(found.filter(({ reach }) => reach === "directory of stores")),
  ];
  const page = `${text}${BEGIN}\n\n${tables.join("\n\n")}\n`;
  return prettier.format(page, { ...(await prettier.resolveConfig(PAGE)), parser: "markdown" });
}

mountedTest(t, "nothing changes a store that is mounted read-only, whichever way it is tried", async (t) => {
  const home = await furnished(t);
  const before = await journalKinds(home.home.dir);
  const both = await home.directory("both");
  await home.json("mount", "frozen:ro", "notes:rw", "both");
  const found = await attempts(t, join(both, "frozen"), join(both, "notes"));
  t.strictSame(found.filter((attempt) => !isRefused(attempt)), []); // prettier-ignore
  t.ok(found.length > 400, `${found.length} attempts`);

  const alone = await home.directory("alone");
  await home.json("mount", "frozen:ro", "alone");
  const again = await attempts(t, alone, "-");
  const known = new Map(found.map(({ call, reach, result }) => [`${call} ${reach}`, result]));
  t.strictSame(again.filter(({ call, reach, result }) => known.get(`${call} ${reach}`) !== result), [], "a mount of that store alone"); // prettier-ignore

  const { usage } = await home.json<MemoryStore>("store", "show", "frozen");
  const past = await home.directory("past");
  await home.json("mount", `frozen@#${usage?.head_seq ?? 0}`, past);
  t.strictSame((await attempts(t, past, "-")).filter((one) => !isRefused(one) && !isAbsent(one)), [], "as it was"); // prettier-ignore

  await home.memfs("daemon", "stop");
  const after = await journalKinds(home.home.dir);
  t.strictSame(after.slice(0, before.length), before);
  const added = new Set(after.slice(before.length).filter((kind) => !kind.startsWith("mount.")));
  t.strictSame([...added].sort(), ["memory.read", "write.denied"], "only refusals and reads are journalled");
  t.strictSame(await problemsIn(home.home.dir), []);

  // The page is about the default driver.
  if (currentDriver() === "native") return;
  const page = await documented(found);
  if (process.env["MEMFS_TEST_WRITE_DOCS"] === "1") writeFileSync(PAGE, page);
  t.equal(readFileSync(PAGE, "utf8"), page, "docs/read-only.md is what happens; MEMFS_TEST_WRITE_DOCS=1 rewrites it");
});
