/** Requests that a kernel makes rarely or never: refused or served, never half done. Fuzzing found each of them. */
import t from "tap";
import type { AttributeChanges, NodeRef } from "../../lib/vfs/filesystem.ts";
import { mountedFixture, O_APPEND, O_RDONLY, O_WRONLY, type TestMount } from "../fixtures/vfs.ts";

const ROOT: NodeRef = { slot: 0, number: 1 };
const GONE: NodeRef = { slot: 0, number: 4711 };
const name = (text: string): Buffer => Buffer.from(text);
const BAD_HANDLE = { code: "bad_handle" };
const STALE = { code: "stale" };

async function set({ mount, caller }: TestMount, node: NodeRef, changes: AttributeChanges): Promise<unknown> {
  return mount.setattr(caller, node, null, changes);
}

t.test("a time outside the years 0 to 9999 becomes the nearest in them, and can be read again", async (t) => {
  const { mount, reopen } = await mountedFixture(t);
  await mount.write("/f", "x");
  const node = await mount.node("/f");
  await set(mount, node, { mtime: { sec: 2 ** 62, nsec: 5 }, atime: { sec: -(2 ** 62), nsec: 5 } });
  const clamped = { mtime: 253_402_300_799, mtimeNsec: 0, atime: -62_167_219_200, atimeNsec: 0 };
  t.match(await mount.stat("/f"), clamped);
  await set(mount, ROOT, { mtime: { sec: 2 ** 62, nsec: 0 } });
  await mount.write("/g", "a directory's time grows with its names");
  const { store } = await reopen();
  t.equal(store.node(node.number)?.mtime.sec, clamped.mtime);
});

t.test("a file created by an open for reading has its version when that is closed", async (t) => {
  const { mount, store } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  const { entry, opened } = await fs.create(caller, ROOT, name("f"), O_RDONLY, 0o644);
  await fs.release(caller, entry.node, opened);
  t.match((await store.history.list({ path: name("/f"), limit: 5 })).items, [{ operation: "created", size: 0 }]);
});

t.test("what is no regular file has no size to set and is not opened", async (t) => {
  const { mount, store } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  const fifo = (await fs.mknod(caller, ROOT, name("p"), 0o010644, 0)).node;
  const usage = store.usage();
  await t.rejects(set(mount, ROOT, { size: 5 }), { code: "is_directory" });
  await t.rejects(set(mount, fifo, { size: 5 }), { code: "invalid_argument" });
  await t.rejects(async () => fs.open(caller, fifo, O_WRONLY), { code: "invalid_argument" });
  t.strictSame(store.usage(), usage);
});

t.test("a handle serves its own file only, and writes only if it was opened for that", async (t) => {
  const { mount } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  await mount.write("/f", "f");
  await mount.write("/g", "g");
  const [f, g] = [await mount.open("/f", O_WRONLY | O_APPEND), await mount.open("/g", O_RDONLY)];
  const write = (node: NodeRef, handle: typeof f.opened): unknown =>
    fs.write(caller, node, handle, 0, name("x"), { open: O_WRONLY, writeback: false });
  await t.rejects(async () => write(g.node, f.opened), BAD_HANDLE);
  await t.rejects(async () => write(g.node, g.opened), BAD_HANDLE, "open for reading");
  await t.rejects(async () => fs.flush(caller, g.node, f.opened, mount.owner), BAD_HANDLE);
  await t.rejects(async () => fs.fsync(caller, g.node, f.opened, false), BAD_HANDLE);
  await t.rejects(async () => fs.release(caller, g.node, f.opened), BAD_HANDLE);
  await t.rejects(async () => fs.setattr(caller, g.node, f.opened, { size: 0 }), BAD_HANDLE);
  await mount.close(f);
  await mount.release(g);
  t.strictSame([await mount.read("/f"), await mount.read("/g")], ["f", "g"]);
});

t.test("in the hidden directory too a handle of a file is none of a directory, and stays open", async (t) => {
  const { mount } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  const directory = await mount.node("/.memfs");
  const listing = await fs.opendir(caller, directory);
  await t.rejects(async () => fs.release(caller, directory, listing), BAD_HANDLE);
  await fs.releasedir(caller, directory, listing);
  const status = await mount.open("/.memfs/status", O_RDONLY);
  await t.rejects(async () => fs.releasedir(caller, status.node, status.opened), BAD_HANDLE);
  t.match((await mount.bytes(status, 0, 4096)).toString(), /"store"/);
  await mount.release(status);
});

t.test("a truncation through a handle that cannot write is committed at once", async (t) => {
  const { mount, store } = await mountedFixture(t);
  await mount.write("/f", "content");
  const file = await mount.open("/f", O_RDONLY);
  await mount.mount.setattr(mount.caller, file.node, file.opened, { size: 3 });
  t.equal(store.node(file.node.number)?.size, 3);
  await mount.release(file);
});

t.test("a change of a node that is gone is refused as stale, not as damage", async (t) => {
  const { mount } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  await mount.write("/f", "f");
  const at = (parent: NodeRef): { parent: NodeRef; name: Buffer } => ({ parent, name: name("f") });
  await t.rejects(async () => fs.mkdir(caller, GONE, name("d"), 0o755), STALE);
  await t.rejects(async () => fs.create(caller, GONE, name("d"), O_WRONLY, 0o755), STALE);
  await t.rejects(async () => fs.unlink(caller, GONE, name("d")), STALE);
  await t.rejects(async () => fs.link(caller, GONE, ROOT, name("d")), STALE);
  await t.rejects(async () => fs.rename(caller, at(ROOT), at(GONE), 0), STALE);
  await t.rejects(set(mount, GONE, { mode: 0o600 }), STALE);
});

t.test("a symbolic link needs a target, and a node a type there is", async (t) => {
  const { mount } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  await t.rejects(async () => fs.symlink(caller, ROOT, name("l"), name("")), { code: "not_found" });
  await t.rejects(async () => fs.symlink(caller, ROOT, name("l"), name("x".repeat(4096))), { code: "name_too_long" });
  for (const mode of [0o644, 0o170000, 0o030644]) {
    await t.rejects(async () => fs.mknod(caller, ROOT, name("n"), mode, 0), { code: "invalid_argument" });
  }
  t.strictSame(await mount.list("/"), []);
});

t.test("a hard link renamed over another file goes on as the memory it was", async (t) => {
  const { mount, store } = await mountedFixture(t);
  await mount.write("/first", "one");
  await mount.write("/other", "two");
  const { id } = store.memoryAt(name("/first"));
  const other = store.memoryAt(name("/other")).id;
  await mount.mount.link(mount.caller, await mount.node("/first"), ROOT, name("second"));
  await mount.rename("/second", "/other");
  t.match(store.memoryAt(name("/other")), { id, path: name("/first") });
  t.throws(() => store.memory(other), { code: "not_found" });
  t.equal(await mount.read("/other"), "one");
  await mount.rename("/first", "/moved");
  t.equal(store.memory(id).path.toString(), "/moved");
});
