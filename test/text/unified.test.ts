import fc from "fast-check";
import t from "tap";
import { joinLines, splitLines } from "../../lib/text/lines.ts";
import { CONTEXT, unifiedDiff, unifiedHunks, type UnifiedHunk } from "../../lib/text/unified.ts";
import { testSeed } from "../fixtures/random.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const hunks = (before: string, after: string): UnifiedHunk[] =>
  unifiedHunks(splitLines(bytes(before)), splitLines(bytes(after)));

const MARKS = { context: " ", removed: "-", added: "+" };

/** As GNU's `diff -u` writes it. */
function written(before: string, after: string): string[] {
  return hunks(before, after).flatMap(({ from, fromCount, to, toCount, lines }) => [
    `@@ -${from},${fromCount} +${to},${toCount} @@`,
    ...lines.map(({ kind, text, terminated }) => `${MARKS[kind]}${text}${terminated ? "" : "\\"}`),
  ]);
}

t.test("hunks count lines from 1, and name the line before where there are none", async (t) => {
  t.strictSame(written("", "a\nb\n"), ["@@ -0,0 +1,2 @@", "+a", "+b"]);
  t.strictSame(written("a\n", ""), ["@@ -1,1 +0,0 @@", "-a"]);
  t.strictSame(written("a\nb\nc\nd\ne\nf\ng\nh\n", "a\nb\nc\nd\nE\nf\ng\nh\n"), [
    "@@ -2,7 +2,7 @@",
    " b",
    " c",
    " d",
    "-e",
    "+E",
    " f",
    " g",
    " h",
  ]);
  t.strictSame(written("a\n", "a\n"), []);
  t.strictSame(written("", ""), []);
});

t.test("changes up to six lines apart are one hunk, others are two", async (t) => {
  const text = (first: string, between: number, last: string): string =>
    [first, ...Array.from({ length: between }, (_, line) => `same ${line}`), last, ""].join("\n");
  t.equal(hunks(text("a", 6, "b"), text("A", 6, "B")).length, 1);
  t.strictSame(
    hunks(text("a", 7, "b"), text("A", 7, "B")).map(({ from, fromCount }) => [from, fromCount]),
    [
      [1, 4],
      [6, 4],
    ],
  );
});

t.test("a line feed that only one side has at its end is a change", async (t) => {
  t.strictSame(written("a\nb", "a\nb\n"), ["@@ -1,2 +1,2 @@", " a", "-b\\", "+b"]);
  t.strictSame(written("a\nb", "a\nc"), ["@@ -1,2 +1,2 @@", " a", "-b\\", "+c\\"]);
  t.strictSame(written("x\nb", "y\nb"), ["@@ -1,2 +1,2 @@", "-x", "+y", " b\\"]);
  t.strictSame(written("a\n", "a\n\n"), ["@@ -1,1 +1,2 @@", " a", "+"]);
});

const content = fc
  .array(fc.constantFrom("", "a", "b", "c\r", "unique 1", "unique 2"), { maxLength: 25 })
  .chain((lines) => fc.boolean().map((terminated) => joinLines({ lines, terminated }).toString("latin1")));

/** What `patch` would make of it. */
function patched(before: string, found: readonly UnifiedHunk[]): string {
  const source = splitLines(bytes(before));
  const all = source.lines.map((text, index) => ({
    text,
    terminated: source.terminated || index < source.lines.length - 1,
  }));
  const result: { text: string; terminated: boolean }[] = [];
  let at = 0;
  for (const { from, fromCount, lines } of found) {
    const start = fromCount === 0 ? from : from - 1;
    result.push(...all.slice(at, start), ...lines.filter(({ kind }) => kind !== "removed"));
    at = start + fromCount;
  }
  result.push(...all.slice(at));
  return result.map(({ text, terminated }) => text + (terminated ? "\n" : "")).join("");
}

t.test(
  "hunks make one text of the other, with at most three lines of context, and are empty only for equal ones",
  async (t) => {
    fc.assert(
      fc.property(content, content, (before, after) => {
        const found = hunks(before, after);
        t.equal(patched(before, found), after);
        t.equal(found.length === 0, before === after);
        for (const { lines, fromCount, toCount } of found) {
          t.equal(lines.filter(({ kind }) => kind !== "added").length, fromCount);
          t.equal(lines.filter(({ kind }) => kind !== "removed").length, toCount);
          const first = lines.findIndex(({ kind }) => kind !== "context");
          const last = lines.findLastIndex(({ kind }) => kind !== "context");
          t.ok(first >= 0 && first <= CONTEXT && lines.length - 1 - last <= CONTEXT);
        }
      }),
      { seed: testSeed(t), numRuns: 500 },
    );
  },
);

t.test("contents are compared as their lines are, wherever they begin to differ", async (t) => {
  // Longer than what is compared at once.
  const far = fc.constantFrom("", "a\nb\nc\nd\n", `${"a line of some length\n".repeat(400)}`, "x".repeat(5000));
  fc.assert(
    fc.property(far, content, content, far, (start, before, after, end) => {
      const [a, b] = [start + before + end, start + after + end];
      t.strictSame(unifiedDiff(bytes(a), bytes(b)), hunks(a, b));
    }),
    { seed: testSeed(t), numRuns: 500 },
  );
});

t.test("of large contents only what differs counts", async (t) => {
  const line = "one line of a large text\n";
  const large = line.repeat(200_000);
  const changed = `${large.slice(0, line.length * 100_000)}new\n${large.slice(line.length * 100_000)}`;
  t.match(unifiedDiff(bytes(large), bytes(changed)), [{ fromCount: 6, toCount: 7 }]);
  t.match(unifiedDiff(bytes(large), bytes(`${large}end`)), [{ from: 199_998, fromCount: 3, to: 199_998, toCount: 4 }]);
  t.equal(unifiedDiff(bytes(large), bytes(`first\n${large}last\n`)), null, "too much between the ends");
  t.strictSame(unifiedDiff(bytes(large), bytes(large)), []);
});
