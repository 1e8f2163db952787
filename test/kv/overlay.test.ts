/** What waits for LevelDB is found by key and by range, like in a map. */
import t, { type Test } from "tap";
import { Batch } from "../../lib/kv/batch.ts";
import { Overlay } from "../../lib/kv/overlay.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";

type Entry = [key: string, value: Buffer | null];

const SPACES = [2, 70_000];
const BATCHES = 5000;

t.test("overlay: what random batches leave behind is found as in a map, whoever had the memory before", (t) => {
  const random = randomFrom(testSeed(t));
  for (let round = 1; round <= 3; round++) {
    const overlay = new Overlay();
    compareWithMaps(t, overlay, random);
    overlay.free();
  }
  t.end();
});

function compareWithMaps(t: Test, overlay: Overlay, random: () => number): void {
  const below = (limit: number): number => Math.floor(random() * limit);
  const randomKey = (): string => {
    // Short ones are written again and again, and many begin with others.
    const length = below(3) === 0 ? below(300) : below(4);
    return Array.from({ length }, () => String.fromCharCode([0, 97, 98, 255][below(4)] ?? 0)).join("");
  };
  const model = new Map(SPACES.map((space) => [space, new Map<string, Buffer | null>()]));
  for (let seq = 1; seq <= BATCHES; seq++) {
    const space = SPACES[below(SPACES.length)] ?? 1;
    const batch = new Batch();
    for (let count = below(8); count >= 0; count--) {
      const key = randomKey();
      const value = below(4) === 0 ? null : Buffer.alloc(below(500) === 0 ? 40_000 : below(40), seq % 256);
      batch.put(key, value);
      model.get(space)?.set(key, value);
    }
    overlay.put(space, batch, seq);
    batch.done();
  }
  t.equal(overlay.lastSeq, BATCHES);
  for (const [space, expected] of model) {
    const got = [...expected.keys()].map((key): Entry => [key, overlay.get(space, key) ?? null]);
    t.strictSame(sorted(got), sorted(expected), "each by its key");
    for (let tries = 0; tries < 50; tries++) {
      const key = randomKey();
      t.strictSame(overlay.get(space, key), expected.get(key));
      const [gte, lt] = [key, below(2) === 0 ? key + "\xff" : randomKey()];
      const found = new Map<string, Buffer | null>();
      overlay.collect(space, { gte, lt }, found);
      t.strictSame(sorted(found), sorted([...expected].filter(([one]) => one >= gte && one < lt)), "a range");
    }
  }
  const all = new Map(SPACES.map((space): [number, Entry[]] => [space, []]));
  const changes = overlay.changes({ changes: 1 + below(40), bytes: 1 + below(4000) });
  while (!changes.ended) {
    const piece = changes.take();
    for (let change = 0; change < piece.size; change++) {
      const value = piece.valueOf(change);
      all.get(piece.spaceOf(change))?.push([piece.keyOf(change).toString("latin1"), value && Buffer.from(value)]);
    }
  }
  for (const [space, expected] of model) t.strictSame(sorted(all.get(space) ?? []), sorted(expected), "all, each once");
  overlay.drop(2);
  t.equal(overlay.get(2, "a"), undefined);
}

function sorted(entries: Iterable<Entry>): Entry[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}
