import fc from "fast-check";
import t from "tap";
import { diffLines, type Hunk } from "../../lib/text/diff.ts";
import { isText, joinLines, splitLines } from "../../lib/text/lines.ts";
import { testSeed } from "../fixtures/random.ts";

const line = fc.constantFrom("", "a", "b", "c", "- item", "}", "unique 1", "unique 2", "constructor");
const lines = fc.array(line, { maxLength: 30 });

function patched(a: readonly string[], b: readonly string[], hunks: readonly Hunk[]): string[] {
  const result: string[] = [];
  let at = 0;
  for (const { from, to, newFrom, newTo } of hunks) {
    result.push(...a.slice(at, from), ...b.slice(newFrom, newTo));
    at = to;
  }
  return [...result, ...a.slice(at)];
}

t.test("the hunks turn one side into the other, and nothing in them could have stayed", async (t) => {
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const hunks = diffLines(a, b);
      t.strictSame(patched(a, b, hunks), b, "patched");
      let end = -1;
      for (const { from, to, newFrom, newTo } of hunks) {
        t.ok(from > end, "a line that is the same lies between two hunks");
        end = to;
        const common = a.slice(from, to).filter((text) => b.slice(newFrom, newTo).includes(text));
        t.strictSame(common, [], "a hunk has no line on both sides");
      }
    }),
    { seed: testSeed(t), numRuns: 500 },
  );
});

t.test("what is the same is no hunk", async (t) => {
  t.strictSame(diffLines(["a", "b"], ["a", "b"]), []);
  t.strictSame(diffLines([], []), []);
});

t.test("a moved block does not tear its neighbours apart", async (t) => {
  const a = ["one", "", "two", "", "three", ""];
  const b = ["three", "", "one", "", "two", ""];
  t.strictSame(diffLines(a, b), [
    { from: 0, to: 0, newFrom: 0, newTo: 2 },
    { from: 3, to: 5, newFrom: 5, newTo: 5 },
  ]);
});

t.test("very many equal lines are compared in a moment", async (t) => {
  const many = (count: number): string[] => Array.from({ length: count }, () => "same");
  const a = [...many(40_000), "x", ...many(40_000)];
  const b = [...many(50_000), "y", ...many(40_000)];
  t.strictSame(patched(a, b, diffLines(a, b)), b);
  const shuffled = Array.from({ length: 60_000 }, (_, index) => String((index * 7919) % 30_011));
  const other = Array.from({ length: 60_000 }, (_, index) => String((index * 104_729) % 30_011));
  t.strictSame(patched(shuffled, other, diffLines(shuffled, other)).length, other.length);
});

t.test("lines and bytes are the same thing, with and without a final line feed", async (t) => {
  for (const text of ["", "\n", "a", "a\n", "a\nb", "a\r\nb\r\n", "\n\na\n\n", "\xff\xfe"]) {
    const bytes = Buffer.from(text, "latin1");
    t.strictSame(joinLines(splitLines(bytes)), bytes, JSON.stringify(text));
  }
  t.strictSame(splitLines(Buffer.from("a\nb")), { lines: ["a", "b"], terminated: false });
  t.strictSame(splitLines(Buffer.from("a\n")), { lines: ["a"], terminated: true });
});

t.test("content with a NUL byte is no text", async (t) => {
  t.ok(isText(Buffer.from("caf\xe9\r\n", "latin1")));
  t.notOk(isText(Buffer.from("a\0b")));
});
