/** The hidden directory, without a kernel. */
import { deepStrictEqual } from "node:assert/strict";
import t from "tap";
import { MemfsError } from "../../lib/errors.ts";
import type { DirectorySink, Filesystem, NodeRef } from "../../lib/vfs/filesystem.ts";
import { FIRST_VOLATILE_NODE } from "../../lib/vfs/filesystem.ts";
import { parseMoment } from "../../lib/vfs/hidden/moments.ts";
import { FullKv } from "../fixtures/kv-full.ts";
import { liveStores, mountedFixture, O_RDONLY, O_TRUNC, O_WRONLY, TestMount } from "../fixtures/vfs.ts";
import { OPERATOR } from "../fixtures/store.ts";

const ROOT: NodeRef = { slot: 0, number: 1 };
const HIDDEN = Buffer.from(".memfs");

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return "done";
  } catch (error) {
    return error instanceof MemfsError ? error.code : String(error);
  }
}

/** Forgets a node and what led to it, as the kernel does when its memory is short. */
function forget(mount: TestMount, node: NodeRef): void {
  mount.mount.forget(node, 1);
}

t.test("it is found by name in the root, and listed nowhere", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.mkdir("/d");
  t.strictSame(await mount.list("/"), ["d"]);
  t.strictSame(await mount.list("/.memfs"), ["README", "at", "conflicts", "errors", "history", "log", "status"]);
  t.equal(await codeOf(() => mount.node("/d/.memfs")), `Error: ENOENT /d/.memfs`);
  t.ok((await mount.node("/.memfs")).number >= FIRST_VOLATILE_NODE);
  t.match(await mount.read("/.memfs/README"), /history\/PATH/);
});

t.test("sizes are those of the bytes, and one open reads one state", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "one");
  for (const name of ["README", "status", "log", "errors", "history/f/0001-created-scout", "at/2/f"]) {
    const text = await mount.read(`/.memfs/${name}`);
    t.equal((await mount.stat(`/.memfs/${name}`)).size, Buffer.byteLength(text), name);
  }
  const before = await mount.read("/.memfs/log");
  const file = await mount.open("/.memfs/log", O_RDONLY);
  await mount.write("/f", "two");
  const read = async (): Promise<string> => {
    const bytes = await mount.mount.read(mount.caller, file.node, file.opened, 0, 1 << 20);
    return bytes.toString();
  };
  t.equal(await read(), before);
  t.equal((await mount.stat("/.memfs/log")).size, before.length, "and has its size");
  await mount.release(file);
  const after = await mount.read("/.memfs/log");
  t.match(after, /modified {2}\/f@2/);
  t.equal((await mount.stat("/.memfs/log")).size, after.length);
});

t.test("status says which store this is and who writes", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const status = JSON.parse(await (await other({ access: "ro" })).read("/.memfs/status")) as Record<string, unknown>;
  t.strictSame(status, {
    store: "notes",
    memory_store_id: store.info.id,
    access: "ro",
    archived: false,
    agent: "other",
    session_id: "s-2",
    head_sequence: store.usage().headSeq,
    memories: 1,
    live_bytes: 3,
  });
});

