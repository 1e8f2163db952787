/** Differences as people read them: hunks with some lines of context, as `diff -u` has them. */

import { diffLines, type Hunk } from "./diff.ts";
import type { Text } from "./lines.ts";

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
