/** Rollback of a directory or a whole store: it is what it was, and what was is still history. */
import t, { type Test } from "tap";
import { formatId } from "../../lib/id.ts";
import { S_IFIFO } from "../../lib/store/tree/mode.ts";
import { create } from "../../lib/store/tree/entries.ts";
import type { Store } from "../../lib/store/store.ts";
import { ROOT_NODE } from "../../lib/store/tree/tree.ts";
import type { Reversed } from "../../lib/store/types.ts";
import { Player } from "../fixtures/player.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { OPERATOR, storeFixture } from "../fixtures/store.ts";
import { bytesOf, StoreFiles } from "../fixtures/store-files.ts";
import { past, present } from "../fixtures/trees.ts";

const cause = { actor: OPERATOR };

interface Fixture {
  readonly store: Store;
  readonly files: StoreFiles;
  /** The moment now. */
  now(): number;
  back(seq: number, path?: string): Promise<Reversed>;
}

async function fixture(t: Test): Promise<Fixture> {
  const { store } = await storeFixture(t);
  const back = (seq: number, path = "/"): Promise<Reversed> =>
    store.reversal.rollbackTree({ path: bytesOf(path), to: { seq } }, cause);
  return { store, files: new StoreFiles(store), now: () => store.usage().headSeq, back };
}

/** Names with content and memory, sorted. */
async function tree(store: Store): Promise<string[]> {
  return (await present(store))
    .map(({ text, memory }) => `${text} ${memory === null ? "" : formatId("mem", memory)}`)
    .sort();
}

/** `action path`, sorted. */
function summary({ changes }: Reversed): string[] {
  return changes.map(({ action, path }) => `${action} ${path.toString("latin1")}`).sort();
}

t.test("after random changes a store goes back to random moments, which a preview tells before", async (t) => {
  const seed = testSeed(t);
  const random = randomFrom(seed);
  const { store } = await storeFixture(t);
  const player = new Player(store, random);
  const moments: number[] = [];
  for (let round = 0; round < 40; round++) {
    for (let step = 0; step < 25; step++) {
      await player.step();
      const { headSeq } = store.usage();
      if (store.past.seqOf({ seq: headSeq }) === headSeq && moments.at(-1) !== headSeq) moments.push(headSeq);
    }
    const seq = moments[Math.floor(random() * moments.length)] ?? 1;
    const before = await tree(store);
    const request = { path: bytesOf("/"), to: { seq } };
    const preview = await store.reversal.rollbackTree({ ...request, dryRun: true }, cause);
    t.strictSame(await tree(store), before, "a preview changes nothing");
    const done = await store.reversal.rollbackTree(request, cause);
    t.strictSame(summary(done), summary(preview), "the preview told what was to come");
    const wanted = await past(store, store.past.at(seq));
    const found = (await present(store)).map(({ text }) => text).sort();
    if (!t.strictSame(found, wanted, `back at ${seq} in round ${round}`)) return;
    const now = store.usage().headSeq;
    t.strictSame(await past(store, store.past.at(now)), wanted, "looking back agrees");
    const again = await store.reversal.rollbackTree(request, cause);
    t.strictSame([again.seq, summary(again)], [null, []], "there is nothing left to do");
    t.strictSame(await store.check(), []);
    // And forward again: a rollback is itself no end.
    const { headSeq } = store.usage();
    await store.reversal.rollbackTree({ path: bytesOf("/"), to: { seq: now - (done.seq === null ? 0 : 1) } }, cause);
    t.ok(store.usage().headSeq >= headSeq);
  }
});

t.test("made since: deleted; deleted since: back under its id; moved and changed since: as before", async (t) => {
  const { store, files, now, back } = await fixture(t);
  files.mkdir("/d");
  for (const name of ["gone", "moved", "changed"]) files.write(`/d/${name}`, name);
  files.symlink("to there", "/d/link");
  const ids = ["gone", "moved", "changed"].map((name) => store.memoryAt(bytesOf(`/d/${name}`)).id);
  const then = now();
  const before = await tree(store);
  files.unlink("/d/gone");
  await files.rename("/d/moved", "/elsewhere");
  files.write("/d/changed", "other");
  files.write("/d/new", "new");
  files.mkdir("/more");
  files.write("/more/f", "f");
  files.unlink("/d/link");
  const result = await back(then);
  t.strictSame(summary(result), [
    "deleted /d/new",
    "deleted /more",
    "deleted /more/f",
    "modified /d/changed",
    "moved /d/moved",
    "restored /d/gone",
    "restored /d/link",
  ]);
  t.strictSame(
    (await tree(store)).map((line) => line.split(" ")[0]),
    before.map((line) => line.split(" ")[0]),
  );
  t.strictSame(
    ["gone", "moved", "changed"].map((name) => store.memoryAt(bytesOf(`/d/${name}`)).id),
    ids,
  );
  const moved = result.changes.find(({ action }) => action === "moved");
  t.match(moved, {
    from: bytesOf("/elsewhere"),
    to: { n: 1 },
    version: { operation: "modified", note: `rollback to #${then}` },
  });
});

