/** Who may change what, and what is said about it: the read-only door, refusals in the journal, evidence, suid. */
import t from "tap";
import { decodeJournalEntry, type JournalEntry } from "../../lib/store/journal.ts";
import type { Kv } from "../../lib/kv/kv.ts";
import type { VersionInfo } from "../../lib/store/types.ts";
import type { NodeRef } from "../../lib/vfs/filesystem.ts";
import { OPERATOR, stored } from "../fixtures/store.ts";
import type { TestMount } from "../fixtures/vfs.ts";
import { mountedFixture, type MountedFixture, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../fixtures/vfs.ts";

async function journal(kv: Kv): Promise<JournalEntry[]> {
  return (await stored(kv, "j")).map(({ value }) => decodeJournalEntry(value));
}

/** Every call that would change something, on a store with the file `/f` and the directories `/d` and `/e`. */
async function everyChange(mount: TestMount): Promise<Record<string, () => unknown>> {
  const { mount: fs, caller } = mount;
  const [root, file, directory] = [await mount.node("/"), await mount.node("/f"), await mount.node("/d")];
  const handle = await fs.open(caller, file, O_RDONLY);
  const name = (text: string): Buffer => Buffer.from(text);
  const at = (parent: NodeRef, text: string): { parent: NodeRef; name: Buffer } => ({ parent, name: name(text) });
  const writing = { open: O_WRONLY, writeback: false };
  return {
    "open for writing": () => fs.open(caller, file, O_WRONLY),
    "open for both": () => fs.open(caller, file, O_RDWR),
    "open truncating": () => fs.open(caller, file, O_RDONLY | O_TRUNC),
    "create new": () => fs.create(caller, root, name("new"), O_WRONLY, 0o644),
    "create new for reading": () => fs.create(caller, root, name("new"), O_RDONLY, 0o644),
    "create existing": () => fs.create(caller, root, name("f"), O_WRONLY, 0o644),
    write: () => fs.write(caller, file, handle, 0, name("x"), writing),
    "write back": () => fs.write(caller, file, handle, 0, name("x"), { ...writing, writeback: true }),
    truncate: () => fs.setattr(caller, file, null, { size: 0 }),
    "truncate open": () => fs.setattr(caller, file, handle, { size: 9 }),
    chmod: () => fs.setattr(caller, directory, null, { mode: 0o700 }),
    "chmod of the root": () => fs.setattr(caller, root, null, { mode: 0o700 }),
    setxattr: () => fs.setxattr(caller, file, name("user.x"), name("x"), 0),
    "set a note": () => fs.setxattr(caller, file, name("user.memfs.note"), name("x"), 0),
    removexattr: () => fs.removexattr(caller, file, name("user.x")),
    utimes: () => fs.setattr(caller, file, null, { mtime: "now" }),
    mkdir: () => fs.mkdir(caller, root, name("new"), 0o755),
    mknod: () => fs.mknod(caller, root, name("new"), 0o100644, 0),
    mkfifo: () => fs.mknod(caller, root, name("new"), 0o010644, 0),
    symlink: () => fs.symlink(caller, root, name("new"), name("f")),
    link: () => fs.link(caller, file, root, name("new")),
    unlink: () => fs.unlink(caller, root, name("f")),
    rmdir: () => fs.rmdir(caller, root, name("d")),
    rename: () => fs.rename(caller, at(root, "f"), at(root, "new"), 0),
    "rename over": () => fs.rename(caller, at(root, "d"), at(root, "e"), 0),
  };
}

async function furnished(fixture: MountedFixture): Promise<void> {
  await fixture.mount.write("/f", "content");
  await fixture.mount.mkdir("/d");
  await fixture.mount.mkdir("/e");
}

t.test("a store mounted read-only is read, and refuses every change with nothing changed", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, store, kv, other } = fixture;
  await furnished(fixture);
  const frozen = await other({ access: "ro" });
  const changes = await everyChange(frozen);
  const before = (await stored(kv, "n")).map(({ key, value }) => [key, value.toString("hex")]);
  const { headSeq, ...usage } = store.usage();
  for (const [name, change] of Object.entries(changes)) {
    await t.rejects(async () => change(), { code: "read_only" }, name);
  }
  t.strictSame((await stored(kv, "n")).map(({ key, value }) => [key, value.toString("hex")]), before); // prettier-ignore
  t.match(store.usage(), usage);
  const added = (await journal(kv)).slice(headSeq).map(({ kind, actor }) => ({ kind, actor }));
  const actor = { type: "session", sessionId: "s-2", agent: "other" };
  t.ok(added.length > 0);
  t.ok(
    added.every(
      (entry) =>
        ["write.denied", "memory.read"].includes(entry.kind) && JSON.stringify(entry.actor) === JSON.stringify(actor),
    ),
  );

  t.equal(await frozen.read("/f"), "content");
  const root = await frozen.node("/");
  const { opened } = await frozen.mount.create(frozen.caller, root, Buffer.from("f"), O_RDONLY, 0o644);
  await frozen.mount.fsync(frozen.caller, await frozen.node("/f"), opened, false);
  await frozen.mount.release(frozen.caller, await frozen.node("/f"), opened);
  await mount.write("/f", "changed by another mount");
  t.equal(await frozen.read("/f"), "changed by another mount");
});

