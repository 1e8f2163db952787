/** Extended attributes: what is stored, what is shown of a memory, limits, and the note of the next version. */
import t from "tap";
import { decodeJournalEntry } from "../../lib/store/journal.ts";
import { stored } from "../fixtures/store.ts";
import { mountedFixture, O_WRONLY, type TestMount } from "../fixtures/vfs.ts";

const CREATE = 1;
const REPLACE = 2;

async function set(mount: TestMount, path: string, name: string, value: string | Buffer, flags = 0): Promise<void> {
  await mount.mount.setxattr(mount.caller, await mount.node(path), Buffer.from(name), Buffer.from(value), flags);
}

async function get(mount: TestMount, path: string, name: string): Promise<string> {
  return (await mount.mount.getxattr(mount.caller, await mount.node(path), Buffer.from(name))).toString();
}

async function remove(mount: TestMount, path: string, name: string): Promise<void> {
  await mount.mount.removexattr(mount.caller, await mount.node(path), Buffer.from(name));
}

async function list(mount: TestMount, path: string): Promise<string[]> {
  const bytes = await mount.mount.listxattr(mount.caller, await mount.node(path));
  return bytes.toString().split("\0").slice(0, -1);
}

const SHOWN = ["agent", "id", "session", "sha256", "version"].map((name) => `user.memfs.${name}`);

t.test("attributes are stored, seen by every mount, and there after the store is opened again", async (t) => {
  const { mount, other, store, kv, reopen } = await mountedFixture(t);
  await mount.write("/f", "content");
  await mount.mkdir("/d");
  const before = await mount.stat("/f");
  const reader = await other({ access: "ro" });
  reader.invalidator.calls.length = 0;
  await reader.stat("/f");
  const { headSeq, versions } = store.usage();
  await set(mount, "/f", "user.x", Buffer.from([0, 255, 10]));
  await set(mount, "/f", "user.empty", "");
  await set(mount, "/d", "user.d", "directory");
  const { number } = await mount.node("/f");
  t.ok(reader.invalidator.calls.includes(`attributes ${number}`), "another kernel drops the ctime it knows");
  const value = await reader.mount.getxattr(reader.caller, await reader.node("/f"), Buffer.from("user.x"));
  t.strictSame(value, Buffer.from([0, 255, 10]));
  t.equal(await get(reader, "/f", "user.empty"), "");
  t.equal(await get(reader, "/d", "user.d"), "directory");
  t.strictSame((await list(reader, "/f")).sort(), ["user.empty", ...SHOWN, "user.x"]);
  t.strictSame(await list(reader, "/d"), ["user.d"]);
  const after = await mount.stat("/f");
  t.ok(after.ctime > before.ctime || after.ctimeNsec > before.ctimeNsec, "ctime moves");
  t.strictSame([after.mtime, after.mtimeNsec], [before.mtime, before.mtimeNsec]);
  t.equal(store.usage().versions, versions, "no version");
  const added = (await stored(kv, "j")).slice(headSeq).map(({ value: bytes }) => decodeJournalEntry(bytes));
  t.match(
    added.map(({ kind, erasable }) => ({ kind, path: erasable?.path, detail: erasable?.detail })),
    [
      { kind: "node.changed", path: "/f", detail: { xattr: "user.x", size: 3 } },
      { kind: "node.changed", path: "/f", detail: { xattr: "user.empty", size: 0 } },
      { kind: "node.changed", path: "/d", detail: { xattr: "user.d", size: 9 } },
    ],
  );
  await mount.rename("/f", "/d/g");
  t.equal(await get(mount, "/d/g", "user.empty"), "", "they go with the file");
  const again = (await reopen()).store;
  t.equal(again.node(number)?.xattrs.get("user.x"), "\0\xff\n");
});

t.test("a new attribute may have to be new, and one to replace has to be there", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "content");
  await t.rejects(set(mount, "/f", "user.x", "1", REPLACE), { code: "no_attribute" });
  await set(mount, "/f", "user.x", "1", CREATE);
  await t.rejects(set(mount, "/f", "user.x", "2", CREATE), { code: "exists" });
  await set(mount, "/f", "user.x", "3", REPLACE);
  t.equal(await get(mount, "/f", "user.x"), "3");
  await remove(mount, "/f", "user.x");
  await t.rejects(remove(mount, "/f", "user.x"), { code: "no_attribute" });
  await t.rejects(get(mount, "/f", "user.x"), { code: "no_attribute" });
});

t.test("only user attributes of files and directories exist", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "content");
  const root = await mount.node("/");
  await mount.mount.symlink(mount.caller, root, Buffer.from("link"), Buffer.from("f"));
  await mount.mount.mknod(mount.caller, root, Buffer.from("fifo"), 0o010644, 0);
  for (const name of ["system.posix_acl_access", "security.selinux", "trusted.x", "plain"]) {
    await t.rejects(get(mount, "/f", name), { code: "not_supported" }, name);
    await t.rejects(set(mount, "/f", name, "x"), { code: "not_supported" }, name);
    await t.rejects(remove(mount, "/f", name), { code: "not_supported" }, name);
  }
  await t.rejects(get(mount, "/f", "security.capability"), { code: "no_attribute" });
  for (const path of ["/link", "/fifo"]) {
    await t.rejects(set(mount, path, "user.x", "x"), { code: "not_permitted" }, path);
    t.strictSame(await list(mount, path), []);
  }
});

