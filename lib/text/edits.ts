/** What one side of a merge did to each line of the base. */

import { diffLines, type Hunk } from "./diff.ts";

/** Lines are counted from 0; a gap has the number of the line behind it, and the last one the number of lines. */
export interface Edits {
  /** By line of the base: what it was changed to, or null when it was removed. Lines that stayed are not here. */
  readonly lines: ReadonlyMap<number, string | null>;
  /** By gap: the lines that were put there. */
  readonly inserted: ReadonlyMap<number, readonly string[]>;
  /** Gaps inside a stretch that became shorter: nothing can be put there, for what it belonged to is gone. */
  readonly closed: ReadonlySet<number>;
}

/** Pairs of lines compared to find out which line was changed to which; beyond, the first ones are paired. */
const MAX_PAIRS = 10_000;
/** Characters of a line that are compared from either end. */
const MAX_COMPARED = 200;

interface Growing {
  readonly lines: Map<number, string | null>;
  readonly inserted: Map<number, readonly string[]>;
  readonly closed: Set<number>;
}

export function editsOf(base: readonly string[], side: readonly string[]): Edits {
  const edits: Growing = { lines: new Map(), inserted: new Map(), closed: new Set() };
  for (const hunk of diffLines(base, side)) addHunk(edits, base, { hunk, text: side.slice(hunk.newFrom, hunk.newTo) });
  return edits;
}

/**
 * A hunk says that some lines were replaced by others. Taken line by line: as many as there are on both sides were
 * changed, each to the one it is most like; the others were removed, or inserted before and behind.
 */
function addHunk(
  edits: Growing,
  base: readonly string[],
  { hunk, text }: { hunk: Hunk; text: readonly string[] },
): void {
  const { from, to } = hunk;
  const old = base.slice(from, to);
  const surplus = text.length - old.length;
  const offset = surplus >= 0 ? bestOffset(old, text) : bestOffset(text, old);
  if (surplus >= 0) {
    insert(edits, from, text.slice(0, offset));
    old.forEach((line, index) => {
      const changed = text[offset + index] ?? "";
      if (changed !== line) edits.lines.set(from + index, changed);
    });
    insert(edits, to, text.slice(offset + old.length));
    return;
  }
  old.forEach((_, index) => edits.lines.set(from + index, text[index - offset] ?? null));
  for (let gap = from + 1; gap < to; gap++) edits.closed.add(gap);
}

function insert(edits: Growing, gap: number, lines: readonly string[]): void {
  // Lines that stayed lie between two hunks, so each gap is met once.
  if (lines.length > 0) edits.inserted.set(gap, lines);
}

/** Where in `long` the lines of `short`, side by side, are most like those there; the first such place. */
function bestOffset(short: readonly string[], long: readonly string[]): number {
  const places = long.length - short.length + 1;
  if (short.length === 0 || short.length * places > MAX_PAIRS) return 0;
  let best = 0;
  let most = -1;
  for (let offset = 0; offset < places; offset++) {
    const likeness = short.reduce((sum, line, index) => sum + alike(line, long[offset + index] ?? ""), 0);
    if (likeness <= most) continue;
    most = likeness;
    best = offset;
  }
  return best;
}

/** From 0 to 1: how much of two lines is the same at their ends. */
function alike(a: string, b: string): number {
  const most = Math.min(a.length, b.length, MAX_COMPARED);
  let head = 0;
  while (head < most && a.charCodeAt(head) === b.charCodeAt(head)) head++;
  let tail = 0;
  while (tail < most - head && a.charCodeAt(a.length - tail - 1) === b.charCodeAt(b.length - tail - 1)) tail++;
  return (head + tail) / Math.max(1, Math.min(Math.max(a.length, b.length), MAX_COMPARED));
}
