import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { ClosingStack } from "../../daemon/closing.ts";
import { createLogger, RotatingFile } from "../../daemon/log-file.ts";
import type { MountInfo } from "../../daemon/mount-info.ts";
import { MountTable } from "../../daemon/mount-table.ts";
import { isMemfs, liesWithin, parseMountinfo } from "../../lib/mountinfo.ts";
import { usersOf } from "../../daemon/users.ts";
import { homeAt, homeOf, socketPlace } from "../../lib/home.ts";
import { silentLog } from "../../lib/log.ts";
import { VERSION } from "../../lib/version.ts";

async function directory(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mp-"));
  t.teardown(() => rm(dir, { recursive: true }));
  return dir;
}

t.test("the version is the package's", async (t) => {
  const file = new URL("../../package.json", import.meta.url);
  t.equal((JSON.parse(await readFile(file, "utf8")) as { version: string }).version, VERSION);
});

t.test("the home is where MEMFS_HOME says, else the user's", async (t) => {
  t.equal(homeOf({ MEMFS_HOME: "/x/y" }).dir, "/x/y");
  t.equal(homeOf({ MEMFS_HOME: "rel" }).dir, join(process.cwd(), "rel"), "resolved against the working directory");
  const root = process.getuid?.() === 0;
  t.equal(homeOf({ XDG_DATA_HOME: "/data" }).dir, root ? "/var/lib/memfs" : "/data/memfs");
  const limit = homeAt(`/${"h".repeat(107 - "//daemon.sock".length)}`);
  t.strictSame(socketPlace(limit, {}), { path: `${limit.dir}/daemon.sock`, directory: null }, "107 bytes fit");
  t.match(socketPlace(homeAt(`${limit.dir}x`), {}).path, /^\/tmp\/memfs-[0-9a-f]{16}\/daemon\.sock$/, "108 do not");
});

t.test("the log is rotated by size and a few files are kept", async (t) => {
  const dir = await directory(t);
  const path = join(dir, "daemon.log");
  const followed: number[] = [];
  const file = new RotatingFile(path, 4096, (fd) => followed.push(fd));
  const log = createLogger("info", file, () => new Date(0));
  log.debug("not written");
  for (let n = 0; n < 300; n++) log.info("a line of the log", { n });
  file.close();
  t.strictSame((await readdir(dir)).sort(), ["daemon.log", "daemon.log.1", "daemon.log.2", "daemon.log.3"]);
  t.ok(followed.length > 3, "whoever follows is told");
  for (const name of await readdir(dir)) {
    const { size, mode } = await stat(join(dir, name));
    t.ok(size <= 4096);
    t.equal(mode & 0o777, 0o600);
  }
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  t.strictSame(JSON.parse(lines.at(-1) ?? ""), {
    time: "1970-01-01T00:00:00.000Z",
    level: "info",
    message: "a line of the log",
    n: 299,
  });
});

t.test("what was opened is closed in reverse, all of it, and the first error counts", async (t) => {
  const stack = new ClosingStack();
  const closed: number[] = [];
  stack.push(() => void closed.push(1));
  stack.push(async () => {
    closed.push(2);
    throw new Error("second");
  });
  stack.push(() => {
    closed.push(3);
    throw new Error("first");
  });
  const closing = stack.close();
  t.equal(stack.close(), closing, "closing again is the same closing");
  await t.rejects(closing, { message: "first" });
  t.strictSame(closed, [3, 2, 1]);
});

t.test("the kernel's mount table is read with its escapes", async (t) => {
  const table = Buffer.from(
    [
      "22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw",
      String.raw`90 22 0:55 / /a\040b/gr\303\274n rw,nosuid,nodev - fuse.memfs memfs:notes rw,user_id=0`,
      "91 22 0:56 / /x rw master:1 shared:2 - fuse.sshfs host:/ rw",
      "",
    ].join("\n"),
  );
  const mounts = parseMountinfo(table);
  t.strictSame(
    mounts.map(({ mountpoint }) => mountpoint),
    ["/proc", "/a b/grün", "/x"],
  );
  t.strictSame(mounts.map(isMemfs), [false, true, false]);
  t.ok(liesWithin("/a/b", "/a"));
  t.ok(liesWithin("/a", "/a"));
  t.ok(liesWithin("/a", "/"));
  t.notOk(liesWithin("/ab", "/a"));
});

t.test("the users of a directory are found by what they hold", async (t) => {
  const dir = await directory(t);
  const { open } = await import("node:fs/promises");
  const held = await open(join(dir, "f"), "w");
  t.teardown(() => held.close());
  const users = await usersOf(dir);
  t.match(users, [{ pid: process.pid, program: /^node/, holds: "open file" }]);
});

/** Mounts with the ids 0, 1, 2 … */
function mountsAt(...mountpoints: readonly string[]): MountInfo[] {
  const rights = { owner: { uid: 0, gid: 0 }, posixOwner: false, allowOther: true, suid: false, dev: false };
  const rest = { agent: "scout", sessionId: "s-1", driver: "kernel" as const, createdAt: 1, persist: false };
  const stores = [{ id: "memstore_1", access: "rw", directory: null }] as const;
  return mountpoints.map((mountpoint, id) => ({ ...rights, ...rest, id: String(id), mountpoint, stores }));
}

t.test("the mount table survives damage and lists what is mounted", async (t) => {
  const file = join(await directory(t), "mounts.json");
  await writeFile(file, "{broken");
  const table = new MountTable(file);
  t.strictSame(await table.open(silentLog), []);
  t.equal(await readFile(file, "utf8"), "[]\n");
  t.equal(await readFile(`${file}.damaged`, "utf8"), "{broken", "what was there is kept");
  await Promise.all([...mountsAt("/a", "/b", "/b").map((mount) => table.add(mount)), table.remove("0")]);
  await table.remove("1");
  t.equal(await readFile(file, "utf8"), '["/b"]\n', "also when one mount ends where the next has begun");

  const [kept] = mountsAt("/a");
  if (kept === undefined) throw new Error("no mount");
  await table.add({ ...kept, persist: true });
  const next = new MountTable(file);
  t.strictSame(await next.open(silentLog), [{ ...kept, persist: true }], "what is to come back is all there");
  t.strictSame([...next.cleared].sort(), ["/a", "/b"]);
  for (const damaged of [
    { ...kept, stores: [] },
    { ...kept, owner: { uid: -1, gid: 0 } },
    { ...kept, agent: 1 },
    null,
  ]) {
    await writeFile(file, JSON.stringify(["/x", damaged]));
    t.strictSame(await new MountTable(file).open(silentLog), [], JSON.stringify(damaged));
  }
});