t.test("the log has the newest versions first, a line each, also of another mount's", async (t) => {
  const { mount, other } = await mountedFixture(t);
  const second = await other();
  await mount.write("/f", "one");
  await second.write("/f", "longer");
  await second.write("/a\nb", "x");
  await mount.unlink("/f");
  const lines = (await mount.read("/.memfs/log")).trimEnd().split("\n");
  t.equal(lines.length, 4);
  t.match(lines[0], /^2027-01-15T\S+Z {2}#\d+ {2}memver_\w+ {2}deleted {2}\/f@3 {2}scout\/s-1 {2}-6$/);
  t.match(lines[1], /created {2}\/a\\u\{a\}b@1 {2}other\/s-2 {2}\+1$/, "a name cannot make a line");
  t.match(lines[2], /modified {2}\/f@2 {2}other\/s-2 {2}\+3$/);
  t.match(lines[3], /created {2}\/f@1 {2}scout\/s-1 {2}\+3$/);
});

t.test("history has the versions of a path, of what was there before, and of what is gone", async (t) => {
  const { mount, other } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/f", "one");
  await (await other()).write("/d/f", "two");
  t.strictSame(await mount.list("/.memfs/history"), ["d"]);
  t.strictSame(await mount.list("/.memfs/history/d"), ["f"]);
  t.strictSame(await mount.list("/.memfs/history/d/f"), ["0001-created-scout", "0002-modified-other"]);
  t.equal(await mount.read("/.memfs/history/d/f/0001-created-scout"), "one");
  t.equal(
    await codeOf(() => mount.node("/.memfs/history/d/f/0001-created-other")),
    "not_found",
    "the whole name counts",
  );
  await mount.unlink("/d/f");
  await mount.rmdir("/d");
  t.strictSame(await mount.list("/.memfs/history"), []);
  const gone = ["0001-created-scout", "0002-modified-other", "0003-deleted-scout"];
  t.strictSame(await mount.list("/.memfs/history/d/f"), gone, "by name");
  t.equal(await mount.read("/.memfs/history/d/f/0002-modified-other"), "two");
  t.equal(await mount.read("/.memfs/history/d/f/0003-deleted-scout"), "");
  await mount.mkdir("/d");
  await mount.write("/d/f", "new");
  const [now, former] = await mount.list("/.memfs/history/d/f");
  t.equal(now, "0001-created-scout");
  t.match(former, /^mem_/);
  t.equal(await mount.read("/.memfs/history/d/f/0001-created-scout"), "new");
  t.strictSame(await mount.list(`/.memfs/history/d/f/${former}`), gone);
  t.equal(await codeOf(() => mount.node("/.memfs/history/d/g")), "not_found");
});

t.test("an agent's name becomes one that a file can have", async (t) => {
  const { live, store } = await mountedFixture(t);
  const agent = `a/b\n${"ü".repeat(200)}`;
  const mount = await TestMount.open(live, store.info.id, { agent });
  await mount.write("/f", "x");
  const [name = ""] = await mount.list("/.memfs/history/f");
  t.match(name, /^0001-created-a_b_ü+/);
  t.ok(Buffer.byteLength(name) < 130);
});

t.test("the whole store is there as it was, by number, version and time", async (t) => {
  const { mount, store, clock } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/f", "one");
  await mount.mount.symlink(mount.caller, ROOT, Buffer.from("l"), Buffer.from("d/f"));
  const seq = store.usage().headSeq;
  const at = new Date(clock.now() / 1000).toISOString();
  clock.pass(7200);
  await mount.write("/d/f", "two");
  await mount.unlink("/l");
  const [line = ""] = (await mount.read("/.memfs/log")).split("\n");
  const version = /memver_\w+/.exec(line)?.[0] ?? "";
  t.strictSame((await mount.list(`/.memfs/at/${seq}`)).sort(), ["d", "l"]);
  for (const when of [String(seq), `#${seq}`, "1h ago", at.replace("Z", "999Z")])
    t.equal(await mount.read(`/.memfs/at/${when}/d/f`), "one", when);
  t.equal(await mount.read(`/.memfs/at/${version}/d/f`), "two");
  const link = await mount.node(`/.memfs/at/${seq}/l`);
  t.equal(String(await mount.mount.readlink(mount.caller, link)), "d/f");
  t.equal((await mount.stat(`/.memfs/at/${seq}/l`)).mode, 0o120777);
  t.strictSame(await mount.list("/.memfs/at"), [], "moments are too many to list");
  for (const when of ["0", "999", "memver_0111111111111111111111", "2099-01-01T00:00:00Z", "3h ago", "soon", "-1"])
    t.equal(await codeOf(() => mount.node(`/.memfs/at/${when}`)), "not_found", when);
});

t.test("a moment relative to now is another directory when it is another moment", async (t) => {
  const { mount, clock } = await mountedFixture(t);
  await mount.write("/f", "one");
  clock.pass(3600);
  const node = await mount.node("/.memfs/at/30m ago");
  t.equal((await mount.node("/.memfs/at/30m ago")).number, node.number);
  await mount.write("/f", "two");
  clock.pass(3600);
  t.not((await mount.node("/.memfs/at/30m ago")).number, node.number);
  t.equal(await mount.read("/.memfs/at/30m ago/f"), "two");
});

t.test("what the command line takes as a moment is one", async (t) => {
  const now = 1_800_000_000_000_000;
  deepStrictEqual(parseMoment("12", now), { seq: 12 });
  deepStrictEqual(parseMoment("#12", now), { seq: 12 });
  deepStrictEqual(parseMoment("memver_x", now), { version: "memver_x" });
  deepStrictEqual(parseMoment("2h ago", now), { at: now - 7200e6 });
  deepStrictEqual(parseMoment("2026-11-21T09:42:10Z", now), { at: Date.parse("2026-11-21T09:42:10Z") * 1000 });
  for (const text of ["", "x", "1e3", "12x", "2026-02-30T00:00:00Z"]) t.equal(parseMoment(text, now), null, text);
});

t.test("nothing there can be changed, nor its name be taken", async (t) => {
  const { mount, store } = await mountedFixture(t);
  await mount.write("/f", "x");
  const fs: Filesystem = mount.mount;
  const { caller } = mount;
  const [file, hidden, status] = [
    await mount.node("/f"),
    await mount.node("/.memfs"),
    await mount.node("/.memfs/status"),
  ];
  const version = await mount.node("/.memfs/history/f/0001-created-scout");
  const name = Buffer.from("n");
  const [f, root] = [
    { parent: ROOT, name: Buffer.from("f") },
    { parent: ROOT, name: HIDDEN },
  ];
  const before = store.usage().headSeq;
  const refused: Record<string, () => unknown> = {
    "open to write": () => fs.open(caller, status, O_WRONLY),
    "open with O_TRUNC": () => fs.open(caller, version, O_TRUNC),
    setxattr: () => fs.setxattr(caller, status, Buffer.from("user.a"), name, 0),
    removexattr: () => fs.removexattr(caller, status, Buffer.from("user.a")),
    setattr: () => fs.setattr(caller, version, null, { mode: 0o600 }),
    "setattr of the directory": () => fs.setattr(caller, hidden, null, { mtime: "now" }),
    create: () => fs.create(caller, hidden, name, O_WRONLY, 0o644),
    mkdir: () => fs.mkdir(caller, hidden, name, 0o755),
    mknod: () => fs.mknod(caller, hidden, name, 0o100644, 0),
    symlink: () => fs.symlink(caller, hidden, name, name),
    unlink: () => fs.unlink(caller, hidden, Buffer.from("status")),
    rmdir: () => fs.rmdir(caller, hidden, Buffer.from("at")),
    "rename into": () => fs.rename(caller, f, { parent: hidden, name }, 0),
    "rename out": () => fs.rename(caller, { parent: hidden, name: Buffer.from("status") }, { parent: ROOT, name }, 0),
    "link into": () => fs.link(caller, file, hidden, name),
    "link out": () => fs.link(caller, version, ROOT, name),
    write: () => fs.write(caller, status, { fhHigh: 0, fhLow: 1 }, 0, name, { open: O_WRONLY, writeback: false }),
    "create .memfs": () => fs.create(caller, ROOT, HIDDEN, O_WRONLY, 0o644),
    "mkdir .memfs": () => fs.mkdir(caller, ROOT, HIDDEN, 0o755),
    "mknod .memfs": () => fs.mknod(caller, ROOT, HIDDEN, 0o100644, 0),
    "symlink .memfs": () => fs.symlink(caller, ROOT, HIDDEN, name),
    "rmdir .memfs": () => fs.rmdir(caller, ROOT, HIDDEN),
    "unlink .memfs": () => fs.unlink(caller, ROOT, HIDDEN),
    "rename to .memfs": () => fs.rename(caller, f, root, 0),
    "rename .memfs": () => fs.rename(caller, root, { parent: ROOT, name }, 0),
    "link to .memfs": () => fs.link(caller, file, ROOT, HIDDEN),
  };
  for (const [what, action] of Object.entries(refused)) t.equal(await codeOf(action), "read_only", what);
  t.equal(await codeOf(() => fs.getxattr(caller, status, Buffer.from("user.a"))), "no_attribute");
  t.equal((await fs.listxattr(caller, status)).length, 0);
  t.equal(store.usage().headSeq, before);
  await mount.mkdir("/d");
  await mount.mkdir("/d/.memfs");
  t.strictSame(await mount.list("/d"), [".memfs"], "below it is a name like any other");
});

t.test("a node keeps its number while it is referred to, and is gone when it is not", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "x");
  const path = "/.memfs/history/f/0001-created-scout";
  const node = await mount.node(path);
  t.equal((await mount.node(path)).number, node.number);
  const opened = await mount.mount.open(mount.caller, node, O_RDONLY);
  forget(mount, node);
  forget(mount, node);
  t.equal((await mount.mount.getattr(mount.caller, node, null)).size, 1, "it is open");
  const readme = await mount.node("/.memfs/README");
  t.equal(await codeOf(() => mount.mount.read(mount.caller, readme, opened, 0, 1)), "bad_handle", "not of this file");
  const altered = { ...opened, fhHigh: opened.fhHigh ^ 4 };
  t.equal(await codeOf(() => mount.mount.release(mount.caller, node, altered)), "bad_handle", "all 64 bits count");
  await mount.mount.release(mount.caller, node, opened);
  t.equal(await codeOf(() => mount.mount.getattr(mount.caller, node, null)), "stale");
  t.equal(await codeOf(() => mount.mount.read(mount.caller, node, opened, 0, 1)), "bad_handle");
  t.equal((await mount.node(path)).number, node.number, "the same inode when it is looked up again");
});

