/** Times of a node: birth, change and access, whoever reads and writes. */
import t from "tap";
import type { Attributes } from "../../lib/vfs/filesystem.ts";
import { mountedFixture, type MountedFixture, O_RDONLY, O_RDWR, type TestMount } from "../fixtures/vfs.ts";

const O_NOATIME = 0o1000000;
const DAY = 86_400;

const nanoseconds = (sec: number, nsec: number): bigint => BigInt(sec) * 1_000_000_000n + BigInt(nsec);
const atimeOf = (a: Attributes): bigint => nanoseconds(a.atime, a.atimeNsec);
const mtimeOf = (a: Attributes): bigint => nanoseconds(a.mtime, a.mtimeNsec);
const ctimeOf = (a: Attributes): bigint => nanoseconds(a.ctime, a.ctimeNsec);
const btimeOf = (a: Attributes): bigint => nanoseconds(a.btime, a.btimeNsec);

const atime = async (mount: TestMount, path: string): Promise<bigint> => atimeOf(await mount.stat(path));

/** Access times are stored when a mount ends. */
async function atimeAfterDetach({ mount, reopen }: MountedFixture, path: string): Promise<bigint> {
  const { number } = await mount.node(path);
  await mount.mount.detach();
  const node = (await reopen()).store.node(number);
  return node === undefined ? -1n : nanoseconds(node.atime.sec, node.atime.nsec);
}

t.test("a read moves the access time once after each change, and once a day", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, clock, store } = fixture;
  await mount.write("/f", "one");
  const written = await mount.stat("/f");
  t.ok(atimeOf(written) <= mtimeOf(written));
  const { headSeq, versions } = store.usage();
  await mount.read("/f");
  const first = await atime(mount, "/f");
  t.ok(first > mtimeOf(written), "the first read");
  clock.pass(60);
  await mount.read("/f");
  t.equal(await atime(mount, "/f"), first, "the next one does not");
  await mount.write("/f", "two");
  await mount.read("/f");
  const second = await atime(mount, "/f");
  t.ok(second > first, "after a change");
  clock.pass(DAY + 1);
  await mount.read("/f");
  const third = await atime(mount, "/f");
  t.ok(third > second, "after a day");
  t.equal(store.usage().headSeq, headSeq + 1, "only the write is in the journal");
  t.equal(store.usage().versions, versions + 1);
  t.equal(ctimeOf(await mount.stat("/f")), mtimeOf(await mount.stat("/f")), "a read is no change");
  t.equal(await atimeAfterDetach(fixture, "/f"), third, "stored");
});

t.test("what is read and not committed counts as changed", async (t) => {
  const { mount } = await mountedFixture(t);
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "one");
  await mount.read("/f");
  const first = await atime(mount, "/f");
  await mount.put(file, "two");
  await mount.read("/f");
  t.ok((await atime(mount, "/f")) > first);
  await mount.close(file);
});

t.test("other mounts are told of an access, and nobody when many are stored", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const files = Array.from({ length: 600 }, (_, index) => `/f${index}`);
  for (const path of files) await mount.write(path, "text");
  const second = await other();
  for (const path of files) await second.stat(path);
  mount.invalidator.calls.length = 0;
  second.invalidator.calls.length = 0;
  const times: bigint[] = [];
  for (const path of files) {
    await mount.read(path);
    times.push(await atime(mount, path));
  }
  const { sec = 0, nsec = 0 } = store.node((await mount.node("/f0")).number)?.atime ?? {};
  t.equal(nanoseconds(sec, nsec), times[0], "stored");
  t.strictSame(mount.invalidator.calls, []);
  t.equal(second.invalidator.calls.filter((call) => call.startsWith("attributes ")).length, files.length);
  t.strictSame(await Promise.all(files.map((path) => atime(second, path))), times);
});

