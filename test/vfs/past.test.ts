/** A store mounted as it was, without a kernel. */
import { deepStrictEqual } from "node:assert/strict";
import t from "tap";
import { type Attributes, type DirectorySink, FIRST_VOLATILE_NODE, type NodeRef } from "../../lib/vfs/filesystem.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { mountedFixture, O_RDONLY, O_TRUNC, O_WRONLY, TestMount } from "../fixtures/vfs.ts";

const ROOT: NodeRef = { slot: 0, number: 1 };
const name = (text: string): Buffer => Buffer.from(text);

interface Seen extends Pick<Attributes, "mode" | "size" | "mtime" | "mtimeNsec"> {
  readonly number: number;
  readonly content: string;
}

/** Everything below a directory: path → what is there. A directory's own times follow its names, which is not kept. */
async function tree(mount: TestMount, path = ""): Promise<Record<string, Seen>> {
  const found: Record<string, Seen> = {};
  for (const child of await mount.list(path)) {
    const at = `${path}/${child}`;
    const { mode, size, mtime, mtimeNsec } = await mount.stat(at);
    const { number } = await mount.node(at);
    const directory = (mode & 0o170000) === 0o040000;
    const link = (mode & 0o170000) === 0o120000;
    const content = directory ? "" : link ? await target(mount, at) : await mount.read(at);
    found[at] = { mode, size, number, content, mtime: directory ? 0 : mtime, mtimeNsec: directory ? 0 : mtimeNsec };
    if (directory) Object.assign(found, await tree(mount, at));
  }
  return found;
}

async function target(mount: TestMount, path: string): Promise<string> {
  const bytes = await mount.mount.readlink(mount.caller, await mount.node(path));
  return bytes.toString();
}

t.test("random changes leave every mounted moment as it was, with the numbers of its nodes", async (t) => {
  const random = randomFrom(testSeed(t));
  const { mount, other, store, clock } = await mountedFixture(t);
  const pick = (): string => `/${["a", "b", "d/a", "d/b", "e/a"][Math.floor(random() * 5)] ?? ""}`;
  const moments: { past: TestMount; expected: Record<string, Seen> }[] = [];
  await mount.mkdir("/d");
  await mount.mkdir("/e");
  await mount.mount.symlink(mount.caller, ROOT, name("link"), name("d/a"));
  for (let round = 0; round < 25; round++) {
    for (let step = 0; step < 4; step++) {
      const [path, to, dice] = [pick(), pick(), random()];
      // Later than any step of a save: each change is one of its own.
      clock.pass(120);
      try {
        if (dice < 0.5) await mount.write(path, `${round}.${step}`);
        else if (dice < 0.7) await mount.unlink(path);
        else if (dice < 0.9) await mount.rename(path, to);
        else await mount.mount.setattr(mount.caller, await mount.node(path), null, { mode: 0o600 });
      } catch (error) {
        if (!/ENOENT|no such file/.test(String(error))) throw error;
      }
    }
    clock.pass(120);
    store.settling.recordAll();
    const seq = store.usage().headSeq;
    moments.push({ past: await other({ at: seq }), expected: await tree(mount) });
  }
  for (const { past, expected } of moments) deepStrictEqual(await tree(past), expected);
  await mount.rename("/d", "/moved");
  for (const { past, expected } of moments) deepStrictEqual(await tree(past), expected, "a second look");
});

t.test("the kernel may keep everything: names, attributes, pages, listings", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/f", "one");
  const past = await other({ at: store.usage().headSeq });
  const file = await past.open("/d/f", O_RDONLY);
  t.match(file.opened, { keepCache: true, directIo: false, noFlush: true });
  t.ok(file.node.number < FIRST_VOLATILE_NODE);
  const directory = await past.mount.opendir(past.caller, await past.node("/d"));
  t.match(directory, { keepCache: true, directIo: false });
  await mount.write("/d/f", "two");
  await mount.unlink("/d/f");
  t.equal((await past.bytes(file, 0, 10)).toString(), "one", "an open file");
  await past.release(file);
  t.equal(await past.read("/d/f"), "one");
  t.strictSame(past.invalidator.calls, []);
  t.equal(await past.find("/d/none"), null, "an absent name may be remembered");
});

