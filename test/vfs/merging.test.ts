import t, { type Test } from "tap";
import type { Policy, VersionInfo } from "../../lib/store/types.ts";
import { OPERATOR } from "../fixtures/store.ts";
import {
  mountedFixture,
  type MountedFixture,
  O_EXCL,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  type TestMount,
} from "../fixtures/vfs.ts";

const BEFORE = "# Notes\n\n- one\n- two\n- three\n\nEnd.\n";
const MINE = BEFORE.replace("- one", "- ONE");
const THEIRS = BEFORE.replace("- three\n", "- three\n- four\n");
const BOTH = MINE.replace("- three\n", "- three\n- four\n");
/** Changes what {@link MINE} changes, differently. */
const AGAINST = BEFORE.replace("- one", "- eins");

interface Pair extends MountedFixture {
  readonly mine: TestMount;
  readonly theirs: TestMount;
  /** All versions at a path, the newest first. */
  versions(path: string): Promise<readonly VersionInfo[]>;
  /** Kinds of the journal, with the details of conflicts. */
  conflicts(): Promise<string[]>;
}

/** A store with a file that both mounts have read. */
async function pair(t: Test, policy: Partial<Policy> = {}, path = "/notes.md", text = BEFORE): Promise<Pair> {
  const fixture = await mountedFixture(t);
  const { store, catalogue } = fixture;
  await catalogue.setPolicy(store.info.id, policy, OPERATOR);
  const theirs = await fixture.other();
  await fixture.mount.write(path, text);
  await fixture.mount.read(path);
  await theirs.read(path);
  return {
    ...fixture,
    mine: fixture.mount,
    theirs,
    versions: async (at) => (await store.history.list({ path: Buffer.from(at), limit: 100 })).items,
    conflicts: async () => (await theirs.list("/")).filter((name) => name.includes(".conflict-")).sort(),
  };
}

t.test("two agents rewrite a file from what both have read: both changes are in the head", async (t) => {
  const { mine, theirs, versions } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  await mine.write("/notes.md", MINE);
  t.equal(await mine.read("/notes.md"), BOTH);
  t.equal(await theirs.read("/notes.md"), BOTH);
  const [merged, other, first] = await versions("/notes.md");
  t.strictSame(merged?.parents, [other?.id, first?.id], "the head and what the text was made from");
  t.match(merged?.actor, { sessionId: "s-1" });
});

t.test("the writer's own kernel is told that the file is not what it wrote", async (t) => {
  const { mine, theirs } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  const { number } = await mine.node("/notes.md");
  mine.invalidator.calls.length = 0;
  await mine.write("/notes.md", MINE);
  t.ok(mine.invalidator.calls.includes(`content ${number}`));
  const file = await mine.open("/notes.md", O_RDWR);
  t.notOk(file.opened.keepCache, "pages it kept are not used");
  await mine.release(file);
});

t.test("a save by renaming is merged with the head, too", async (t) => {
  const { mine, theirs, versions } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  const temporary = await mine.open("/.notes.md.tmp-1", O_WRONLY | O_EXCL);
  await mine.put(temporary, MINE);
  await mine.close(temporary);
  await mine.rename("/.notes.md.tmp-1", "/notes.md");
  t.equal(await mine.read("/notes.md"), BOTH);
  t.equal(await theirs.read("/notes.md"), BOTH);
  t.equal((await versions("/notes.md")).length, 3);
});

t.test("so is the way vim saves: the file put aside, a new one written, the old one removed", async (t) => {
  const { mine, theirs, versions } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  await mine.rename("/notes.md", "/notes.md~");
  await mine.write("/notes.md", MINE);
  await mine.unlink("/notes.md~");
  t.equal(await theirs.read("/notes.md"), BOTH);
  t.equal((await versions("/notes.md")).length, 3);
});

t.test("whoever has read the head before writing is not merged: what was taken out stays out", async (t) => {
  const { mine, theirs } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  await mine.read("/notes.md");
  await mine.write("/notes.md", "all new\n");
  t.equal(await theirs.read("/notes.md"), "all new\n");
});

