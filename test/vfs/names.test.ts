/** Names: bytes, hard links, renames of large directories, several stores in one mount. */
import t, { type Test } from "tap";
import { finishedContent } from "../../lib/store/content/content-writer.ts";
import { create } from "../../lib/store/tree/entries.ts";
import { commitContent } from "../../lib/store/merge/commit.ts";
import { S_IFREG } from "../../lib/store/tree/mode.ts";
import type { VersionInfo } from "../../lib/store/types.ts";
import type { NodeRef } from "../../lib/vfs/filesystem.ts";
import { OPERATOR } from "../fixtures/store.ts";
import { SCOUT } from "../fixtures/store-files.ts";
import { mountedFixture, type MountedFixture, O_WRONLY, TestMount } from "../fixtures/vfs.ts";

async function history({ store }: MountedFixture, memoryId: string): Promise<unknown[]> {
  const { items } = await store.history.list({ memoryId, limit: 100 });
  return items.map(({ operation, path }: VersionInfo) => [operation, path?.toString()]);
}

/** Two names of one file, `/a` and `/b`, and a file `/c`. */
async function linked(t: Test, fixture: MountedFixture): Promise<{ ab: string; c: string }> {
  const { mount, store } = fixture;
  await mount.write("/a", "ab");
  await mount.write("/c", "c");
  await mount.mount.link(mount.caller, await mount.node("/a"), await mount.node("/"), Buffer.from("b"));
  t.equal((await mount.stat("/b")).links, 2);
  return { ab: store.memoryAt(Buffer.from("/a")).id, c: store.memoryAt(Buffer.from("/c")).id };
}

const pathOf = ({ store }: MountedFixture, memory: string): string => store.memory(memory).path.toString();

t.test("two names of a file are one memory, whichever is written", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, store } = fixture;
  const { ab } = await linked(t, fixture);
  await mount.write("/b", "through b");
  t.equal(await mount.read("/a"), "through b");
  t.equal(store.memoryAt(Buffer.from("/b")).id, ab);
  t.strictSame(await history(fixture, ab), [["modified", "/a"], ["created", "/a"]]); // prettier-ignore
});

t.test("when the name goes that a memory is known by, it goes on at the other one", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  const { ab } = await linked(t, fixture);
  await mount.unlink("/a");
  t.equal(pathOf(fixture, ab), "/b");
  t.strictSame(await history(fixture, ab), [["modified", "/b"], ["created", "/a"]]); // prettier-ignore
  t.equal((await mount.stat("/b")).links, 1);
  await mount.unlink("/b");
  t.throws(() => pathOf(fixture, ab), { code: "not_found" });
});

t.test("the loss of its other name is no version of a memory", async (t) => {
  const fixture = await mountedFixture(t);
  const { ab } = await linked(t, fixture);
  await fixture.mount.unlink("/b");
  t.equal(pathOf(fixture, ab), "/a");
  t.strictSame(await history(fixture, ab), [["created", "/a"]]);
});

t.test("a file that is moved over one name of another takes that name, and no memory ends", async (t) => {
  for (const [over, left] of [
    ["/b", "/a"],
    ["/a", "/b"],
  ] as const) {
    await t.test(`over ${over}`, async (t) => {
      const fixture = await mountedFixture(t);
      const { mount } = fixture;
      const { ab, c } = await linked(t, fixture);
      await mount.rename("/c", over);
      t.strictSame([pathOf(fixture, ab), pathOf(fixture, c)], [left, over]);
      t.strictSame([await mount.read(left), await mount.read(over)], ["ab", "c"]);
      t.equal((await mount.stat(left)).links, 1);
      t.strictSame(await history(fixture, c), [["modified", over], ["created", "/c"]]); // prettier-ignore
    });
  }
});

t.test("one of two names that is moved over another file carries the memory only if it is known by it", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, clock } = fixture;
  const { ab, c } = await linked(t, fixture);
  clock.pass(61);
  await mount.rename("/a", "/c");
  t.equal(await mount.read("/c"), "ab");
  t.equal(await mount.read("/b"), "ab");
  t.equal((await mount.stat("/b")).links, 2);
  t.equal((await mount.stat("/b")).size, 2);
  const live = [ab, c].filter((id) => fixture.store.usage().memories > 0 && isLive(fixture, id));
  t.equal(live.length, 1, "one file is one memory");
});

function isLive({ store }: MountedFixture, id: string): boolean {
  try {
    store.memory(id);
    return true;
  } catch {
    return false;
  }
}

t.test("a rename of one name over another of the same file changes nothing", async (t) => {
  const fixture = await mountedFixture(t);
  const { ab } = await linked(t, fixture);
  await fixture.mount.rename("/a", "/b");
  t.strictSame((await fixture.mount.list("/")).sort(), ["a", "b", "c"]);
  t.strictSame(await history(fixture, ab), [["created", "/a"]]);
});

t.test("a directory with more entries than listings are kept for is renamed, with every memory below", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, store } = fixture;
  await mount.mkdir("/big");
  for (const part of ["x", "y"]) {
    await mount.mkdir(`/big/${part}`);
    const parent = (await mount.node(`/big/${part}`)).number;
    const content = finishedContent(Buffer.from(part));
    store.update({ actor: SCOUT }, (tx) => {
      for (let count = 0; count < 10_050; count++) {
        const node = create(tx, { parent, name: `f${count}` }, { mode: S_IFREG | 0o644, uid: 0, gid: 0 });
        // Every tenth is a memory: what counts for the bound are names.
        if (count % 10 === 0) commitContent(tx, node, { content, base: null });
      }
    });
  }
  await mount.mkdir("/other");
  const { number } = await mount.node("/big/x");
  t.equal(store.listing(number), undefined, "what is over the bound is not in memory any more");
  const { id } = store.memoryAt(Buffer.from("/big/y/f4710"));
  await mount.rename("/big", "/moved");
  t.equal(pathOf(fixture, id), "/moved/y/f4710");
  for (const part of ["x", "y"]) {
    t.equal((await mount.list(`/moved/${part}`)).length, 10_050);
    for (const count of [0, 10_000]) t.equal(await mount.read(`/moved/${part}/f${count}`), part);
  }
  t.equal(await mount.find("/big"), null);
  t.match(store.usage(), { memories: 2010, versions: 4020 });
});