t.test("listings give nodes with READDIRPLUS, go on where they stopped, and count their lookups", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.mkdir("/d");
  for (let number = 0; number < 40; number++) await mount.write(`/d/f${number}`, "x".repeat(number));
  await mount.unlink("/d/f7");
  store.settling.recordAll();
  const past = await other({ at: store.usage().headSeq });
  const node = await past.node("/d");
  const handle = await past.mount.opendir(past.caller, node);
  const sizes = new Map<string, number | undefined>();
  const nodes: NodeRef[] = [];
  for (let cookie = 0, before = -1; sizes.size !== before;) {
    before = sizes.size;
    let room = 3;
    const sink: DirectorySink = {
      plus: true,
      add: (entry, next, ref, _mode, attributes) => {
        if (room === 0) return false;
        room -= 1;
        cookie = next;
        sizes.set(entry.toString(), attributes?.size);
        if (attributes !== null) nodes.push(ref);
        return true;
      },
    };
    await past.mount.readdir(past.caller, node, handle, cookie, sink);
  }
  t.equal(sizes.size, 41);
  for (let number = 0; number < 40; number++)
    t.equal(sizes.get(`f${number}`), number === 7 ? undefined : number, `f${number}`);
  t.equal(nodes.length, 39);
  for (const ref of nodes) {
    await past.mount.getattr(past.caller, ref, null);
    past.mount.forget(ref, 1);
    await t.rejects(async () => past.mount.getattr(past.caller, ref, null), { code: "stale" });
  }
});

t.test("every change is refused, and nothing is journalled", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/f", "one");
  const before = store.usage();
  const past = await other({ at: before.headSeq });
  const f = await past.node("/f");
  const attempts: Record<string, () => unknown> = {
    open: () => past.open("/f", O_WRONLY),
    truncate: () => past.open("/f", O_RDONLY | O_TRUNC),
    create: () => past.open("/new", O_WRONLY),
    mkdir: () => past.mkdir("/e"),
    mknod: () => past.mount.mknod(past.caller, ROOT, name("p"), 0o010644, 0),
    symlink: () => past.mount.symlink(past.caller, ROOT, name("l"), name("f")),
    unlink: () => past.unlink("/f"),
    rmdir: () => past.rmdir("/d"),
    rename: () => past.rename("/f", "/g"),
    link: () => past.mount.link(past.caller, f, ROOT, name("h")),
    tmpfile: () => past.mount.tmpfile(past.caller, ROOT, O_WRONLY, 0o600),
    size: () => past.mount.setattr(past.caller, f, null, { size: 0 }),
    mode: () => past.mount.setattr(past.caller, f, null, { mode: 0o600 }),
    times: () => past.mount.setattr(past.caller, f, null, { mtime: "now" }),
    setxattr: () => past.mount.setxattr(past.caller, f, name("user.a"), name("b"), 0),
    removexattr: () => past.mount.removexattr(past.caller, f, name("user.a")),
  };
  for (const [call, attempt] of Object.entries(attempts)) {
    await t.rejects(async () => attempt(), { code: "read_only" }, call);
  }
  const file = await past.open("/f", O_RDONLY);
  await t.rejects(async () => past.put(file, "x"), { code: "read_only" });
  await t.rejects(async () => past.allocate(file, 0, [0, 10]), { code: "read_only" });
  await past.close(file);
  t.strictSame(store.usage(), before);
});

t.test("attributes tell which version a file is, and the root which moment", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const live = await mount.open("/f", O_WRONLY);
  await mount.mount.setxattr(mount.caller, live.node, name("user.memfs.note"), name("a beginning"), 0);
  await mount.put(live, "one");
  await mount.close(live);
  const [version] = (await store.history.list({ limit: 1 })).items;
  const seq = store.usage().headSeq;
  await (await other()).write("/f", "two");
  const past = await other({ at: seq });
  const f = await past.node("/f");
  const get = async (attribute: string): Promise<string> =>
    (await past.mount.getxattr(past.caller, f, name(`user.memfs.${attribute}`))).toString();
  t.strictSame(
    [await get("id"), await get("version"), await get("sha256"), await get("agent"), await get("note")],
    [version?.memoryId, version?.id, version?.sha256, "scout", "a beginning"],
  );
  const names = (await past.mount.listxattr(past.caller, f)).toString();
  t.equal(names, ["id", "version", "sha256", "agent", "session", "note"].map((one) => `user.memfs.${one}\0`).join(""));
  t.equal((await past.mount.getxattr(past.caller, ROOT, name("user.memfs.seq"))).toString(), String(seq));
  t.equal((await past.mount.listxattr(past.caller, ROOT)).toString(), "user.memfs.seq\0");
  await t.rejects(async () => past.mount.getxattr(past.caller, f, name("user.other")), { code: "no_attribute" });
  await t.rejects(async () => past.mount.getxattr(past.caller, f, name("trusted.x")), { code: "not_supported" });
});