t.test("whoever never read the file replaces what it is at its open", async (t) => {
  const { mine, other, theirs } = await pair(t);
  const third = await other({ session: "s-3" });
  await theirs.write("/notes.md", THEIRS);
  await third.write("/notes.md", "all new\n");
  t.equal(await mine.read("/notes.md"), "all new\n");
});

t.test("the next save goes on from one's own last one", async (t) => {
  const { mine, theirs } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  await mine.write("/notes.md", MINE);
  await mine.write("/notes.md", BOTH.replace("End.", "END."));
  t.equal(await theirs.read("/notes.md"), BOTH.replace("End.", "END."));
});

t.test("a program that never looks again loses nothing of others: each text is made from its last one", async (t) => {
  const { mine, theirs } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  await mine.write("/notes.md", MINE);
  await mine.write("/notes.md", MINE.replace("End.", "END."));
  t.equal(await theirs.read("/notes.md"), BOTH.replace("End.", "END."));
  await mine.write("/t", MINE.replace("End.", "THE END."));
  await mine.rename("/t", "/notes.md");
  await mine.write("/notes.md", MINE.replace("End.", "The end."));
  t.equal(await theirs.read("/notes.md"), BOTH.replace("End.", "The end."));
});

t.test("nor after a conflict: the head keeps the others' line, the text beside one's own", async (t) => {
  const { mine, theirs } = await pair(t);
  await theirs.write("/notes.md", AGAINST);
  await mine.write("/notes.md", MINE);
  await mine.write("/notes.md", MINE.replace("End.", "END."));
  t.equal(await theirs.read("/notes.md"), AGAINST.replace("End.", "END."));
  t.equal(await theirs.read("/notes.conflict-s-1.md"), MINE);
});

t.test("whoever adds a line blindly has not read what others wrote before", async (t) => {
  const { mine, theirs } = await pair(t);
  await theirs.write("/notes.md", THEIRS);
  await mine.append("/notes.md", "p.s.\n");
  await mine.write("/notes.md", `${MINE}p.s.\n`);
  t.equal(await theirs.read("/notes.md"), `${BOTH}p.s.\n`);
});

t.test("a renamed save is what the mount has written last", async (t) => {
  const { mine, theirs } = await pair(t);
  await mine.write("/t", MINE);
  await mine.rename("/t", "/notes.md");
  await theirs.read("/notes.md");
  await theirs.write("/notes.md", BOTH);
  await mine.write("/t", MINE.replace("End.", "END."));
  await mine.rename("/t", "/notes.md");
  t.equal(await theirs.read("/notes.md"), BOTH.replace("End.", "END."));
});

t.test("a file that is moved over another one replaces it, whatever that has become", async (t) => {
  const { mine, theirs, clock, conflicts } = await pair(t);
  await mine.write("/other.md", "another file\n");
  await theirs.read("/other.md");
  clock.pass(100);
  await theirs.write("/notes.md", THEIRS);
  await mine.rename("/other.md", "/notes.md");
  t.equal(await theirs.read("/notes.md"), "another file\n");
  t.strictSame(await conflicts(), []);
});

t.test("JSON is merged by its keys", async (t) => {
  const before = '{\n  "a": 1,\n  "b": 2\n}\n';
  const { mine, theirs } = await pair(t, {}, "/c.json", before);
  await theirs.write("/c.json", '{\n  "a": 1,\n  "b": 3\n}\n');
  await mine.write("/c.json", '{\n  "a": 5,\n  "b": 2\n}\n');
  t.strictSame(JSON.parse(await theirs.read("/c.json")), { a: 5, b: 3 });
});

t.test("two mounts make the same file: what both wrote is in it", async (t) => {
  const { mine, theirs } = await pair(t);
  const first = await mine.open("/new.md", O_WRONLY);
  const second = await theirs.open("/new.md", O_WRONLY | O_TRUNC);
  await mine.put(first, "mine\n");
  await theirs.put(second, "theirs\n");
  await mine.close(first);
  await theirs.close(second);
  t.equal(await mine.read("/new.md"), "mine\ntheirs\n");
});

