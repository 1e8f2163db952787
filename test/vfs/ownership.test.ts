/** Whose files are whose: squashed to the mount's owner, or with `posixOwner` as on any file system. */
import t from "tap";
import type { AttributeChanges } from "../../lib/vfs/filesystem.ts";
import { mountedFixture, type TestMount } from "../fixtures/vfs.ts";

const ROOT = { uid: 0, gid: 0, pid: process.pid, uniqueHigh: 0, uniqueLow: 0 };
const USER = { uid: 1000, gid: 100, pid: process.pid, uniqueHigh: 0, uniqueLow: 0 };

async function owner(mount: TestMount, path: string): Promise<string> {
  const { uid, gid, mode } = await mount.stat(path);
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
}

async function set(mount: TestMount, path: string, changes: AttributeChanges): Promise<void> {
  await mount.mount.setattr(mount.caller, await mount.node(path), null, changes);
}

async function mknod(mount: TestMount, name: string, mode: number, rdev = 0): Promise<void> {
  await mount.mount.mknod(mount.caller, await mount.node("/"), Buffer.from(name), mode, rdev);
}

t.test("what is made belongs to its maker, and is squashed in other mounts", async (t) => {
  const { mount, other, reopen } = await mountedFixture(t);
  const owned = await other({ posixOwner: true });
  owned.caller = USER;
  await owned.write("/file", "x");
  await owned.mkdir("/directory");
  await mknod(owned, "fifo", 0o010600);
  await owned.mount.symlink(USER, await owned.node("/"), Buffer.from("link"), Buffer.from("file"));
  const flags = 2;
  const { entry } = await owned.mount.tmpfile(USER, await owned.node("/"), flags, 0o640);
  t.match(entry.attributes, { uid: 1000, gid: 100 });
  for (const path of ["/file", "/directory", "/fifo", "/link"]) {
    t.match(await owner(owned, path), /^1000:100 /, path);
    t.match(await owner(mount, path), /^0:0 /, `${path}, squashed`);
  }
  await mount.write("/squashed", "x");
  t.match(await owner(owned, "/squashed"), /^0:0 /);
  const { number } = await owned.node("/file");
  t.match((await reopen()).store.node(number), { uid: 1000, gid: 100 });
});

t.test("a setgid directory hands down its group, and the bit to directories", async (t) => {
  const { other, mount } = await mountedFixture(t);
  const owned = await other({ posixOwner: true });
  await owned.mkdir("/team");
  await set(owned, "/team", { gid: 50 });
  await set(owned, "/team", { mode: 0o2775 });
  owned.caller = USER;
  await owned.write("/team/file", "x");
  await owned.mkdir("/team/below");
  await owned.mkdir("/team/below/deeper");
  t.equal(await owner(owned, "/team/file"), "1000:50 644");
  t.equal(await owner(owned, "/team/below"), "1000:50 2755");
  t.equal(await owner(owned, "/team/below/deeper"), "1000:50 2755");
  await mount.mkdir("/team/squashed");
  t.equal(await owner(owned, "/team/squashed"), "0:0 2755", "a squashed mount has one group");
});

t.test("chown is stored and takes privileges away, or, squashed, succeeds and changes nothing", async (t) => {
  const { other, mount, store } = await mountedFixture(t);
  const owned = await other({ posixOwner: true });
  await owned.write("/f", "x");
  await owned.mkdir("/d");
  for (const path of ["/f", "/d"]) await set(owned, path, { mode: 0o6755 });
  const { versions } = store.usage();
  mount.invalidator.calls.length = 0;
  await mount.stat("/f");
  await set(owned, "/f", { uid: 7 });
  t.equal(await owner(owned, "/f"), "7:0 755");
  t.ok(mount.invalidator.calls.includes(`attributes ${(await mount.node("/f")).number}`), "other kernels are told");
  await set(owned, "/f", { gid: 8 });
  t.equal(await owner(owned, "/f"), "7:8 755");
  await set(owned, "/f", { mode: 0o2644 });
  await set(owned, "/f", { uid: 9, gid: 10 });
  t.equal(await owner(owned, "/f"), "9:10 2644", "without group execute the bit is no privilege");
  await set(owned, "/d", { uid: 9, gid: 10 });
  t.equal(await owner(owned, "/d"), "9:10 6755", "a directory keeps them");
  const before = store.usage();
  await set(mount, "/f", { uid: 1, gid: 2 });
  t.equal(await owner(owned, "/f"), "9:10 2644");
  t.strictSame(store.usage(), before, "nothing is recorded of a chown in a squashed mount");
  t.equal(before.versions, versions);
});

t.test("device files are made by root in a mount with posixOwner only", async (t) => {
  const { other, mount } = await mountedFixture(t);
  const owned = await other({ posixOwner: true });
  const rdev = 0x103;
  for (const mode of [0o020666, 0o060666]) {
    await t.rejects(mknod(mount, "device", mode, rdev), { code: "not_permitted" });
    owned.caller = USER;
    await t.rejects(mknod(owned, "device", mode, rdev), { code: "not_permitted" });
    owned.caller = ROOT;
    await mknod(owned, "device", mode, rdev);
    t.match(await owned.stat("/device"), { mode, rdev });
    t.match(await mount.stat("/device"), { mode, rdev });
    await owned.unlink("/device");
  }
});
