/** A home on a disk that is full: programs are told, nothing that was stored is lost, and space is all that is needed. */
import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryVersion } from "../../lib/api.ts";
import { mountedTest } from "../fixtures/drivers.ts";
import { run } from "../fixtures/fuse.ts";
import { TestHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";

const MIB = 1024 * 1024;

/** A home on a disk of its own of this many bytes. */
async function homeOnSmallDisk(t: Test, bytes: number): Promise<{ home: TestHome; disk: string }> {
  const disk = await mkdtemp(join(tmpdir(), "md-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "memfs-test", disk], { encoding: "utf8" });
  if (mounted.status !== 0) {
    await rmdir(disk);
    throw new Error(`cannot mount a small disk: ${mounted.stderr}`);
  }
  const home = new TestHome(join(disk, "t"));
  t.teardown(async () => {
    await home.dispose(join(disk, "t"));
    await run("umount", ["-l", disk]);
    await rmdir(disk);
  });
  await mkdir(home.place, { recursive: true });
  return { home, disk };
}

/** Saves a file again and again, each time other bytes, until a write or close fails. Prints how often, and the errno. */
const SAVE_UNTIL_REFUSED = `
  const fs = require("node:fs");
  const [path, size, first] = process.argv.slice(1);
  let saved = Number(first);
  try {
    for (; saved < 1000; saved++) {
      const fd = fs.openSync(path, "w");
      try {
        const bytes = require("node:crypto").randomBytes(Number(size));
        bytes.write(String(saved + 1).padEnd(8));
        fs.writeSync(fd, bytes);
      } finally {
        fs.closeSync(fd);
      }
    }
    console.log(saved, "never refused");
  } catch (error) {
    console.log(saved, error.code);
  }`;

async function save(path: string, size: number, first: number): Promise<{ saved: number; code: string }> {
  const { stdout } = await run(process.execPath, ["-e", SAVE_UNTIL_REFUSED, path, `${size}`, `${first}`]);
  const [saved, ...code] = stdout.trim().split(" ");
  return { saved: Number(saved), code: code.join(" ") };
}

/** Leaves this many bytes free on the disk. */
function fill(disk: string, left: number): string {
  const filler = join(disk, "filler");
  writeFileSync(filler, "");
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - left)));
  return filler;
}

const begins = (bytes: Buffer | string): number => Number(bytes.toString("latin1").slice(0, 8));

mountedTest(
  t,
  "a save that does not fit fails, the version before it stays, and once there is space all goes on",
  async (t) => {
    const { home, disk } = await homeOnSmallDisk(t, 48 * MIB);
    const notes = await home.directory("notes");
    t.equal((await home.memfs("mount", "--create", "notes", "notes")).code, 0);
    const file = join(notes, "f");
    const versions = (): Promise<MemoryVersion[]> => home.json<MemoryVersion[]>("log", "notes:/f", "-n", "1000");
    t.equal((await run("cp", ["/etc/passwd", join(notes, "other")])).code, 0);

    const filler = fill(disk, 6 * MIB);
    const size = 300_000;
    const refused = await save(file, size, 0);
    t.equal(refused.code, "ENOSPC");
    t.ok(refused.saved > 2, `${refused.saved} were saved`);
    const log = await versions();
    // The draft that was refused is tried again at its RELEASE: a moment later there may have been room.
    t.ok(log.length === refused.saved || log.length === refused.saved + 1, `${log.length} versions`);
    t.equal(begins((await home.memfs("cat", `notes:/f@${refused.saved}`)).stdout), refused.saved);
    t.equal(log[0]?.content_size_bytes, size);
    const again = await save(file, size, refused.saved);
    t.equal(again.code, "ENOSPC", "and again");
    t.ok(again.saved <= refused.saved + 1);
    t.equal((await readFile(join(notes, "other"))).length, (await readFile("/etc/passwd")).length, "reading goes on");

    truncateSync(filler, 0);
    const more = await run("sh", ["-c", 'printf "after   " > "$1"', "sh", file]);
    t.equal(more.code, 0, more.stderr);
    t.equal(await readFile(file, "latin1"), "after   ");
    const later = await versions();
    t.equal(later[0]?.content_size_bytes, 8);
    t.ok(later.length <= again.saved + 3, "at most the drafts that waited are versions, too");
    for (const { n } of later.slice(1, 4)) {
      const content = await home.memfs("cat", `notes:/f@${n}`);
      t.equal(content.code, 0, `version ${n} can be read`);
    }
    t.match(await home.memfs("audit", "verify"), { code: 0, stdout: /^notes: ok, / });
    t.equal((await home.memfs("daemon", "stop")).code, 0);
    t.strictSame(await problemsIn(home.home.dir), []);
  },
);

mountedTest(
  t,
  "a daemon that is killed while the disk is full comes back with what was stored, once there is space",
  async (t) => {
    const { home, disk } = await homeOnSmallDisk(t, 48 * MIB);
    const notes = await home.directory("notes");
    t.equal((await home.memfs("mount", "--create", "notes", "notes")).code, 0);
    const filler = fill(disk, 4 * MIB);
    const { saved, code } = await save(join(notes, "f"), 200_000, 0);
    t.equal(code, "ENOSPC");
    await home.kill();
    rmSync(filler);
    const content = await home.memfs("cat", "notes:/f");
    t.equal(content.code, 0, content.stderr);
    t.equal(begins(content.stdout), saved);
    t.equal((await home.memfs("mount", "notes", "notes")).code, 0);
    t.equal((await home.memfs("daemon", "stop")).code, 0);
    t.strictSame(await problemsIn(home.home.dir), []);
  },
);