t.test("reading a directory is an access too", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.mkdir("/d");
  const before = await mount.stat("/d");
  await mount.list("/d");
  t.ok((await atime(mount, "/d")) > mtimeOf(before));
});

t.test("no access time is kept read-only, with O_NOATIME, or of an archived store", async (t) => {
  const { mount, other, catalogue, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const before = await atime(mount, "/f");
  const frozen = await other({ access: "ro" });
  await frozen.read("/f");
  t.equal(await atime(mount, "/f"), before, "read-only");
  const file = await mount.open("/f", O_RDONLY | O_NOATIME);
  await mount.mount.read(mount.caller, file.node, file.opened, 0, 10);
  await mount.release(file);
  t.equal(await atime(mount, "/f"), before, "O_NOATIME");
  await catalogue.archive(store.info.id, { type: "user", userId: "operator" });
  await mount.read("/f");
  t.equal(await atime(mount, "/f"), before, "archived");
});

t.test("an access time that is set stays until the next read that counts", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  await mount.write("/f", "one");
  await mount.read("/f");
  const node = await mount.node("/f");
  const later = { sec: 4_000_000_000, nsec: 999_999_999 };
  await mount.mount.setattr(mount.caller, node, null, { atime: later });
  await mount.read("/f");
  t.equal(await atime(mount, "/f"), nanoseconds(later.sec, later.nsec));
  t.equal(await atimeAfterDetach(fixture, "/f"), nanoseconds(later.sec, later.nsec));
});

t.test("a file removed after it was read leaves no access time behind", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "one");
  await mount.read("/f");
  await mount.unlink("/f");
  await mount.mount.detach();
});

t.test("the birth time is that of the node, for good", async (t) => {
  const { mount, clock } = await mountedFixture(t);
  await mount.write("/f", "one");
  const { btime, btimeNsec, ctime } = await mount.stat("/f");
  t.equal(btime, ctime);
  clock.pass(10);
  await mount.write("/f", "two");
  await mount.rename("/f", "/g");
  t.match(await mount.stat("/g"), { btime, btimeNsec, ctime: ctime + 10 });
  t.ok(btimeOf(await mount.stat("/")) > 0n);
});

t.test("every change moves ctime, also while a draft is open, and it never goes back", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/f", "one");
  const node = await mount.node("/f");
  let last = ctimeOf(await mount.stat("/f"));
  const moved = async (path: string, what: string): Promise<void> => {
    const now = ctimeOf(await mount.stat(path));
    t.ok(now > last, what);
    last = now;
  };
  const changes = async (): Promise<void> => {
    await mount.mount.setattr(mount.caller, node, null, { mode: 0o600 });
    await moved("/f", "chmod");
    await mount.mount.setattr(mount.caller, node, null, { mtime: { sec: -5, nsec: 1 } });
    await moved("/f", "utimens");
    await mount.mount.setxattr(mount.caller, node, Buffer.from("user.x"), Buffer.from("x"), 0);
    await moved("/f", "setxattr");
    await mount.mount.removexattr(mount.caller, node, Buffer.from("user.x"));
    await moved("/f", "removexattr");
    await mount.mount.link(mount.caller, node, await mount.node("/"), Buffer.from("g"));
    await moved("/f", "link");
    await mount.unlink("/g");
    await moved("/f", "unlink of another name");
  };
  await changes();
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "two");
  await moved("/f", "write");
  await changes();
  await mount.put(file, "three");
  await moved("/f", "write again");
  await mount.mount.setxattr(mount.caller, node, Buffer.from("user.x"), Buffer.from("x"), 0);
  await moved("/f", "setxattr before the close");
  await mount.close(file);
  t.equal(ctimeOf(await mount.stat("/f")), last, "the close is no change of its own");
  await mount.rename("/f", "/d/f");
  await moved("/d/f", "rename");
  await mount.mount.setattr(mount.caller, node, null, { size: 1 });
  await moved("/d/f", "truncate");
});
