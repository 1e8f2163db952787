/** Laws of undo, tried with random histories. */
import t from "tap";
import { parseId } from "../../lib/id.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Actor, Reversed } from "../../lib/store/types.ts";
import { Player } from "../fixtures/player.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { storeFixture } from "../fixtures/store.ts";
import { bytesOf } from "../fixtures/store-files.ts";
import { present } from "../fixtures/trees.ts";
import { cause, changes, kept, OTHER, tree } from "../fixtures/undoing.ts";

/** What the files and links of a {@link Player} say, each by its number. */
async function textsIn(store: Store): Promise<Set<string>> {
  return new Set((await present(store)).flatMap(({ text }) => / (?:to )?(\d+) x*$/.exec(text)?.[1] ?? []));
}

/** What memories say that stay deleted, because others have taken their paths. */
async function textsKept(store: Store, { kept }: Reversed): Promise<string[]> {
  const texts: string[] = [];
  for (const { memoryId, reason } of kept) {
    if (memoryId === null || !reason.includes("stays deleted")) continue;
    for await (const { hash } of store.past.versionsOf(parseId("mem", memoryId)))
      texts.push(/^\d+/.exec(store.content(hash).toString())?.[0] ?? "");
  }
  return texts;
}

t.test("undo of the undo is identity, and of a session that nobody built on it is the state without it", async (t) => {
  const seed = testSeed(t);
  const random = randomFrom(seed);
  const { store } = await storeFixture(t);
  const player = new Player(store, random);
  for (let round = 0; round < 25; round++) {
    player.files.actor = OTHER;
    for (let step = 0; step < 15; step++) await player.step();
    const before = await tree(store);
    player.files.actor = { type: "session", sessionId: `round-${round}`, agent: "scout" };
    store.record("mount.attached", {}, { actor: player.files.actor });
    for (let step = 0; step < 15; step++) await player.step();
    const after = await tree(store);
    const of = { session: `round-${round}` };
    const preview = await store.reversal.undo({ of, dryRun: true }, cause);
    t.strictSame(await tree(store), after, "a preview changes nothing");
    const done = await store.reversal.undo({ of }, cause);
    t.strictSame([changes(done), kept(done)], [changes(preview), kept(preview)], "the preview told what was to come");
    const undone = await tree(store);
    if (done.kept.length === 0 && !t.strictSame(undone, before, `round ${round}: the state without the session`))
      return;
    if (done.seq !== null) {
      const { seq } = await store.reversal.undo({ of: { seq: done.seq } }, cause);
      if (!t.strictSame(await tree(store), after, `round ${round}: the undo undone`)) return;
      await store.reversal.undo({ of: { seq: seq ?? 0 } }, cause);
      if (!t.strictSame(await tree(store), undone, `round ${round}: and that undone`)) return;
    }
    t.strictSame(await store.check(), []);
  }
});

t.test(
  "with others in between: again there is nothing to do, back it is identity, and nothing of others is lost",
  async (t) => {
    const random = randomFrom(testSeed(t));
    const { store } = await storeFixture(t);
    const player = new Player(store, random);
    for (let round = 0; round < 25; round++) {
      const of = { session: `round-${round}` };
      const theirs: Actor = { type: "session", sessionId: of.session, agent: "scout" };
      store.record("mount.attached", {}, { actor: theirs });
      const ofOthers = new Set<string>();
      for (let step = 0; step < 30; step++) {
        player.files.actor = random() < 0.5 ? OTHER : theirs;
        const made = player.made;
        await player.step();
        if (player.files.actor === OTHER && player.made > made) ofOthers.add(String(made));
      }
      const after = await tree(store);
      const texts = await textsIn(store);
      const lost = [...ofOthers].filter((text) => texts.has(text));
      const preview = await store.reversal.undo({ of, dryRun: true }, cause);
      t.strictSame(await tree(store), after, "a preview changes nothing");
      const done = await store.reversal.undo({ of }, cause);
      t.strictSame([changes(done), kept(done)], [changes(preview), kept(preview)], "the preview told what was to come");
      const undone = await tree(store);
      const left = new Set([...(await textsIn(store)), ...(await textsKept(store, done))]);
      if (
        !t.strictSame(
          lost.filter((text) => !left.has(text)),
          [],
          `round ${round}: what others wrote stays`,
        )
      )
        return;
      if (done.seq === null) continue;
      const again = await store.reversal.undo({ of }, cause);
      if (!t.strictSame([again.seq, await tree(store)], [null, undone], `round ${round}: nothing again`)) return;
      const { seq } = await store.reversal.undo({ of: { seq: done.seq } }, cause);
      if (!t.strictSame(await tree(store), after, `round ${round}: the undo undone`)) return;
      await store.reversal.undo({ of: { seq: seq ?? 0 } }, cause);
      if (!t.strictSame(await tree(store), undone, `round ${round}: and that undone`)) return;
      t.strictSame(await store.check(), []);
    }
  },
);

t.test("a rollback is undone like anything else", async (t) => {
  const seed = testSeed(t);
  const random = randomFrom(seed);
  const { store } = await storeFixture(t);
  const player = new Player(store, random);
  const moments: number[] = [];
  for (let round = 0; round < 15; round++) {
    for (let step = 0; step < 25; step++) {
      await player.step();
      moments.push(store.usage().headSeq);
    }
    const before = await tree(store);
    const to = { seq: moments[Math.floor(random() * moments.length)] ?? 1 };
    const { seq } = await store.reversal.rollbackTree({ path: bytesOf("/"), to }, cause);
    if (seq === null) continue;
    const { kept } = await store.reversal.undo({ of: { seq } }, cause);
    t.strictSame(kept, []);
    if (!t.strictSame(await tree(store), before, `round ${round}`)) return;
    t.strictSame(await store.check(), []);
  }
});