t.test("an archived store refuses every change in a mount that was there before", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, store, catalogue } = fixture;
  await furnished(fixture);
  const changes = await everyChange(mount);
  await catalogue.archive(store.info.id, OPERATOR);
  const usage = store.usage();
  for (const [name, change] of Object.entries(changes)) {
    await t.rejects(async () => change(), { code: "archived" }, name);
  }
  t.strictSame(store.usage(), usage);
  t.equal(await mount.read("/f"), "content");
});

t.test("a refusal is journalled once a second for the same operation and path", async (t) => {
  const { mount, kv, clock, other } = await mountedFixture(t);
  await mount.write("/f", "content");
  await mount.write("/g", "content");
  const frozen = await other({ access: "ro" });
  const denied = async (): Promise<unknown[]> =>
    (await journal(kv)).filter(({ kind }) => kind === "write.denied").map(({ erasable }) => erasable?.detail);
  const refuse = async (path: string): Promise<void> => {
    await t.rejects(frozen.write(path, "x"), { code: "read_only" });
  };
  for (let count = 0; count < 5; count++) await refuse("/f");
  t.strictSame(await denied(), [{ operation: "open", path: "/f" }]);
  await refuse("/g");
  await t.rejects(frozen.unlink("/f"), { code: "read_only" });
  const all = [
    { operation: "open", path: "/f" },
    { operation: "open", path: "/g" },
    { operation: "unlink", path: "/" },
  ];
  t.strictSame(await denied(), all, "another path, and another operation");
  clock.pass(0.9);
  await refuse("/f");
  t.equal((await denied()).length, 3);
  clock.pass(0.2);
  await refuse("/f");
  await refuse("/f");
  t.strictSame(await denied(), [...all, all[0]]);
});

async function newest(fixture: MountedFixture, path: string): Promise<VersionInfo | undefined> {
  return (await fixture.store.history.list({ path: Buffer.from(path), limit: 1 })).items[0];
}

const USER = { uid: 1000, gid: 1000, pid: process.pid, uniqueHigh: 0, uniqueLow: 0 };
const EVIDENCE = { uid: 1000, pid: process.pid, program: /^node/ };

t.test("what a mount commits when it ends is signed by the process that wrote, not by the daemon", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  mount.caller = USER;
  const file = await mount.open("/written", O_WRONLY);
  await mount.put(file, "draft");
  await mount.open("/touched", O_WRONLY);
  await mount.mount.detach();
  t.match(await newest(fixture, "/written"), { size: 5, evidence: EVIDENCE });
  t.match(await newest(fixture, "/touched"), { size: 0, evidence: EVIDENCE });
});

t.test("what another mount makes a draft commit is signed by the process that wrote", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, other } = fixture;
  mount.caller = USER;
  const second = await other();
  const file = await mount.open("/f", O_WRONLY);
  await mount.put(file, "draft");
  mount.caller = { ...USER, pid: 1, uid: 5 };
  await mount.flush(file);
  t.equal(await second.read("/f"), "draft");
  t.match(await newest(fixture, "/f"), { evidence: EVIDENCE, actor: { sessionId: "s-1", agent: "scout" } });
  await mount.release(file);
});

t.test("a close by a child that inherited the descriptor is signed by who opened the file", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  mount.caller = USER;
  const file = await mount.open("/f", O_WRONLY);
  await mount.put(file, "text");
  mount.caller = { ...USER, uid: 0, pid: 1 };
  await mount.close(file);
  t.match(await newest(fixture, "/f"), { evidence: EVIDENCE });
});

t.test("suid and sgid go when somebody who may not keep them changes the content", async (t) => {
  const { mount } = await mountedFixture(t);
  const { mount: fs, caller, invalidator } = mount;
  const permissions = async (): Promise<string> => ((await mount.stat("/f")).mode & 0o7777).toString(8);
  const set = async (mode: number): Promise<void> =>
    void (await fs.setattr(caller, await mount.node("/f"), null, { mode }));
  await mount.write("/f", "program");
  const node = await mount.node("/f");
  const file = await mount.open("/f", O_WRONLY);
  const write = (killPrivileges: boolean): unknown =>
    fs.write(caller, node, file.opened, 0, Buffer.from("P"), { open: O_WRONLY, writeback: false, killPrivileges });

  await set(0o6755);
  await write(false);
  t.equal(await permissions(), "6755", "kept when the kernel does not ask");
  invalidator.calls.length = 0;
  await write(true);
  t.equal(await permissions(), "755");
  t.strictSame(invalidator.calls, [`attributes ${node.number}`], "and this mount's kernel is told");
  await set(0o6745);
  await write(true);
  t.equal(await permissions(), "2745", "sgid without group execute is no privilege");
  await mount.close(file);

  await set(0o4755);
  await fs.setattr(caller, node, null, { size: 3, killPrivileges: true });
  t.equal(await permissions(), "755", "truncate");
  await set(0o4755);
  await fs.release(caller, node, await fs.open(caller, node, O_WRONLY | O_TRUNC, true));
  t.equal(await permissions(), "755", "open with O_TRUNC");
  await set(0o4755);
  const { opened } = await fs.create(caller, await mount.node("/"), Buffer.from("f"), O_WRONLY | O_TRUNC, 0o644, true);
  await fs.release(caller, node, opened);
  t.equal(await permissions(), "755", "create over a file that exists");
});