t.test("stores of now and of several moments stand side by side", async (t) => {
  const { mount, live, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const first = store.usage().headSeq;
  await mount.write("/f", "two");
  const second = store.usage().headSeq;
  await mount.write("/f", "three");
  const { id } = store.info;
  const all = await TestMount.openAll(live, [
    { id, access: "rw", directory: "notes" },
    { id, access: "ro", directory: `notes@${first}`, at: first },
    { id, access: "ro", directory: `notes@${second}`, at: second },
  ]);
  t.strictSame(await all.list("/"), ["notes", `notes@${first}`, `notes@${second}`]);
  t.equal(await all.read("/notes/f"), "three");
  t.equal(await all.read(`/notes@${first}/f`), "one");
  t.equal(await all.read(`/notes@${second}/f`), "two");
  await all.write("/notes/f", "four");
  t.equal(await all.read(`/notes@${second}/f`), "two");
  await t.rejects(all.write(`/notes@${first}/f`, "x"), { code: "read_only" });
  await t.rejects(all.rename(`/notes@${first}/f`, "/notes/g"), { code: "read_only" });
  await t.rejects(all.rename("/notes/f", `/notes@${first}/f`), { code: "read_only" });
  t.match(await all.mount.statfs(all.caller, await all.node(`/notes@${first}`)), { blocks: 0, nameMax: 255 });
});

t.test("programs that lock files of the past exclude each other, and nobody in the present", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const past = await other({ at: store.usage().headSeq });
  const lock = (fs: TestMount, file: Awaited<ReturnType<TestMount["open"]>>, owner: number): unknown => {
    const request = { type: "write", start: 0n, end: 9n, pid: 5, flock: false, wait: false } as const;
    return fs.mount.setlock(fs.caller, file.node, file.opened, {
      ...request,
      owner: { ownerHigh: 0, ownerLow: owner },
    });
  };
  const [one, two] = [await past.open("/f", O_RDONLY), await past.open("/f", O_RDONLY)];
  await lock(past, one, 1);
  t.throws(() => lock(past, two, 2), { code: "would_block" });
  const live = await mount.open("/f", O_RDONLY);
  await lock(mount, live, 3);
  await past.close(one);
  await lock(past, two, 2);
  await past.close(two);
  await mount.close(live);
});

t.test("requests that no kernel makes are refused", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/f", "one");
  const past = await other({ at: store.usage().headSeq });
  const { mount: fs, caller } = past;
  const [f, d] = [await past.open("/f", O_RDONLY), await past.node("/d")];
  const opened = await fs.opendir(caller, d);
  const volatile = { slot: 0, number: FIRST_VOLATILE_NODE };
  await t.rejects(async () => fs.read(caller, d, f.opened, 0, 10), { code: "bad_handle" });
  await t.rejects(async () => fs.read(caller, f.node, opened, 0, 10), { code: "bad_handle" });
  await t.rejects(async () => fs.open(caller, d, O_RDONLY), { code: "is_directory" });
  await t.rejects(async () => fs.opendir(caller, f.node), { code: "not_directory" });
  await t.rejects(async () => fs.readlink(caller, f.node), { code: "invalid_argument" });
  await t.rejects(async () => fs.getattr(caller, { slot: 0, number: 4711 }, null), { code: "stale" });
  await t.rejects(async () => fs.lookup(caller, { slot: 0, number: 4711 }, name("f")), { code: "stale" });
  await t.rejects(async () => fs.lookup(caller, ROOT, name("n".repeat(256))), { code: "name_too_long" });
  await t.rejects(async () => fs.getattr(caller, volatile, null), { code: "stale" });
  await t.rejects(async () => fs.lseek(caller, f.node, f.opened, 3, 3), { code: "no_such_offset" });
  t.equal(await fs.lseek(caller, f.node, f.opened, 1, 3), 1);
  t.equal(await fs.lseek(caller, f.node, f.opened, 1, 4), 3, "one hole: the end");
  t.equal(await past.find("/.memfs"), null);
  await t.rejects(other({ at: 10_000 }), { code: "not_found" });
  await past.release(f);
  await fs.releasedir(caller, d, opened);
});