t.test("a listing goes on where it stopped, and its inode numbers are those of the nodes", async (t) => {
  const { mount } = await mountedFixture(t);
  for (let n = 0; n < 300; n++) await mount.append("/f", "x");
  const directory = await mount.node("/.memfs/history/f");
  const handle = await mount.mount.opendir(mount.caller, directory);
  const seen: { name: string; number: number }[] = [];
  let last = 0;
  for (let more = true; more;) {
    let room = 7;
    const sink: DirectorySink = {
      plus: true,
      add: (name, cookie, { number }, _mode, attributes) => {
        if (room-- === 0) return false;
        if (attributes !== null) throw new Error("a name only");
        seen.push({ name: name.toString(), number });
        last = cookie;
        return true;
      },
    };
    await mount.mount.readdir(mount.caller, directory, handle, last, sink);
    more = room < 7;
  }
  await mount.mount.releasedir(mount.caller, directory, handle);
  t.strictSame(seen.map(({ name }) => name).slice(0, 3), [".", "..", "0001-created-scout"]);
  t.equal(seen.length, 302);
  t.equal(new Set(seen.map(({ name }) => name)).size, 302);
  const { name, number } = seen[200] ?? { name: "", number: 0 };
  t.equal((await mount.node(`/.memfs/history/f/${name}`)).number, number);
});