t.test("a change in place goes on top of the head at its first write", async (t) => {
  const { mine, theirs } = await pair(t, {}, "/f", "aaaa\nbbbb\ncccc\n");
  const file = await mine.open("/f", O_RDWR);
  await mine.put(file, "A", 0);
  await theirs.write("/f", "aaaa\nbbbb\nCCCC\n");
  await mine.close(file);
  t.equal(await theirs.read("/f"), "Aaaa\nbbbb\nCCCC\n");
});

t.test("while a file stays open its bytes do not move; after the close the mount shows the head", async (t) => {
  const { mine, theirs } = await pair(t, {}, "/f", "one\ntwo\n");
  const file = await mine.open("/f", O_RDWR);
  await mine.put(file, "ONE\ntwo\n");
  await theirs.write("/f", "zero\none\ntwo\n");
  await mine.fsync(file);
  t.equal(await theirs.read("/f"), "zero\nONE\ntwo\n", "others see both");
  t.equal(await mine.read("/f"), "ONE\ntwo\n", "the writer sees its own");
  await mine.put(file, "three\n", 8);
  await mine.fsync(file);
  t.equal(await theirs.read("/f"), "zero\nONE\ntwo\nthree\n");
  await mine.put(file, "t", 4);
  await mine.close(file);
  t.equal(await mine.read("/f"), "zero\nONE\ntwo\nthree\n");
  t.equal(await theirs.read("/f"), "zero\nONE\ntwo\nthree\n");
});

t.test("keep_both: two changes of one line leave the head and put the other text beside it", async (t) => {
  const { mine, theirs, versions, conflicts, store } = await pair(t);
  await theirs.write("/notes.md", AGAINST);
  await mine.write("/notes.md", MINE);
  t.equal(await mine.read("/notes.md"), AGAINST, "the writer sees the head");
  t.strictSame(await conflicts(), ["notes.conflict-s-1.md"]);
  t.equal(await theirs.read("/notes.conflict-s-1.md"), MINE);
  const [first] = [...(await versions("/notes.md"))].reverse();
  const [beside] = await versions("/notes.conflict-s-1.md");
  t.strictSame(beside?.parents, [first?.id], "made from what its writer had read");
  t.equal((await versions("/notes.md")).length, 2, "the file itself has no version of it");
  t.equal((await store.verify()).ok, true);
});

t.test("later conflicts of a session and a file are versions of one text beside it", async (t) => {
  const { mine, theirs, other, versions, conflicts } = await pair(t);
  const third = await other({ session: "s-3" });
  await third.read("/notes.md");
  await theirs.write("/notes.md", AGAINST);
  await mine.write("/notes.md", MINE);
  await third.write("/notes.md", BEFORE.replace("- one", "- un"));
  t.strictSame(await conflicts(), ["notes.conflict-s-1.md", "notes.conflict-s-3.md"]);
  // The mount was shown the head: a text that is made from it again is no conflict, one that others change again is.
  await theirs.write("/notes.md", AGAINST.replace("eins", "uno"));
  await mine.write("/notes.md", AGAINST.replace("eins", "ichi"));
  t.strictSame(await conflicts(), ["notes.conflict-s-1.md", "notes.conflict-s-3.md"]);
  t.equal((await versions("/notes.conflict-s-1.md")).length, 2);
});

t.test("a save by renaming that conflicts succeeds, and is put beside the file", async (t) => {
  const { mine, theirs, conflicts } = await pair(t);
  await theirs.write("/notes.md", AGAINST);
  await mine.write("/t", MINE);
  await mine.rename("/t", "/notes.md");
  t.equal(await mine.read("/notes.md"), AGAINST);
  t.equal(await mine.find("/t"), null);
  t.strictSame(await conflicts(), ["notes.conflict-s-1.md"]);
});

