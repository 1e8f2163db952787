/**
 * The three-way merge of texts, line by line. What one side did to a line and the other did not is taken over; two
 * different changes of one line are a conflict. Neighbours are none: a line may be changed beside a line that the other
 * side changed, and lines may be inserted there.
 */

import { type Edits, editsOf } from "./edits.ts";
import { type LineEnding, lineEnding, withoutReturns, withReturns } from "./line-endings.ts";
import { joinLines, splitLines, type Text } from "./lines.ts";

/** A line that means the same when two sides wrote it in one place: a heading or an item of a list, not indented. */
const ITEM = /^(?:#{1,6}|[-*+]|\d{1,9}[.)])\s+\S/;
const HEADING = /^#{1,6}\s+\S/;

/** The merged bytes, or null for a conflict. */
export function mergeLines(base: Buffer, head: Buffer, mine: Buffer): Buffer | null {
  const texts = { base: splitLines(base), head: splitLines(head), mine: splitLines(mine) };
  const endings = { base: lineEnding(texts.base), head: lineEnding(texts.head), mine: lineEnding(texts.mine) };
  // A carriage return belongs to its line. Where all lines of each side agree, the ending is a property of the text,
  // or else converting a file would be a change of every line, and a merge could leave both endings in it.
  if (endings.base === "mixed" || endings.head === "mixed" || endings.mine === "mixed") return join(mergeTexts(texts));
  const merged = mergeTexts({
    base: withoutReturns(texts.base),
    head: withoutReturns(texts.head),
    mine: withoutReturns(texts.mine),
  });
  return join(merged && mergedEnding(endings) === "crlf" ? withReturns(merged) : merged);
}

function join(text: Text | null): Buffer | null {
  return text === null ? null : joinLines(text);
}

interface Sides<T> {
  readonly base: T;
  readonly head: T;
  readonly mine: T;
}

function mergedEnding({ base, head, mine }: Sides<LineEnding>): LineEnding {
  if (head === "none") return mine;
  return mine !== "none" && head === base ? mine : head;
}

function mergeTexts(texts: Sides<Text>): Text | null {
  const base = texts.base.lines;
  const head = editsOf(base, texts.head.lines);
  const mine = editsOf(base, texts.mine.lines);
  const lines: string[] = [];
  for (let at = 0; at <= base.length; at++) {
    if (isTorn(head, mine, at) || isTorn(mine, head, at)) return null;
    for (const line of mergeInsertions(head.inserted.get(at) ?? [], mine.inserted.get(at) ?? [])) lines.push(line);
    const line = base[at];
    if (line === undefined) continue;
    const merged = mergeLine(line, head.lines.get(at), mine.lines.get(at));
    if (merged === undefined) return null;
    if (merged !== null) lines.push(merged);
  }
  return { lines, terminated: mergedTermination(texts, lines) };
}

/** One side put lines into what the other removed. */
function isTorn(one: Edits, other: Edits, gap: number): boolean {
  return one.inserted.has(gap) && other.closed.has(gap);
}

/** What a line becomes, null when it goes, undefined for a conflict. Edits: undefined when there was none. */
function mergeLine(
  line: string,
  head: string | null | undefined,
  mine: string | null | undefined,
): string | null | undefined {
  if (head === undefined) return mine === undefined ? line : mine;
  return mine === undefined || mine === head ? head : undefined;
}

/**
 * What both sides put into one gap: head's lines, then mine. What both begin with is there once, if that is all of one
 * side (two agents add the same line), or ends with a heading or item (two agents begin the same day in a log).
 */
function mergeInsertions(head: readonly string[], mine: readonly string[]): readonly string[] {
  if (mine.length === 0) return head;
  let same = 0;
  while (same < head.length && same < mine.length && head[same] === mine[same]) same++;
  if (same === mine.length) return head;
  if (same === head.length) return mine;
  while (same > 0 && !ITEM.test(head[same - 1] ?? "")) same--;
  // Mine would come to stand below another heading than the one both wrote.
  if (head.slice(same).some((line) => HEADING.test(line))) same = 0;
  return [...head, ...mine.slice(same)];
}

/** Whether there is a final line feed: as the side that changed it has it. A text without lines does not say. */
function mergedTermination({ base, head, mine }: Sides<Text>, lines: readonly string[]): boolean {
  if (lines.at(-1) === "") return true;
  if (head.lines.length === 0) return mine.terminated;
  if (mine.lines.length === 0 || head.terminated === mine.terminated) return head.terminated;
  return base.lines.length === 0 || !base.terminated;
}
