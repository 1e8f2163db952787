/** What waits for LevelDB is found by key and by range, like in a map. */
import t from "tap";
import { Batch } from "../../lib/kv/batch.ts";
import { Overlay } from "../../lib/kv/overlay.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";

const SPACES = [1, 2, 70_000];

t.test("overlay: what random batches leave behind is found as in a map", (t) => {
  const random = randomFrom(testSeed(t));
  const below = (limit: number): number => Math.floor(random() * limit);
  const randomKey = (): string => {
    // Few bytes, so that many keys are written again, and many begin with others.
    const length = below(10) === 0 ? below(300) : below(4);
    return Array.from({ length }, () => String.fromCharCode([0, 97, 98, 255][below(4)] ?? 0)).join("");
  };
  const overlay = new Overlay();
  const model = new Map(SPACES.map((space) => [space, new Map<string, Buffer | null>()]));
  for (let seq = 1; seq <= 2000; seq++) {
    const space = SPACES[below(SPACES.length)] ?? 1;
    const batch = new Batch();
    for (let count = below(8); count >= 0; count--) {
      const key = randomKey();
      const value = below(4) === 0 ? null : Buffer.alloc(below(50) === 0 ? 40_000 : below(40), seq % 256);
      batch.put(key, value);
      model.get(space)?.set(key, value);
    }
    overlay.put(space, batch, seq);
    batch.done();
  }
  t.equal(overlay.lastSeq, 2000);
  for (const [space, expected] of model) {
    for (const [key, value] of expected) t.strictSame(overlay.get(space, key), value);
    for (let tries = 0; tries < 200; tries++) {
      const key = randomKey();
      t.strictSame(overlay.get(space, key), expected.get(key));
    }
    const [gte, lt] = [randomKey(), "b" + randomKey()];
    const found = new Map<string, Buffer | null>();
    overlay.collect(space, { gte, lt }, found);
    t.strictSame(sorted(found), sorted([...expected].filter(([key]) => key >= gte && key < lt)));
  }
  const all = new Map(SPACES.map((space) => [space, new Map<string, Buffer | null>()]));
  for (const [space, key, value] of overlay.entries()) {
    t.notOk(all.get(space)?.has(key.toString("latin1")), "each key once");
    all.get(space)?.set(key.toString("latin1"), value && Buffer.from(value));
  }
  for (const [space, expected] of model) t.strictSame(sorted(all.get(space) ?? []), sorted(expected));
  overlay.drop(2);
  t.equal(overlay.get(2, "a"), undefined);
  t.end();
});

function sorted(entries: Iterable<[string, Buffer | null]>): [string, Buffer | null][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}
