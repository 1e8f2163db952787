/** Nodes and their names: several, none at first, and two that change places. */
import t from "tap";
import type { Attributes, NodeRef } from "../../lib/vfs/filesystem.ts";
import {
  mountedFixture,
  type MountedFixture,
  type OpenFile,
  O_RDWR,
  O_WRONLY,
  type TestMount,
} from "../fixtures/vfs.ts";

const EXCHANGE = 2;

async function link(mount: TestMount, from: string, to: string): Promise<Attributes> {
  const cut = to.lastIndexOf("/");
  const parent = await mount.node(to.slice(0, cut));
  return linkNode(mount, await mount.node(from), { parent, name: to.slice(cut + 1) });
}

async function linkNode(
  mount: TestMount,
  node: NodeRef,
  { parent, name }: { parent: NodeRef; name: string },
): Promise<Attributes> {
  return (await mount.mount.link(mount.caller, node, parent, Buffer.from(name))).attributes;
}

/** Operations and paths of the memory that is or was at a path, the oldest first. */
async function history({ store }: MountedFixture, path: string): Promise<string[]> {
  const memoryId = await store.history.memoryOnceAt(Buffer.from(path));
  const { items } = await store.history.list({ memoryId, limit: 100 });
  return items.map(({ operation, path: at }) => `${operation} ${String(at)}`).reverse();
}

const idAt = ({ store }: MountedFixture, path: string): string => store.memoryAt(Buffer.from(path)).id;

t.test("a file with several names is one memory; its path is the oldest name", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, other, store } = fixture;
  await mount.mkdir("/d");
  await mount.write("/a", "one");
  t.equal((await link(mount, "/a", "/d/b")).links, 2);
  t.equal((await link(mount, "/d/b", "/c")).links, 3);
  t.equal(store.usage().memories, 1);
  const id = idAt(fixture, "/a");
  t.equal(idAt(fixture, "/d/b"), id);
  await mount.write("/c", "two");
  const reader = await other();
  t.equal(await reader.read("/a"), "two");
  t.equal((await reader.stat("/d/b")).links, 3);
  t.strictSame(await history(fixture, "/a"), ["created /a", "modified /a"]);

  await mount.unlink("/d/b");
  t.strictSame(await history(fixture, "/a"), ["created /a", "modified /a"], "a link that goes is no version");
  await mount.unlink("/a");
  t.equal((await reader.stat("/c")).links, 1);
  t.equal(idAt(fixture, "/c"), id);
  t.strictSame(await history(fixture, "/c"), ["created /a", "modified /a", "modified /c"]);
  await mount.unlink("/c");
  t.strictSame((await history(fixture, "/c")).at(-1), "deleted /c");
  t.equal(store.usage().memories, 0);
  t.equal(store.usage().liveBytes, 0);
});

t.test("renaming the path of a linked file, over it, and from one of its names to another", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  await mount.write("/a", "linked");
  await link(mount, "/a", "/b");
  const id = idAt(fixture, "/a");
  await mount.rename("/a", "/b");
  t.strictSame((await mount.list("/")).sort(), ["a", "b"], "two names of one file: nothing happens");
  await mount.rename("/a", "/moved");
  t.strictSame(await history(fixture, "/b"), ["created /a", "modified /moved"], "the path moves with the oldest name");
  await mount.rename("/b", "/c");
  t.equal((await history(fixture, "/c")).length, 2, "another name that moves is no version");
  await mount.write("/new", "over the path");
  await mount.rename("/new", "/moved");
  t.equal(idAt(fixture, "/c"), id);
  t.equal((await history(fixture, "/c")).at(-1), "modified /c", "the memory goes on at the name that is left");
  t.equal(await mount.read("/c"), "linked");
  t.equal(await mount.read("/moved"), "over the path");
  await link(mount, "/c", "/d");
  await mount.write("/new", "over a link");
  await mount.rename("/new", "/d");
  t.equal((await mount.stat("/c")).links, 1);
  t.equal(idAt(fixture, "/c"), id);
});

t.test("a directory has one name, and a file not more than 1,000", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.mkdir("/d");
  await t.rejects(link(mount, "/d", "/e"), { code: "not_permitted" });
  await mount.write("/f", "content");
  for (let count = 1; count < 1000; count++) await link(mount, "/f", `/d/${count}`);
  await t.rejects(link(mount, "/f", "/d/more"), { code: "too_many_links" });
  t.equal((await mount.stat("/f")).links, 1000);
  await mount.unlink("/d/5");
  await link(mount, "/f", "/d/more");
});

