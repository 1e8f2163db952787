import fc from "fast-check";
import { LCS } from "node-diff3";
import t from "tap";
import { matchShort } from "../../lib/text/short-script.ts";
import { testSeed } from "../fixtures/random.ts";

const element = fc.constantFrom("a", "b", "c", "d");
const elements = fc.array(element, { maxLength: 20 });

/** The length of a longest common subsequence, by a library. */
function longest(a: string[], b: string[]): number {
  let length = 0;
  for (let last = LCS(a, b) as { chain: unknown } | null; last?.chain; last = last.chain as { chain: unknown })
    length++;
  return length;
}

t.test("what is found is common, ascends and is as long as can be", async (t) => {
  fc.assert(
    fc.property(elements, elements, (a, b) => {
      const found = matchShort(a, b, 40) ?? [];
      t.ok(found.every(({ at, newAt }) => a[at] === b[newAt] && at < a.length));
      t.ok(
        found.every(
          ({ at, newAt }, index) => index === 0 || (at > found[index - 1]!.at && newAt > found[index - 1]!.newAt),
        ),
      );
      t.equal(found.length, longest(a, b));
    }),
    { seed: testSeed(t), numRuns: 500 },
  );
});

t.test("more differences than asked for are not looked for", async (t) => {
  fc.assert(
    fc.property(elements, elements, fc.nat(12), (a, b, most) => {
      const differences = a.length + b.length - 2 * longest(a, b);
      t.equal(matchShort(a, b, most) === null, differences > most);
    }),
    { seed: testSeed(t), numRuns: 500 },
  );
});