t.test("names, values and all of them together are bounded", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "content");
  const longest = `user.${"n".repeat(250)}`;
  await set(mount, "/f", longest, "x".repeat(65_536));
  t.equal((await get(mount, "/f", longest)).length, 65_536);
  await t.rejects(set(mount, "/f", `${longest}n`, "x"), { code: "invalid_argument" });
  await t.rejects(set(mount, "/f", "user.big", "x".repeat(65_537)), { code: "no_space" });
  await t.rejects(set(mount, "/f", "user.big", "x".repeat(65_536)), { code: "no_space" }, "together over 128 KiB");
  await set(mount, "/f", "user.small", "x".repeat(60_000));
  await set(mount, "/f", longest, "shorter", REPLACE);
  await set(mount, "/f", "user.big", "x".repeat(65_536));
  await mount.write("/many", "content");
  let count = 0;
  await t.rejects(
    async () => {
      for (; count < 1000; count++) await set(mount, "/many", `user.${String(count).padEnd(200, "n")}`, "");
    },
    { code: "no_space" },
    "a list of names over 64 KiB could not be read",
  );
  t.equal((await list(mount, "/many")).length, count + SHOWN.length);
});

t.test("the memory and its head version are shown as attributes that tools may copy without effect", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const writer = await other();
  await writer.write("/f", "two");
  const memory = store.memoryAt(Buffer.from("/f"));
  const shown = async (): Promise<string[]> => Promise.all(SHOWN.map((name) => get(mount, "/f", name)));
  const expected = ["other", memory.id, "s-2", memory.sha256, memory.headId];
  t.strictSame(await shown(), expected);
  for (const name of SHOWN) {
    await set(mount, "/f", name, "from somewhere else");
    await set(mount, "/f", name, "from somewhere else", CREATE);
    await remove(mount, "/f", name);
  }
  t.strictSame(await shown(), expected);
  await set(mount, "/f", "user.memfs.unknown", "x");
  await t.rejects(get(mount, "/f", "user.memfs.unknown"), { code: "no_attribute" });
  const unsaved = await mount.open("/new", O_WRONLY);
  t.strictSame(await list(mount, "/new"), [], "a file without a version is no memory yet");
  await mount.close(unsaved);
  t.strictSame((await list(mount, "/new")).sort(), SHOWN);
  await t.rejects(get(mount, "/", "user.memfs.id"), { code: "no_attribute" });
});

t.test("what was closed in another mount is in the attributes that are shown", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const reader = await other();
  await reader.stat("/f");
  const file = await mount.open("/f", O_WRONLY);
  await mount.put(file, "two");
  mount.caller = { uid: 0, gid: 0, pid: process.ppid, uniqueHigh: 0, uniqueLow: 0 };
  await mount.flush(file);
  const before = store.memoryAt(Buffer.from("/f")).headId;
  const shown = await get(reader, "/f", "user.memfs.version");
  t.not(shown, before);
  t.equal(shown, store.memoryAt(Buffer.from("/f")).headId);
  await mount.release(file);
});

t.test("a note goes with the next version that the mount makes of the file, once", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const notes = async (path: string): Promise<(string | null)[]> =>
    (await store.history.list({ path: Buffer.from(path), limit: 100 })).items.map(({ note }) => note).reverse();
  await t.rejects(get(mount, "/f", "user.memfs.note"), { code: "no_attribute" });
  await set(mount, "/f", "user.memfs.note", "why: größer");
  t.equal(await get(mount, "/f", "user.memfs.note"), "why: größer");
  t.ok((await list(mount, "/f")).includes("user.memfs.note"));
  const writer = await other();
  await writer.write("/f", "two");
  await mount.write("/f", "two");
  t.strictSame(await notes("/f"), [null, null], "neither another mount's version nor one that does not come to be");
  await mount.write("/f", "three");
  await mount.write("/f", "four");
  t.strictSame(await notes("/f"), [null, null, "why: größer", null]);

  await set(mount, "/f", "user.memfs.note", "saved by renaming");
  await mount.write("/f.tmp", "five");
  await mount.rename("/f.tmp", "/f");
  t.strictSame((await notes("/f")).slice(4), ["saved by renaming"]);
  await mount.write("/f.tmp", "");
  await set(mount, "/f.tmp", "user.memfs.note", "on the new file");
  await mount.write("/f.tmp", "six");
  await set(mount, "/f.tmp", "user.memfs.note", "on the new file");
  await mount.rename("/f.tmp", "/f");
  t.strictSame((await notes("/f")).slice(5), ["on the new file"]);
  await mount.write("/f", "seven");
  t.strictSame((await notes("/f")).slice(6), [null]);

  await set(mount, "/f", "user.memfs.note", "taken back");
  await remove(mount, "/f", "user.memfs.note");
  await t.rejects(remove(mount, "/f", "user.memfs.note"), { code: "no_attribute" });
  await t.rejects(set(mount, "/f", "user.memfs.note", "x", REPLACE), { code: "no_attribute" });
  await t.rejects(set(mount, "/f", "user.memfs.note", "x".repeat(4097)), { code: "no_space" });
  await t.rejects(set(mount, "/f", "user.memfs.note", Buffer.from([255])), { code: "invalid_argument" });
  await t.rejects(set(mount, "/", "user.memfs.note", "x"), { code: "not_permitted" });
});
