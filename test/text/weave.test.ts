/** Lines of two parties, woven and taken apart again. */
import t from "tap";
import { diffLines } from "../../lib/text/diff.ts";
import { type Unwoven, Weave } from "../../lib/text/weave.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";

/** Texts as words, each word a line; those of theirs begin with `>`. */
function unweave(base: string, steps: readonly string[], force = false): Unwoven {
  const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");
  let before = words(base);
  const weave = new Weave(before);
  for (const step of steps) {
    const theirs = step.startsWith(">");
    const after = words(step.replace(/^>/, ""));
    weave.step(after, diffLines(before, after), { theirs, force });
    before = after;
  }
  return weave.unweave();
}

const cases: readonly [what: string, base: string, steps: readonly string[], left: string, kept: string][] = [
  ["nothing of theirs", "a b", ["a x b"], "a x b", ""],
  ["added", "a b", ["> a x b"], "a b", ""],
  ["removed", "a b c", ["> a c"], "a b c", ""],
  ["rewritten", "a b c", ["> a B c"], "a b c", ""],
  ["all of it", "a b c", [">"], "a b c", ""],
  ["from nothing", "", ["> a b"], "", ""],
  ["twice", "a b c", ["> a B c", "> a B2 c"], "a b c", ""],
  ["added and removed again", "a", ["> a x", "> a"], "a", ""],
  ["others beside", "a b c", ["> a B c", "a B y c"], "a b y c", ""],
  ["others before and behind", "a b c", ["> a B c", "z a B c d"], "z a b c d", ""],
  ["others between two of theirs", "a b", ["> a x b", "a y x b", "> a y x w b"], "a y b", ""],
  ["others removed what theirs had added", "a", ["> a x", "a"], "a", ""],
  ["others rewrote what theirs had added", "a", ["> a x", "a y"], "a y", "rewritten y"],
  ["others rewrote one line of those added", "a", ["> a x y z", "a x Y z"], "a Y", "rewritten Y"],
  ["others rewrote what had replaced theirs", "a b c", ["> a B c", "a BB c"], "a BB c", "rewritten BB"],
  ["others removed what had replaced theirs", "a b c", ["> a B c", "a c"], "a c", ""],
  ["others put back", "a b c", ["> a c", "a b c"], "a b c", "restored b"],
  ["others put back one of two", "a b c d", ["> a d", "a b d"], "a c b d", "restored b"],
  ["the same line elsewhere is another one", "a b c d", ["> a c d", "a c d b"], "a b c d b", ""],
];

for (const [what, base, steps, left, kept] of cases) {
  t.test(`lines without theirs: ${what}`, async (t) => {
    const { lines, kept: found } = unweave(base, steps);
    t.equal(lines.join(" "), left);
    t.equal(found.map(({ reason, text }) => `${reason} ${text}`).join(", "), kept);
  });
}

t.test("with force what others made of their lines goes, and nothing else of others", async (t) => {
  t.equal(unweave("a b c", ["> a B c", "z a BB c"], true).lines.join(" "), "z a b c");
  t.equal(unweave("a", ["> a x y", "a X y"], true).lines.join(" "), "a");
  t.equal(unweave("a b", ["> a x b", "a x y b"], true).lines.join(" "), "a y b", "beside is not upon");
  t.strictSame(unweave("a b c", ["> a B c", "a BB c"], true).kept, []);
});

t.test("every line that others added and nobody removed stays, and without others all is as before", async (t) => {
  const random = randomFrom(testSeed(t));
  const below = (limit: number): number => Math.floor(random() * limit);
  for (let round = 0; round < 300; round++) {
    const base = Array.from({ length: below(8) }, (_, index) => `base${index}`);
    const alone = below(3) === 0;
    let before = base;
    const weave = new Weave(base);
    const ours = new Set(base);
    const removedByOthers = new Set<string>();
    for (let step = 0; step < 12; step++) {
      const theirs = alone || below(2) === 0;
      const after = [...before];
      for (let count = below(3); count >= 0; count--) {
        const removed = below(3) === 0 ? after.splice(below(after.length + 1), below(3)) : [];
        if (!theirs) for (const line of removed) removedByOthers.add(line);
        const line = `${theirs ? "theirs" : "ours"}${step}.${count}`;
        if (below(4) > 0) after.splice(below(after.length + 1), 0, line);
        if (!theirs && after.includes(line)) ours.add(line);
      }
      weave.step(after, diffLines(before, after), { theirs, force: false });
      before = after;
    }
    const { lines, kept } = weave.unweave();
    if (alone) t.strictSame(lines, base, `round ${round}: nobody else`);
    const present = before.filter((line) => ours.has(line));
    const missing = present.filter((line) => !lines.includes(line));
    if (!t.strictSame(missing, [], `round ${round}: lines of others that are there stay`)) return;
    const order = lines.filter((line) => present.includes(line));
    t.strictSame(order, present, "in their order");
    const strange = lines.filter((line) => line.startsWith("theirs") && !kept.some(({ text }) => text === line));
    t.strictSame(strange, [], "what stays of theirs is listed");
    t.strictSame(
      lines.filter((line) => removedByOthers.has(line)),
      [],
      "what others removed stays removed",
    );
  }
});