t.test("refusals are in errors with their reason, everyday ones are not", async (t) => {
  const { mount, other, catalogue, store } = await mountedFixture(t);
  await mount.write("/f", "x");
  await catalogue.setPolicy(store.info.id, { maxMemoryBytes: 4 }, OPERATOR);
  const parent = ROOT;
  const fail = async (mounted: TestMount, operation: string, name: string | null, action: () => unknown) => {
    try {
      await action();
    } catch (error) {
      const node = name === null ? await mounted.node("/f") : parent;
      mounted.mount.failed(node, error, () => ({ operation, name: name === null ? null : Buffer.from(name) }));
    }
  };
  t.equal(await mount.read("/.memfs/errors"), "");
  for (let count = 0; count < 3; count++) await fail(mount, "write", null, () => mount.write("/f", "too long"));
  await fail(mount, "unlink", "none", () => mount.unlink("/none"));
  const lines = (await mount.read("/.memfs/errors")).trimEnd().split("\n");
  t.equal(lines.length, 1);
  t.match(JSON.parse(lines[0] ?? ""), {
    operation: "write",
    path: "/f",
    errno: "EFBIG",
    code: "file_too_big",
    reason: /at most 4 bytes/,
    times: 3,
  });
  const reader = await other({ access: "ro" });
  await fail(reader, "mkdir", "d", () => reader.mkdir("/d"));
  t.match(JSON.parse(await reader.read("/.memfs/errors")), { path: "/d", errno: "EROFS", times: 1 });
  for (let count = 0; count < 300; count++) await fail(reader, "mkdir", `${count}`, () => reader.mkdir(`/${count}`));
  const kept = (await reader.read("/.memfs/errors")).trimEnd().split("\n");
  t.equal(kept.length, 200, "the newest");
  t.match(kept[0], /"\/299"/);
});

t.test("a change that could not be stored when another mount asked for it is in errors", async (t) => {
  const kv = new FullKv();
  const { mount, other } = await mountedFixture(t, kv);
  const second = await other();
  await mount.write("/f", "one");
  const file = await mount.open("/f", O_WRONLY);
  await mount.put(file, "two");
  mount.caller = { ...mount.caller, pid: 1 };
  await mount.flush(file);
  kv.full = true;
  t.equal(await second.read("/f"), "one", "the draft of the first mount waits, and cannot be committed");
  const [line = ""] = (await mount.read("/.memfs/errors")).split("\n");
  t.match(JSON.parse(line), { operation: "commit", path: "/f", errno: "ENOSPC", reason: "no space left" });
  t.equal(await second.read("/.memfs/errors"), "", "it is the first mount's");
  kv.full = false;
  await mount.release(file);
  t.equal(await second.read("/f"), "two");
});

t.test("each store of a mount has its own", async (t) => {
  const { catalogue, store, clock } = await mountedFixture(t);
  const second = await catalogue.create({ name: "second" }, OPERATOR);
  const mount = await TestMount.openAll(liveStores({ catalogue, clock }), [
    { id: store.info.id, access: "rw", directory: "one" },
    { id: second.id, access: "ro", directory: "two" },
  ]);
  await mount.write("/one/f", "x");
  t.match(await mount.read("/one/.memfs/log"), /created {2}\/f@1/);
  t.equal(await mount.read("/two/.memfs/log"), "");
  t.match(await mount.read("/two/.memfs/status"), /"access": "ro"/);
  t.equal(await mount.find("/.memfs"), null, "the directory of stores has none");
  const [one, two] = [await mount.node("/one/.memfs/status"), await mount.node("/two/.memfs/status")];
  t.equal(one.number, two.number);
  t.not(one.slot, two.slot);
});