async function tmpfile(mount: TestMount, directory: string): Promise<OpenFile> {
  const flags = O_RDWR;
  const { entry, opened } = await mount.mount.tmpfile(mount.caller, await mount.node(directory), flags, 0o600);
  return { node: entry.node, opened, flags };
}

t.test("a file without a name is nobody's memory until a link names it, and whole from then on", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, other, store } = fixture;
  const { headSeq } = store.usage();
  const file = await tmpfile(mount, "/");
  t.equal((await mount.mount.getattr(mount.caller, file.node, null)).links, 0);
  await mount.put(file, "whole content");
  await mount.mount.fsync(mount.caller, file.node, file.opened, false);
  t.equal(store.usage().headSeq, headSeq, "nothing to tell of");
  t.strictSame(await mount.list("/"), []);
  const root = await mount.node("/");
  t.equal((await linkNode(mount, file.node, { parent: root, name: "f" })).links, 1);
  const reader = await other();
  t.equal(await reader.read("/f"), "whole content", "before the close");
  t.strictSame(await history(fixture, "/f"), ["created /f"]);
  t.equal(store.usage().headSeq, headSeq + 1);
  await mount.close(file);
  t.equal((await history(fixture, "/f")).length, 1);

  const empty = await tmpfile(mount, "/");
  await linkNode(mount, empty.node, { parent: root, name: "empty" });
  await mount.close(empty);
  t.strictSame(await history(fixture, "/empty"), ["created /empty"]);
});

t.test("a file that was closed without a name and linked then stays", async (t) => {
  const { mount, other } = await mountedFixture(t);
  const file = await tmpfile(mount, "/");
  await mount.put(file, "content");
  await mount.close(file);
  await linkNode(mount, file.node, { parent: await mount.node("/"), name: "f" });
  mount.mount.forget(file.node, 100);
  await mount.mount.detach();
  t.equal(await (await other()).read("/f"), "content");
});

t.test("a file without a name goes with its handle, and with the mount", async (t) => {
  const { mount, store, reopen } = await mountedFixture(t);
  const file = await tmpfile(mount, "/");
  await mount.put(file, "content");
  await mount.close(file);
  mount.mount.forget(file.node, 1);
  const open = await tmpfile(mount, "/");
  await mount.put(open, "content");
  await mount.mount.detach();
  t.equal(store.node(file.node.number), undefined);
  t.match(store.usage(), { memories: 0, liveBytes: 0 });
  const again = (await reopen()).store;
  await again.recover();
  t.equal(again.node(open.node.number), undefined);
});

t.test("a removed file cannot be linked again, and none into a removed directory", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "content");
  const file = await mount.open("/f", O_WRONLY);
  await mount.unlink("/f");
  await t.rejects(linkNode(mount, file.node, { parent: await mount.node("/"), name: "g" }), { code: "not_found" });
  await mount.mkdir("/d");
  const directory = await mount.node("/d");
  await mount.mount.opendir(mount.caller, directory);
  await mount.rmdir("/d");
  await t.rejects(async () => mount.mount.tmpfile(mount.caller, directory, O_RDWR, 0o600), { code: "not_found" });
  const root = { slot: 0, number: 1 };
  const { node } = await mount.mount.symlink(mount.caller, root, Buffer.from("link"), Buffer.from("there"));
  await mount.unlink("/link");
  await t.rejects(async () => mount.mount.link(mount.caller, node, root, Buffer.from("again")), { code: "not_found" });
});

t.test("two files exchanged keep their memories, which swap their paths", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, other } = fixture;
  await mount.mkdir("/d");
  await mount.write("/a", "first");
  await mount.write("/d/b", "second");
  const [first, second] = [idAt(fixture, "/a"), idAt(fixture, "/d/b")];
  const reader = await other();
  await reader.list("/d");
  const open = await mount.open("/a", O_WRONLY);
  await mount.put(open, "FIRST");
  await mount.rename("/a", "/d/b", EXCHANGE);
  t.equal(await reader.read("/a"), "second");
  t.equal(await reader.read("/d/b"), "FIRST", "a rename commits what is open");
  t.equal(idAt(fixture, "/a"), second);
  t.equal(idAt(fixture, "/d/b"), first);
  t.strictSame(await history(fixture, "/d/b"), ["created /a", "modified /a", "modified /d/b"]);
  t.strictSame(await history(fixture, "/a"), ["created /d/b", "modified /a"]);
  await mount.close(open);
});