t.test("files and directories that changed places in a circle go back to theirs", async (t) => {
  const { store, files, now, back } = await fixture(t);
  for (const name of ["a", "b", "c"]) {
    files.mkdir(`/${name}`);
    files.write(`/${name}/f`, name);
    files.write(`/${name}.md`, name);
  }
  files.mkdir("/a/inner");
  const before = await tree(store);
  const then = now();
  for (const [from, to] of [
    ["a", "x"],
    ["b", "a"],
    ["c", "b"],
    ["x", "c"],
  ] as const) {
    await files.rename(`/${from}`, `/${to}`);
    await files.rename(`/${from}.md`, `/${to}.md`);
  }
  await files.rename("/c/inner", "/outer");
  await files.rename("/a", "/outer/a");
  await back(then);
  t.strictSame(await tree(store), before);
});

t.test("only what is in the directory goes back, and what had left it comes back", async (t) => {
  const { files, now, back } = await fixture(t);
  files.mkdir("/d");
  files.mkdir("/other");
  files.write("/d/f", "1");
  files.write("/d/left", "left");
  files.write("/other/g", "1");
  files.write("/other/came", "came");
  const then = now();
  files.write("/d/f", "2");
  files.write("/other/g", "2");
  await files.rename("/d/left", "/other/left");
  await files.rename("/other/came", "/d/came");
  t.strictSame(summary(await back(then, "/d/")), ["modified /d/f", "moved /d/left", "moved /other/came"]);
  t.equal(files.read("/d/f").toString(), "1");
  t.equal(files.read("/other/g").toString(), "2");
  t.equal(files.read("/other/came").toString(), "came");
});

t.test("a directory that was moved or removed goes back as a whole", async (t) => {
  const { store, files, now, back } = await fixture(t);
  files.mkdir("/d");
  files.mkdir("/d/e");
  files.write("/d/e/f", "f");
  const then = now();
  const before = await tree(store);
  await files.rename("/d", "/moved");
  await back(then, "/d");
  t.strictSame(await tree(store), before);
  files.unlink("/d/e/f");
  files.rmdir("/d/e");
  files.rmdir("/d");
  await back(then, "/d/e");
  t.strictSame(
    (await tree(store)).map((line) => line.replace(/ .*/, "")),
    ["/d", "/d/e", "/d/e/f"],
  );
});

t.test("scratch and what is no memory stay, and keep their directory", async (t) => {
  const { store, files, now, back } = await fixture(t);
  files.write("/f", "1");
  const then = now();
  files.write("/f", "2");
  files.mkdir("/made");
  files.mkdir("/made/.git");
  files.write("/made/.git/config", "scratch");
  files.write("/made/note", "note");
  files.mkdir("/piped");
  store.update(cause, (tx) =>
    create(tx, { parent: files.node("/piped"), name: "pipe" }, { mode: S_IFIFO | 0o600, uid: 0, gid: 0 }),
  );
  const result = await back(then);
  t.strictSame(summary(result), ["deleted /made/note", "modified /f"]);
  t.strictSame(result.kept.map(({ kind, path }) => `${kind} ${path.toString()}`).sort(), [
    "directory /made",
    "directory /piped",
  ]);
  t.equal(files.read("/made/.git/config").toString(), "scratch");
  t.ok(files.entry("/piped/pipe"));
});

t.test("what is in the way is named, and then nothing has changed", async (t) => {
  const { store, files, now, back } = await fixture(t);
  files.mkdir("/d");
  files.write("/d/f", "f");
  const then = now();
  await files.rename("/d/f", "/f");
  files.rmdir("/d");
  store.update(cause, (tx) => create(tx, { parent: ROOT_NODE, name: "d" }, { mode: S_IFIFO | 0o600, uid: 0, gid: 0 }));
  const before = await tree(store);
  const { headSeq } = store.usage();
  await t.rejects(back(then), { code: "exists", message: /\/d is in the way of a directory/ });
  t.strictSame(await tree(store), before);
  t.equal(store.usage().headSeq, headSeq);
});

t.test("moments and directories that never were are refused", async (t) => {
  const { store, files, now, back } = await fixture(t);
  files.write("/f", "f");
  const then = now();
  files.mkdir("/later");
  await t.rejects(back(0), { code: "not_found", message: /did not exist at that moment/ });
  await t.rejects(back(99_999), { code: "not_found" });
  await t.rejects(back(then, "/later"), { code: "not_found", message: /\/later was no directory then/ });
  await t.rejects(back(then, "/f"), { code: "not_found", message: /\/f was no directory/ });
  t.equal(now(), store.usage().headSeq);
});

t.test("one entry of the journal tells of it, and the chain holds", async (t) => {
  const { store, files, now, back } = await fixture(t);
  for (let index = 0; index < 50; index++) files.write(`/f${index}`, "1");
  const then = now();
  for (let index = 0; index < 50; index++) files.write(`/f${index}`, "2");
  const before = now();
  const { seq, changes } = await back(then);
  t.equal(seq, before + 51);
  t.equal(changes.length, 50);
  t.equal(now(), seq);
  t.equal(store.past.seqOf({ seq: before + 1 }), seq, "no moment lies within it");
  t.ok((await store.verify()).ok);
});
