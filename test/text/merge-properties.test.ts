import fc from "fast-check";
import t from "tap";
import { merge } from "../../lib/text/merge.ts";
import { testSeed } from "../fixtures/random.ts";

const path = fc.constantFrom("notes.md", "config.json");

/** Small texts of few lines, so that the sides meet; some are JSON, or parts of it. */
const line = fc.constantFrom("", "a", "b", "- x", "# h", "}", "{", '"a": 1,', '"b": 2', "\r", "c\r", "\xff", "\0");
const text = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom("", "\n"))
  .map(([lines, end]) => Buffer.from(lines.join("\n") + end, "latin1"));

t.test("a side that changed nothing does not count, and the same change counts once", async (t) => {
  fc.assert(
    fc.property(text, text, path, (b, x, path) => {
      t.same(merge(b, b, x, { path }), x);
      t.same(merge(b, x, b, { path }), x);
      t.same(merge(b, x, x, { path }), x);
    }),
    { seed: testSeed(t), numRuns: 500 },
  );
});

t.test("whatever the bytes are, a merge has a result", async (t) => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const any = fc.oneof(text, bytes);
  fc.assert(
    fc.property(any, any, any, path, (base, head, mine, path) => {
      const merged = merge(base, head, mine, { path });
      t.ok(merged === null || Buffer.isBuffer(merged));
    }),
    { seed: testSeed(t), numRuns: 2000 },
  );
});

/** One side's edit of each line of the base and of the place behind it. Places are chosen, so that both sides meet. */
interface Edit {
  readonly line: "keep" | "remove" | "change" | "same change";
  readonly inserted: number;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  line: fc.constantFrom("keep", "keep", "keep", "keep", "remove", "change", "same change"),
  inserted: fc.constantFrom(0, 0, 0, 0, 1, 2),
});

function edited(edits: readonly Edit[], side: string): string[] {
  return edits.flatMap((edit, at) => {
    const changed = edit.line === "change" ? [`line ${at} by ${side}`] : [`line ${at} by both`];
    const line = edit.line === "keep" ? [`line ${at}`] : edit.line === "remove" ? [] : changed;
    const inserted = Array.from({ length: edit.inserted }, (_, index) => `behind ${at} by ${side}, ${index}`);
    return [...line, ...inserted];
  });
}

const bytes = (lines: readonly string[]): Buffer => Buffer.from(lines.map((line) => `${line}\n`).join(""));
const linesOf = (content: Buffer): string[] => content.toString().split("\n").slice(0, -1);

t.test("a clean merge has every line that a side added, none that a side removed, and all others once", async (t) => {
  const sides = fc
    .integer({ min: 1, max: 12 })
    .chain((length) => fc.tuple(...[0, 1].map(() => fc.array(edit, { minLength: length, maxLength: length }))));
  let clean = 0;
  fc.assert(
    fc.property(sides, (both) => {
      const [ours = [], theirs = []] = both;
      const base = ours.map((_, at) => `line ${at}`);
      const head = edited(ours, "head");
      const mine = edited(theirs, "mine");
      const merged = merge(bytes(base), bytes(head), bytes(mine), { path: "notes.md" });
      if (merged === null) return;
      clean++;
      const found = linesOf(merged);
      const expected = new Set([...head, ...mine].filter((line) => !base.includes(line)));
      for (const line of base) if (head.includes(line) && mine.includes(line)) expected.add(line);
      t.strictSame([...found].sort(), [...expected].sort());
      for (const side of [head, mine]) {
        const own = found.filter((line) => side.includes(line));
        t.strictSame(
          own,
          side.filter((line) => found.includes(line)),
          "in the order of each side",
        );
      }
    }),
    { seed: testSeed(t), numRuns: 2000 },
  );
  t.ok(clean > 200, `${clean} of 2000 were clean`);
});

t.test("lines that both sides leave alone keep their neighbours' changes apart: no conflict", async (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), (whose) => {
      const base = whose.map((_, at) => `line ${at}`);
      const by = (side: boolean): string[] => base.map((line, at) => (whose[at] === side ? `${line} changed` : line));
      const merged = merge(bytes(base), bytes(by(true)), bytes(by(false)), { path: "notes.md" });
      t.strictSame(
        merged && linesOf(merged),
        base.map((line) => `${line} changed`),
      );
    }),
    { seed: testSeed(t), numRuns: 300 },
  );
});