t.test("directories are exchanged with all that is below them, also with a file", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, store } = fixture;
  await mount.mkdir("/d");
  await mount.mkdir("/d/sub");
  await mount.mkdir("/e");
  await mount.mkdir("/e/deep");
  await mount.write("/d/sub/f", "in d");
  await mount.write("/e/deep/g", "in e");
  await mount.write("/file", "file");
  const ids = [idAt(fixture, "/d/sub/f"), idAt(fixture, "/e/deep/g"), idAt(fixture, "/file")];
  await mount.rename("/d", "/e/deep", EXCHANGE);
  t.equal(await mount.read("/e/deep/sub/f"), "in d");
  t.equal(await mount.read("/d/g"), "in e");
  t.strictSame([idAt(fixture, "/e/deep/sub/f"), idAt(fixture, "/d/g")], ids.slice(0, 2));
  t.equal((await mount.stat("/e")).links, 3);
  await mount.rename("/file", "/e/deep", EXCHANGE);
  t.equal(await mount.read("/e/deep"), "file");
  t.equal(await mount.read("/file/sub/f"), "in d");
  t.equal((await mount.stat("/e")).links, 2);
  t.equal((await mount.stat("/")).links, 5);
  t.equal(idAt(fixture, "/e/deep"), ids[2]);
  t.strictSame(await history(fixture, "/file/sub/f"), [
    "created /d/sub/f",
    "modified /e/deep/sub/f",
    "modified /file/sub/f",
  ]);
  t.equal(store.usage().memories, 3);
});

t.test("what cannot be exchanged is refused, and what need not be is left", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  await mount.mkdir("/d");
  await mount.mkdir("/d/e");
  await mount.write("/f", "content");
  await link(mount, "/f", "/g");
  await t.rejects(mount.rename("/f", "/absent", EXCHANGE), { code: "not_found" });
  await t.rejects(mount.rename("/absent", "/f", EXCHANGE), { code: "not_found" });
  await t.rejects(mount.rename("/d", "/d/e", EXCHANGE), { code: "invalid_argument" });
  await t.rejects(mount.rename("/d/e", "/d", EXCHANGE), { code: "invalid_argument" });
  await t.rejects(mount.rename("/f", "/d", EXCHANGE | 1), { code: "invalid_argument" });
  await t.rejects(mount.rename("/f", "/d", 4), { code: "invalid_argument" });
  await mount.rename("/f", "/g", EXCHANGE);
  t.strictSame(await history(fixture, "/f"), ["created /f"]);
});

t.test("linked files and links that are exchanged stay what they are", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  await mount.write("/a", "a");
  await link(mount, "/a", "/a2");
  await mount.write("/b", "b");
  await link(mount, "/b", "/b2");
  await mount.rename("/a2", "/b2", EXCHANGE);
  t.equal(await mount.read("/a2"), "b");
  t.equal(await mount.read("/b2"), "a");
  t.strictSame(await history(fixture, "/a"), ["created /a"], "their paths did not move");
  await mount.mount.symlink(mount.caller, await mount.node("/"), Buffer.from("link"), Buffer.from("a"));
  await mount.rename("/link", "/a", EXCHANGE);
  t.equal(await mount.read("/link"), "a");
  t.equal(String(await mount.mount.readlink(mount.caller, await mount.node("/a"))), "a");
});

t.test("a file that is still written is linked to where a memory has just moved away", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  await mount.write("/a", "a");
  await mount.rename("/a", "/e");
  const file = await mount.open("/b", O_WRONLY);
  await link(mount, "/b", "/a");
  await mount.put(file, "b");
  await mount.close(file);
  t.strictSame(await history(fixture, "/e"), ["created /a", "modified /e"]);
  t.strictSame(await history(fixture, "/b"), ["created /b"]);
  t.equal(await mount.read(`/.memfs/at/${fixture.store.usage().headSeq}/a`), "b", "looking back");
});