t.test("binary content and content over 1 MiB is never merged", async (t) => {
  const { mine, theirs, conflicts } = await pair(t, {}, "/b", "a\0b\n");
  await theirs.write("/b", "a\0b\nc\n");
  await mine.write("/b", "x\na\0b\n");
  t.strictSame(await conflicts(), ["b.conflict-s-1"]);
  const large = "0123456789abcde\n".repeat(70_000);
  await mine.write("/large.log", large);
  await theirs.read("/large.log");
  await mine.write("/large.log", `${large}end\n`);
  await theirs.write("/large.log", `start\n${large}`);
  t.strictSame(await conflicts(), ["b.conflict-s-1", "large.conflict-s-2.log"]);
});

t.test("last_writer_wins: the last close is the head, and the conflict is in the journal", async (t) => {
  const { mine, theirs, conflicts, versions, store } = await pair(t, { onConflict: "last_writer_wins" });
  await theirs.write("/notes.md", AGAINST);
  await mine.write("/notes.md", MINE);
  t.equal(await theirs.read("/notes.md"), MINE);
  t.strictSame(await conflicts(), []);
  t.equal((await versions("/notes.md")).length, 3);
  t.equal((await store.verify()).ok, true);
});

t.test("refuse: the close fails, the head stays, and the mount keeps its text", async (t) => {
  const { mine, theirs, conflicts } = await pair(t, { onConflict: "refuse" });
  await theirs.write("/notes.md", AGAINST);
  const file = await mine.open("/notes.md", O_WRONLY | O_TRUNC);
  await mine.put(file, MINE);
  await t.rejects(mine.flush(file), { code: "conflict" });
  t.equal(await theirs.read("/notes.md"), AGAINST);
  t.equal(await mine.read("/notes.md"), MINE);
  await t.rejects(mine.release(file), { code: "conflict" });
  t.strictSame(await conflicts(), []);
});

t.test("what was refused is put beside the file when the mount ends", async (t) => {
  const { mine, theirs, conflicts } = await pair(t, { onConflict: "refuse" });
  await theirs.write("/notes.md", AGAINST);
  await mine.write("/notes.md", MINE).catch(() => undefined);
  await mine.mount.detach();
  t.strictSame(await conflicts(), ["notes.conflict-s-1.md"]);
  t.equal(await theirs.read("/notes.conflict-s-1.md"), MINE);
});

t.test("changes that can go together are no conflict under any policy", async (t) => {
  for (const onConflict of ["keep_both", "last_writer_wins", "refuse"] as const) {
    const { mine, theirs, conflicts } = await pair(t, { onConflict });
    await theirs.write("/notes.md", THEIRS);
    await mine.write("/notes.md", MINE);
    t.equal(await theirs.read("/notes.md"), BOTH, onConflict);
    t.strictSame(await conflicts(), [], onConflict);
  }
});

t.test("a merge that would pass the size limit is a conflict", async (t) => {
  const { mine, theirs, conflicts } = await pair(t, { maxMemoryBytes: 60 }, "/f", `${"a".repeat(20)}\n`);
  await theirs.write("/f", `${"a".repeat(20)}\n${"b".repeat(30)}\n`);
  await mine.write("/f", `${"c".repeat(30)}\n${"a".repeat(20)}\n`);
  t.strictSame(await conflicts(), ["f.conflict-s-1"]);
});

t.test("long names, and names that are taken, make room for the text beside", async (t) => {
  const long = `/${"n".repeat(250)}.md`;
  const { mine, theirs, conflicts } = await pair(t, {}, long);
  await theirs.write(long, AGAINST);
  await mine.write(long, MINE);
  const [name = ""] = await conflicts();
  t.ok(name.endsWith(".conflict-s-1.md") && name.length <= 255, name);
  await mine.write("/f.md", BEFORE);
  await theirs.read("/f.md");
  await theirs.mkdir("/f.conflict-s-1.md");
  await theirs.write("/f.md", AGAINST);
  await mine.write("/f.md", MINE);
  t.ok((await conflicts()).includes("f.conflict-s-1-2.md"));
});
