/** Differences as people read them: hunks with some lines of context, as `diff -u` has them. */

import { diffLines, type Hunk } from "./diff.ts";
import { splitLines, type Text } from "./lines.ts";

/** Lines that are the same, shown before and after each change. */
export const CONTEXT = 3;

/** A line of a hunk. */
export interface UnifiedLine {
  readonly kind: "context" | "removed" | "added";
  /** As in {@link Text}. */
  readonly text: string;
  /** False for the last line of a text that does not end with a line feed. */
  readonly terminated: boolean;
}

/** Changes that are close to each other. Lines count from 1; where a side has none, `from` or `to` is the line before. */
export interface UnifiedHunk {
  readonly from: number;
  readonly fromCount: number;
  readonly to: number;
  readonly toCount: number;
  readonly lines: readonly UnifiedLine[];
}

/** What makes `after` of `before`; nothing when they have the same bytes. */
export function unifiedHunks(before: Text, after: Text): UnifiedHunk[] {
  const a = comparable(before);
  const b = comparable(after);
  return grouped(diffLines(a, b)).map((group) => hunkOf(a, b, group));
}

/** Larger stretches (bytes) between what is the same at both ends are not compared: it would take more than ~50 ms. */
const MAX_STRETCH = 1024 * 1024;

/**
 * As {@link unifiedHunks}, of contents that may be large: only what lies between the lines that are the same at both ends
 * is taken apart. Null when that is more than {@link MAX_STRETCH}.
 */
export function unifiedDiff(before: Buffer, after: Buffer): UnifiedHunk[] | null {
  const start = sameAtStart(before, after);
  const end = sameAtEnd(before, after, Math.min(before.length, after.length) - start);
  const from = linesBack(before, start);
  const rest = before.length - linesOn(before, before.length - end);
  const stretches = [before.subarray(from, before.length - rest), after.subarray(from, after.length - rest)] as const;
  if (stretches.some(({ length }) => length > MAX_STRETCH)) return null;
  const hunks = unifiedHunks(splitLines(stretches[0]), splitLines(stretches[1]));
  const skipped = countLines(before.subarray(0, from));
  return hunks.map((hunk) => ({ ...hunk, from: hunk.from + skipped, to: hunk.to + skipped }));
}

/** Bytes compared at once. */
const BLOCK = 4096;

/** Length of what two contents begin with both. */
function sameAtStart(a: Buffer, b: Buffer): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at + BLOCK <= most && a.compare(b, at, at + BLOCK, at, at + BLOCK) === 0) at += BLOCK;
  while (at < most && a[at] === b[at]) at++;
  return at;
}

/** Length of what two contents end with both, at most `most`. */
function sameAtEnd(a: Buffer, b: Buffer, most: number): number {
  let length = 0;
  const block = (end: number): readonly [number, number] => [end - length - BLOCK, end - length];
  while (length + BLOCK <= most && a.compare(b, ...block(b.length), ...block(a.length)) === 0) length += BLOCK;
  while (length < most && a[a.length - length - 1] === b[b.length - length - 1]) length++;
  return length;
}

/** Start of the line that an offset is in, and {@link CONTEXT} lines before it. */
function linesBack(bytes: Buffer, offset: number): number {
  let at = lineStart(bytes, offset);
  for (let count = 0; count < CONTEXT && at > 0; count++) at = lineStart(bytes, at - 1);
  return at;
}

function lineStart(bytes: Buffer, offset: number): number {
  // A negative place would count from the end.
  return offset === 0 ? 0 : bytes.lastIndexOf(LINE_FEED, offset - 1) + 1;
}

/** Start of the next line after an offset, and {@link CONTEXT} lines behind it. */
function linesOn(bytes: Buffer, offset: number): number {
  let at = offset;
  for (let count = 0; count <= CONTEXT; count++) {
    const found = bytes.indexOf(LINE_FEED, at);
    if (found < 0) return bytes.length;
    at = found + 1;
  }
  return at;
}

const LINE_FEED = 0x0a;

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}

/** A last line without its line feed is another line than one with it: it ends with what no line can hold. */
const UNTERMINATED = "\n";

function comparable({ lines, terminated }: Text): readonly string[] {
  const last = lines.at(-1);
  return terminated || last === undefined ? lines : [...lines.slice(0, -1), last + UNTERMINATED];
}

/** Changes whose contexts would touch go together. */
function grouped(hunks: readonly Hunk[]): Hunk[][] {
  const groups: Hunk[][] = [];
  for (const hunk of hunks) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group !== undefined && last !== undefined && hunk.from - last.to <= 2 * CONTEXT) group.push(hunk);
    else groups.push([hunk]);
  }
  return groups;
}

function hunkOf(a: readonly string[], b: readonly string[], group: readonly Hunk[]): UnifiedHunk {
  const first = group[0] ?? { from: 0, to: 0, newFrom: 0, newTo: 0 };
  const last = group.at(-1) ?? first;
  const from = Math.max(0, first.from - CONTEXT);
  const to = Math.max(0, first.newFrom - CONTEXT);
  const fromEnd = Math.min(a.length, last.to + CONTEXT);
  const lines: UnifiedLine[] = [];
  let at = from;
  for (const hunk of group) {
    push(lines, "context", a.slice(at, hunk.from));
    push(lines, "removed", a.slice(hunk.from, hunk.to));
    push(lines, "added", b.slice(hunk.newFrom, hunk.newTo));
    at = hunk.to;
  }
  push(lines, "context", a.slice(at, fromEnd));
  const fromCount = fromEnd - from;
  const toCount = last.newTo + (fromEnd - last.to) - to;
  return { from: lineNumber(from, fromCount), fromCount, to: lineNumber(to, toCount), toCount, lines };
}

function lineNumber(index: number, count: number): number {
  return count === 0 ? index : index + 1;
}

function push(lines: UnifiedLine[], kind: UnifiedLine["kind"], texts: readonly string[]): void {
  for (const text of texts) {
    const terminated = !text.endsWith(UNTERMINATED);
    lines.push({ kind, text: terminated ? text : text.slice(0, -1), terminated });
  }
}
