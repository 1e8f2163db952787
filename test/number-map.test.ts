import t from "tap";
import { NumberMap } from "../lib/number-map.ts";
import { randomFrom, testSeed } from "./fixtures/random.ts";

interface Value {
  readonly of: number;
}

t.test("what is set is there, in the order in which keys came, until it is deleted", async (t) => {
  const map = new NumberMap<Value>();
  t.equal(map.get(7), undefined);
  for (const key of [7, 1, 2 ** 40, 0, 64, 128]) map.set(key, { of: key });
  map.set(1, { of: -1 });
  t.strictSame(map.keys(), [7, 1, 2 ** 40, 0, 64, 128]);
  t.strictSame(
    map.values().map(({ of }) => of),
    [7, -1, 2 ** 40, 0, 64, 128],
  );
  t.equal(map.delete(0), true, "what was in the way of others");
  t.equal(map.delete(0), false);
  t.strictSame(
    [64, 128].map((key) => map.get(key)),
    [{ of: 64 }, { of: 128 }],
  );
  map.set(0, { of: 0 });
  t.strictSame(map.keys(), [7, 1, 2 ** 40, 64, 128, 0], "as a new one");
  t.equal(
    map.some(({ of }) => of === 128),
    true,
  );
  t.equal(
    map.some(({ of }) => of === 1),
    false,
  );
  for (const key of [-1, 0.5, NaN, 2 ** 53]) t.throws(() => map.set(key, { of: key }), RangeError, `${key}`);
  t.equal(map.size, 6);
});

t.test("it does what a Map does", async (t) => {
  const random = randomFrom(testSeed(t));
  for (let world = 0; world < 30; world++) {
    const map = new NumberMap<Value>();
    const model = new Map<number, Value>();
    // Close together, a table apart, and anywhere.
    const steps = [1, 64, 2 ** 31, 2 ** 20 + 1];
    const step = steps[world % steps.length] ?? 1;
    const keys = 1 + Math.floor(random() * 200);
    for (let round = 0; round < 2000; round++) {
      const key = Math.floor(random() * keys) * step;
      if (random() < 0.5) {
        map.set(key, { of: round });
        model.set(key, { of: round });
      } else if (map.delete(key) !== model.delete(key)) return void t.fail(`round ${round}: delete ${key}`);
      const asked = Math.floor(random() * keys) * step;
      if (map.get(asked)?.of !== model.get(asked)?.of || map.has(asked) !== model.has(asked))
        return void t.fail(`round ${round}: get ${asked}`);
    }
    t.strictSame(map.keys(), [...model.keys()]);
    t.strictSame(map.values(), [...model.values()]);
    t.equal(map.size, model.size);
  }
});