t.test("names are bytes: any but slash and NUL, and at most 255 of them", async (t) => {
  const { mount, store } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  const root = await mount.node("/");
  const good = [
    Buffer.from([0xff, 0xfe]),
    Buffer.from([1, 10, 32, 92]),
    Buffer.alloc(255, "n"),
    Buffer.alloc(255, 0xc3),
  ];
  for (const name of good) {
    const { entry, opened } = await fs.create(caller, root, name, O_WRONLY, 0o644);
    await fs.release(caller, entry.node, opened);
    t.equal((await fs.lookup(caller, root, name))?.node.number, entry.node.number);
    t.same(store.memoryAt(Buffer.concat([Buffer.from("/"), name])).path.subarray(1), name);
  }
  const found: string[] = [];
  const handle = await fs.opendir(caller, root);
  const sink = { plus: false, add: (name: Buffer): boolean => found.push(name.toString("hex")) > 0 };
  await fs.readdir(caller, root, handle, 2, sink);
  t.strictSame(found.sort(), good.map((name) => name.toString("hex")).sort());

  const bad: readonly [Buffer, string][] = [
    [Buffer.alloc(256, "n"), "name_too_long"],
    [Buffer.from("a/b"), "invalid_argument"],
    [Buffer.from("a\0b"), "invalid_argument"],
    [Buffer.from(""), "invalid_argument"],
    [Buffer.from("."), "invalid_argument"],
    [Buffer.from(".."), "invalid_argument"],
  ];
  const file = await mount.node("/\x01\n \\");
  for (const [name, code] of bad) {
    const calls: readonly (() => unknown)[] = [
      () => fs.create(caller, root, name, O_WRONLY, 0o644),
      () => fs.mkdir(caller, root, name, 0o755),
      () => fs.symlink(caller, root, name, Buffer.from("x")),
      () => fs.mknod(caller, root, name, 0o010644, 0),
      () => fs.link(caller, file, root, name),
      () => fs.rename(caller, { parent: root, name: Buffer.from("\x01\n \\") }, { parent: root, name }, 0),
    ];
    for (const call of calls) await t.rejects(async () => call(), { code }, JSON.stringify(name.toString()));
  }
  await t.rejects(async () => fs.lookup(caller, root, Buffer.alloc(256, "n")), { code: "name_too_long" });
  t.equal(store.usage().memories, good.length, "nothing was made or moved");
});

t.test("several stores in one mount are directories of a root that nobody changes", async (t) => {
  const { catalogue, store, live } = await mountedFixture(t);
  const org = await catalogue.create({ name: "org" }, OPERATOR);
  const all = await TestMount.openAll(live, [
    { id: store.info.id, access: "rw", directory: "notes" },
    { id: org.id, access: "rw", directory: "org" },
  ]);
  const { mount: fs, caller } = all;
  const root: NodeRef = { slot: 0, number: 1 };
  t.strictSame(await all.list("/"), ["notes", "org"]);
  t.equal(await all.find("/nope"), null);
  await all.write("/notes/f", "in notes");
  await all.write("/org/f", "in org");
  await all.mkdir("/notes/d");
  t.strictSame([await all.read("/notes/f"), await all.read("/org/f")], ["in notes", "in org"]);
  t.equal((await catalogue.open(org.id)).usage().memories, 1);
  t.equal(store.memoryAt(Buffer.from("/f")).size, 8, "paths begin in the store");

  for (const path of ["/notes/f", "/notes/d"]) {
    await t.rejects(all.rename(path, "/org/g"), { code: "cross_device" }, `mv ${path}`);
  }
  const org1 = await all.node("/org");
  const file = await all.node("/notes/f");
  await t.rejects(async () => fs.link(caller, file, org1, Buffer.from("g")), { code: "cross_device" });
  const name = Buffer.from("x");
  const refused: Readonly<Record<string, () => unknown>> = {
    create: () => fs.create(caller, root, name, O_WRONLY, 0o644),
    mkdir: () => fs.mkdir(caller, root, name, 0o755),
    mknod: () => fs.mknod(caller, root, name, 0o100644, 0),
    symlink: () => fs.symlink(caller, root, name, name),
    link: () => fs.link(caller, file, root, name),
    unlink: () => fs.unlink(caller, root, Buffer.from("notes")),
    rmdir: () => fs.rmdir(caller, root, Buffer.from("notes")),
    chmod: () => fs.setattr(caller, root, null, { mode: 0o777 }),
    "rename out": () => all.rename("/notes", "/notes/d/n"),
    "rename within": () => all.rename("/notes", "/other"),
    "rename in": () => all.rename("/notes/f", "/f"),
  };
  for (const [operation, call] of Object.entries(refused)) {
    await t.rejects(async () => call(), { code: "read_only" }, operation);
  }
  t.strictSame(await all.list("/"), ["notes", "org"]);
  t.match(await fs.getattr(caller, root, null), { mode: 0o040555, links: 4 });
  t.strictSame((await (await catalogue.open(org.id)).check()), []); // prettier-ignore
});
