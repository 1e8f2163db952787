/** Rollback: former content becomes a new version; nothing that was is changed. */
import t from "tap";
import { formatId } from "../../lib/id.ts";
import type { Store } from "../../lib/store/store.ts";
import type { MemoryInfo, VersionInfo } from "../../lib/store/types.ts";
import { OPERATOR, storeFixture } from "../fixtures/store.ts";
import { bytesOf, StoreFiles } from "../fixtures/store-files.ts";

const cause = { actor: OPERATOR };

async function history(store: Store, memoryId: string): Promise<VersionInfo[]> {
  return [...(await store.history.list({ memoryId, limit: 100 })).items];
}

/** A file with the contents as versions 1, 2, … */
function written(files: StoreFiles, store: Store, contents: readonly string[]): MemoryInfo {
  for (const content of contents) files.write("/f", content);
  return store.memoryAt(bytesOf("/f"));
}

t.test("the content comes back as a new version, and what was there before stays", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  const { id, headId } = written(files, store, ["one", "two"]);
  const before = await history(store, id);
  const { version, to, memoryId, path } = await store.reversal.rollback({ memoryId: id, to: { n: 1 } }, cause);
  t.match(version, { n: 3, operation: "modified", size: 3, sizeBefore: 3, actor: OPERATOR, parents: [headId] });
  t.equal(version?.note, "rollback to version 1");
  t.match({ memoryId, path: path.toString(), to }, { memoryId: id, path: "/f", to: { n: 1 } });
  t.equal(files.read("/f").toString(), "one");
  t.strictSame((await history(store, id)).slice(1), before);
});

t.test("a version is named by its id, its number, a number back from the head, or a time", async (t) => {
  const { store, clock } = await storeFixture(t);
  const files = new StoreFiles(store);
  const { id } = written(files, store, ["one", "two"]);
  const between = clock.now();
  clock.pass(10);
  written(files, store, ["three"]);
  const [third, second, first] = await history(store, id);
  const dryRun = true;
  const ask = async (to: Parameters<Store["reversal"]["rollback"]>[0]["to"]): Promise<string> =>
    (await store.reversal.rollback({ memoryId: id, to, dryRun }, cause)).to.id;
  t.equal(await ask({ id: first?.id ?? "" }), first?.id);
  t.equal(await ask({ n: 2 }), second?.id);
  t.equal(await ask({ n: -2 }), first?.id);
  t.equal(await ask({ at: between }), second?.id);
  t.equal(await ask({ at: third?.createdAt ?? 0 }), third?.id);
  for (const to of [
    { n: 4 },
    { n: -3 },
    { at: (first?.createdAt ?? 0) - 1 },
    { id: formatId("memver", "x".repeat(16)) },
  ]) {
    await t.rejects(ask(to), { code: "not_found" }, JSON.stringify(to));
  }
  files.write("/other", "content");
  const { headId } = store.memoryAt(bytesOf("/other"));
  await t.rejects(ask({ id: headId }), { code: "not_found", message: /of another memory/ });
});

t.test("back to what is there makes no version, and a dry run changes nothing", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  const { id } = written(files, store, ["one", "two", "one"]);
  const before = store.usage();
  for (const n of [1, 3]) t.equal((await store.reversal.rollback({ memoryId: id, to: { n } }, cause)).version, null);
  const dry = await store.reversal.rollback({ memoryId: id, to: { n: 2 }, dryRun: true }, cause);
  t.match(dry, { version: null, to: { n: 2 } });
  t.strictSame(store.usage(), before);
  t.equal(files.read("/f").toString(), "one");
});

t.test("a deleted memory returns under its id at its last path, with the directories above", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.mkdir("/d");
  files.mkdir("/d/e");
  files.write("/f", "one");
  files.write("/f", "two");
  await files.rename("/f", "/d/e/g");
  const { id } = store.memoryAt(bytesOf("/d/e/g"));
  files.unlink("/d/e/g");
  files.rmdir("/d/e");
  files.rmdir("/d");
  t.throws(() => store.memory(id), { code: "not_found" });
  await t.rejects(store.reversal.rollback({ memoryId: id, to: { n: -0 } }, cause), { code: "not_found" });
  await t.rejects(store.reversal.rollback({ memoryId: id, to: { n: 4 } }, cause), {
    code: "not_found",
    message: /no content .*deletion/,
  });
  const dry = await store.reversal.rollback({ memoryId: id, to: { n: 1 }, dryRun: true }, cause);
  t.equal(dry.version, null);
  t.equal(files.entry("/d"), null, "a dry run makes nothing");

  const { version } = await store.reversal.rollback({ memoryId: id, to: { n: 1 } }, cause);
  t.match(version, { n: 5, operation: "modified", path: Buffer.from("/d/e/g"), size: 3, sizeBefore: null });
  t.equal(store.memoryAt(bytesOf("/d/e/g")).id, id);
  t.equal(files.read("/d/e/g").toString(), "one");
  t.match(store.usage(), { memories: 1, liveBytes: 3 });
});

t.test("a memory of no bytes returns, too", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "");
  const { id } = store.memoryAt(bytesOf("/f"));
  files.unlink("/f");
  t.match((await store.reversal.rollback({ memoryId: id, to: { n: 1 } }, cause)).version, { n: 3, size: 0 });
  t.equal(files.read("/f").length, 0);
});

t.test("a path that is taken is refused, and nothing is half done", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.mkdir("/d");
  files.mkdir("/d/e");
  files.write("/d/e/f", "one");
  const { id } = store.memoryAt(bytesOf("/d/e/f"));
  files.unlink("/d/e/f");
  files.write("/d/e/f", "somebody else's");
  const usage = store.usage();
  const back = { memoryId: id, to: { n: 1 } };
  await t.rejects(store.reversal.rollback(back, cause), { code: "exists", message: /\/d\/e\/f is taken/ });
  files.unlink("/d/e/f");
  files.rmdir("/d/e");
  files.write("/d/e", "a file where the directory was");
  await t.rejects(store.reversal.rollback(back, cause), { code: "exists", message: /e is in the way/ });
  t.equal(store.usage().memories, usage.memories);
  files.unlink("/d/e");
  files.rmdir("/d");
  t.equal((await store.reversal.rollback(back, cause)).version?.n, 3, "and works once the path is free");
});

t.test("a memory that came back is the last one at its path when it goes again", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "first");
  const { id } = store.memoryAt(bytesOf("/f"));
  files.unlink("/f");
  files.write("/f", "second");
  files.unlink("/f");
  await store.reversal.rollback({ memoryId: id, to: { n: 1 } }, cause);
  files.unlink("/f");
  t.equal(await store.history.memoryOnceAt(bytesOf("/f")), id);
  const listed = await store.history.list({ path: bytesOf("/f"), limit: 100 });
  t.strictSame(
    listed.items.map(({ memoryId, n }) => [memoryId === id, n]),
    [
      [true, 4],
      [true, 3],
      [true, 2],
      [true, 1],
      [false, 2],
      [false, 1],
    ],
  );
});

t.test("nothing of an archived store is rolled back", async (t) => {
  const { store, catalogue } = await storeFixture(t);
  const files = new StoreFiles(store);
  const { id } = written(files, store, ["one", "two"]);
  await catalogue.archive(store.info.id, OPERATOR);
  await t.rejects(store.reversal.rollback({ memoryId: id, to: { n: 1 } }, cause), { code: "archived" });
  t.equal(files.read("/f").toString(), "two");
});
