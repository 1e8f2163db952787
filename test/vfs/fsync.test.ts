/** Programs that sync every write mean one change. */

import t from "tap";
import { systemDisk } from "../../lib/kv/disk.ts";
import { historyFixture, type HistoryFixture } from "../fixtures/history.ts";
import { openIn, scratchDir } from "../fixtures/kv.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { stored } from "../fixtures/store.ts";
import { mountedFixture, O_APPEND, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY, type OpenFile } from "../fixtures/vfs.ts";

/** Operation and number of the listed versions, newest first. */
async function listed({ store }: HistoryFixture, path = "/f"): Promise<string[]> {
  const { items } = await store.history.list({ path: Buffer.from(path), limit: 1000 });
  return items.map(({ operation, n }) => `${operation} ${n}`);
}

/** Appends and syncs, so many times. */
async function sync({ mount }: HistoryFixture, file: OpenFile, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await mount.put(file, text);
    await mount.fsync(file);
  }
}

/** What the file was after each journal entry, as the mount shows it; null where it was not. */
async function pastOf({ store }: HistoryFixture, path = "/f"): Promise<(string | null)[]> {
  const contents: (string | null)[] = [];
  for (let seq = 1; seq <= store.usage().headSeq; seq++) {
    const found = await store.past.at(seq).find(path);
    contents.push(found === null ? null : store.content(found.hash).toString());
  }
  return contents;
}

t.test("fsyncs of one open file within a second are one version: the last", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, store, idOf } = fixture;
  await mount.write("/f", "0");
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a", "b", "c"]);
  t.strictSame(await listed(fixture), ["modified 4", "created 1"]);
  t.equal(store.usage().versions, 2);
  await mount.close(file);
  t.strictSame(await listed(fixture), ["modified 4", "created 1"]);
  const [last, first] = (await store.history.list({ memoryId: idOf("/f"), limit: 5 })).items;
  t.match(last, { parents: [first?.id], sizeBefore: 1, size: 4 }, "it follows the version before them");
  t.equal(store.history.read(last?.id ?? "").toString(), "0abc");
  t.strictSame(await mount.list("/.memfs/history/f"), ["0001-created-scout", "0004-modified-scout"]);
});

t.test("a file made that way is created once", async (t) => {
  const fixture = await historyFixture(t);
  const file = await fixture.mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a", "b", "c"]);
  await fixture.mount.close(file);
  t.strictSame(await listed(fixture), ["created 3"]);
  const created = await fixture.store.history.list({ operation: "created", limit: 5 });
  t.match(created.items, [{ n: 3, parents: [], sizeBefore: null }]);
  t.strictSame(await fixture.mount.list("/.memfs/history/f"), ["0003-created-scout"]);
});

t.test("one version for each second of syncing", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, clock } = fixture;
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  for (let tenths = 0; tenths < 25; tenths++) {
    await sync(fixture, file, ["x"]);
    clock.pass(0.1);
  }
  await mount.close(file);
  t.strictSame(await listed(fixture), ["modified 25", "modified 20", "created 10"]);
});

t.test("what is not an fsync of the same open file stays a version", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, other } = fixture;
  const theirs = await other();
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  const second = await mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a", "b"]);
  await sync(fixture, second, ["c"]);
  t.strictSame(await listed(fixture), ["modified 3", "created 2"], "another open file");
  await sync(fixture, file, ["d"]);
  await theirs.append("/f", "e");
  await sync(fixture, file, ["f"]);
  t.strictSame(await listed(fixture), ["modified 6", "modified 5", "modified 4", "modified 3", "created 2"]);
  await mount.put(file, "g");
  await mount.close(file);
  t.equal((await listed(fixture)).length, 6, "a close means to save");
  await mount.close(second);
  t.equal(await mount.read("/f"), "abcdefg");
});

t.test("a version with a note stays, and so does one before a move", async (t) => {
  const fixture = await historyFixture(t);
  const { mount } = fixture;
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a"]);
  await mount.mount.setxattr(mount.caller, file.node, Buffer.from("user.memfs.note"), Buffer.from("why"), 0);
  await sync(fixture, file, ["b", "c"]);
  t.strictSame(await listed(fixture), ["modified 3", "created 2"]);
  await mount.rename("/f", "/g");
  await sync(fixture, file, ["d"]);
  await mount.close(file);
  t.strictSame(await listed(fixture, "/g"), ["modified 5", "modified 4", "modified 3", "created 2"]);
});

t.test("looking back shows what was there between them", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, store, idOf, kv } = fixture;
  await mount.write("/f", "0");
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a", "b", "c"]);
  await mount.close(file);
  const seen = await pastOf(fixture);
  t.strictSame([...new Set(seen)], [null, "0", "0a", "0ab", "0abc"]);
  const marks = await stored(kv, "v");
  t.equal(marks.length, 2, "and lists know two");
  const now = store.usage().headSeq;
  const entry = store.past.at(now - 1);
  t.match(await entry.find("/f"), { size: 3 });
  t.match(await store.verify(), { ok: true });
  const newest = await store.history.resolve(idOf("/f"), { n: 0 });
  t.match(await store.history.resolve(idOf("/f"), { at: newest.createdAt - 1 }), { n: 3, size: 3 }, "by time");
});

