/** A store as it was: after random changes, every moment reads as it did then. */
import t from "tap";
import { formatId } from "../../lib/id.ts";
import type { AtView } from "../../lib/store/history/at.ts";
import { ROOT_NODE } from "../../lib/store/tree/tree.ts";
import { Player } from "../fixtures/player.ts";
import { randomFrom } from "../fixtures/random.ts";
import { storeFixture } from "../fixtures/store.ts";
import { bytesOf, StoreFiles } from "../fixtures/store-files.ts";
import { type Line, octal, past, present } from "../fixtures/trees.ts";

t.test("after random changes every moment reads as it did then", async (t) => {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const fixture = await storeFixture(t);
  const player = new Player(fixture.store, randomFrom(seed));
  const snapshots = new Map<number, Line[]>();
  for (let count = 0; count < 1500; count++) {
    await player.step();
    const { headSeq } = fixture.store.usage();
    if (!snapshots.has(headSeq)) snapshots.set(headSeq, await present(fixture.store));
  }
  t.ok(snapshots.size > 200, "enough of the changes were made");
  const { store } = await fixture.reopen();
  let between = 0;
  for (let asked = 1; asked <= store.usage().headSeq; asked++) {
    const seq = store.past.seqOf({ seq: asked });
    const lines = seq === null ? undefined : snapshots.get(seq);
    if (seq === null) return void t.fail(`no moment for ${asked}`);
    if (lines === undefined) {
      // A file moved over another: that one's new version is one moment, the end of the moved one's memory the next.
      between += 1;
      continue;
    }
    const wanted = lines.filter(({ memory }) => memory === null || store.memoryRecord(memory)?.state !== "folded");
    const view = store.past.at(seq);
    const found = await past(store, view);
    if (!t.strictSame(found, wanted.map(({ text }) => text).sort(), `after entry ${asked} of ${seq}`)) return;
    await sameByName(view, found);
  }
  t.ok(between < snapshots.size / 5, "nearly every moment was compared");
});

/** Names lead where listings do. */
async function sameByName(view: AtView, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const path = line.slice(0, line.indexOf(" "));
    const node = await view.find(path);
    if (node === null || !line.startsWith(`${path} ${octal(node.mode)}`)) throw new Error(`${path} is not found`);
  }
  if ((await view.find("/a/b/none")) !== null) throw new Error("what never was is found");
}

t.test("moments are named by sequence number, version and time", async (t) => {
  const { store, clock } = await storeFixture(t);
  const files = new StoreFiles(store);
  const before = clock.now();
  files.write("/f", "one");
  const first = store.usage().headSeq;
  const between = clock.now();
  clock.pass(3600);
  files.write("/f", "two");
  const second = store.usage().headSeq;
  const { past } = store;
  const version = store.memoryRecord(store.node(files.node("/f"))?.memory ?? "")?.head ?? "";
  t.equal(past.seqOf({ seq: first }), first);
  t.equal(past.seqOf({ version: formatId("memver", version) }), second);
  t.equal(past.seqOf({ at: between }), first);
  t.equal(past.seqOf({ at: clock.now() }), second);
  t.equal(past.seqOf({ at: before }), first - 1, "the store was made before");
  for (const moment of [
    { seq: 0 },
    { seq: second + 1 },
    { seq: 1.5 },
    { at: 1 },
    { at: clock.now() + 60e6 },
    { version: "memver_0111111111111111111111" },
    { version: "nothing" },
  ]) {
    t.equal(past.seqOf(moment), null, JSON.stringify(moment));
  }
});

t.test("no moment lies within a transaction", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.mkdir("/d");
  for (const name of ["a", "b", "c"]) files.write(`/d/${name}`, name);
  const before = store.usage().headSeq;
  await files.rename("/d", "/e");
  const after = store.usage().headSeq;
  t.equal(after, before + 4);
  for (let seq = before + 1; seq <= after; seq++) t.equal(store.past.seqOf({ seq }), after);
});

t.test("names are bytes, and a removed directory is found by name", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.mkdir("/d\xff");
  files.write("/d\xff/\x01 x", "bytes");
  const seq = store.usage().headSeq;
  files.unlink("/d\xff/\x01 x");
  files.rmdir("/d\xff");
  t.strictSame(store.content((await store.past.at(seq).find("/d\xff/\x01 x"))?.hash ?? null), bytesOf("bytes"));
  t.equal(await store.past.at(store.usage().headSeq).find("/d\xff"), null);
  const directory = await store.past.directoryOnceAt(ROOT_NODE, "d\xff");
  t.type(directory, "number");
  t.equal(await store.past.directoryOnceAt(ROOT_NODE, "other"), null);
  t.equal((await store.past.memoriesAt("/d\xff/\x01 x")).length, 1);
});

t.test("a directory with many names and a long past is listed whole", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  for (let name = 0; name < 1200; name++) files.write(`/${name}`, "x");
  const seq = store.usage().headSeq;
  for (let name = 0; name < 1200; name++) files.unlink(`/${name}`);
  files.write("/last", "x");
  const names = async (at: number): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name } of store.past.at(at).list(ROOT_NODE)) found.push(name);
    return found;
  };
  t.equal((await names(seq)).length, 1200);
  t.strictSame(await names(store.usage().headSeq), ["last"]);
  t.equal(new Set(await names(seq)).size, 1200);
});