t.test("numbers count back over what is listed, and one that is not says so", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, store, idOf } = fixture;
  await mount.write("/f", "0");
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a", "b", "c"]);
  await mount.close(file);
  const at = (n: number): Promise<unknown> => store.history.resolve(idOf("/f"), { n });
  t.match(await at(0), { n: 4 });
  t.match(await at(-1), { n: 1 }, "the version before");
  t.match(await at(4), { n: 4 });
  await t.rejects(at(3), { code: "not_found", message: /version 3; it was folded into a later one/ });
  await t.rejects(at(5), { code: "not_found", message: /version 5; the memory has versions 1 to 4/ });
  await t.rejects(at(-2), { code: "not_found" });
});

t.test("a folded version is found by its id, and is a base like any other", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, other, store, idOf } = fixture;
  await mount.write("/f", "0\n");
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a\n"]);
  const theirs = await other();
  const reading = await theirs.open("/f", O_WRONLY | O_APPEND);
  const folded = store.memory(idOf("/f")).headId;
  await sync(fixture, file, ["b\n"]);
  await theirs.put(reading, "theirs\n");
  await theirs.close(reading);
  await mount.close(file);
  t.match(store.history.version(folded), { n: 2, size: 4 });
  t.equal(store.history.read(folded).toString(), "0\na\n");
  t.equal(await mount.read("/f"), "0\na\nb\ntheirs\n");
  t.match(await store.verify(), { ok: true });
});

t.test("a temporary file that was synced and renamed over another leaves no trace", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, store, paths } = fixture;
  await mount.write("/f", "old");
  for (const flags of [O_WRONLY | O_TRUNC, O_WRONLY | O_EXCL]) {
    const file = await mount.open("/f.new", flags);
    await mount.put(file, "1");
    await mount.fsync(file);
    await mount.put(file, String(flags));
    await mount.fsync(file);
    await mount.close(file);
    await mount.rename("/f.new", "/f");
  }
  t.strictSame(await listed(fixture), ["modified 3", "modified 2", "created 1"]);
  t.strictSame(await paths(), ["/f"]);
  t.equal(store.usage().versions, 3);
});

t.test("after a restart the versions are those that were listed", async (t) => {
  const fixture = await historyFixture(t);
  const file = await fixture.mount.open("/f", O_WRONLY | O_APPEND);
  await sync(fixture, file, ["a", "b"]);
  await fixture.mount.close(file);
  const { store } = await fixture.reopen();
  t.match((await store.history.list({ limit: 5 })).items, [{ n: 2, operation: "created" }]);
  t.equal(store.usage().versions, 1);
});

t.test("any order of writes, syncs and closes: each moment is as it was", async (t) => {
  const random = randomFrom(testSeed(t));
  const fixture = await historyFixture(t);
  const { mount, clock, store, other } = fixture;
  const mounts = [mount, await other()];
  for (let round = 0; round < 40; round++) {
    const one = mounts[Math.floor(random() * 2)] ?? mount;
    const file = await one.open("/f", O_WRONLY | O_APPEND);
    for (let step = 0; step < 6; step++) {
      await one.put(file, String.fromCharCode(97 + (step % 26)));
      if (random() < 0.7) await one.fsync(file);
      clock.pass(random() < 0.2 ? 0.7 : 0.05);
    }
    await one.close(file);
  }
  const seen = await pastOf(fixture);
  const versions = (await store.history.list({ path: Buffer.from("/f"), limit: 1000 })).items;
  for (const { seq, id } of versions) t.equal(seen[seq - 1], store.history.read(id).toString(), `after entry ${seq}`);
  const heads = new Set(seen.filter((content) => content !== null));
  t.ok(heads.size > versions.length, `${heads.size} contents, of which ${versions.length} are listed`);
  t.strictSame(
    [...heads],
    [...heads].sort((a, b) => a.length - b.length),
    "they only grow",
  );
});

t.test("a file opened with O_SYNC is written through the kernel's cache, which alone asks for the syncs", async (t) => {
  const { mount } = await historyFixture(t);
  for (const mode of [O_WRONLY, O_WRONLY | O_APPEND, O_RDWR | O_APPEND]) {
    for (const [synchronous, directIo] of [
      [0, true],
      [0o10000, false],
      [0o4010000, false],
    ] as const) {
      const file = await mount.open("/f", mode | synchronous);
      t.equal(file.opened.directIo, directIo, `flags ${(mode | synchronous).toString(8)}`);
      await mount.release(file);
    }
  }
});

t.test("an fsync is on its way to the disk before the change is in view, and syncs once", async (t) => {
  const heads: number[] = [];
  let head = (): number => 0;
  const disk = {
    ...systemDisk,
    datasync: async (fd: number): Promise<void> => {
      heads.push(head());
      await systemDisk.datasync(fd);
    },
  };
  const kv = await openIn(t, scratchDir(t), { disk });
  const { mount, store } = await mountedFixture(t, kv);
  head = () => store.usage().headSeq;
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "one");
  await mount.fsync(file);
  const before = head();
  heads.length = 0;
  await mount.put(file, "two");
  await mount.fsync(file);
  t.strictSame(heads, [before]);
  t.ok(head() > before);
  await mount.close(file);
});
