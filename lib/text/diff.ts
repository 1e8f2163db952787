/**
 * Differences of two sequences of lines. Lines that occur once on both sides are matched first (as `diff --patience`
 * does), which keeps what belongs together in one place and the work small; between them it is a longest common
 * subsequence, of few differences our own, of many a library's.
 */

import { LCS } from "node-diff3";
import { type Match, matchShort } from "./short-script.ts";

/** Lines `from` to `to` of a were replaced by lines `newFrom` to `newTo` of b: half-open, counted from 0. */
export interface Hunk {
  readonly from: number;
  readonly to: number;
  readonly newFrom: number;
  readonly newTo: number;
}

/** Differences up to which time grows with their number; beyond, it is the number of equal pairs (~1 ms). */
const FEW = 200;
/** More pairs of lines than this are not compared (~10 ms): the whole stretch counts as replaced. */
const MAX_PAIRS = 1_000_000;

/** Two stretches that are to be compared. */
type Stretch = Hunk;

/** A match as the library returns it, with the one before it; the first stands before all lines. */
interface Candidate {
  readonly buffer1index: number;
  readonly buffer2index: number;
  readonly chain: Candidate | null;
}

/** What turns `a` into `b`, in ascending order; between two hunks there is at least one line that is the same. */
export function diffLines(a: readonly string[], b: readonly string[]): Hunk[] {
  const hunks: Hunk[] = [];
  compare({ a, b, hunks }, { from: 0, to: a.length, newFrom: 0, newTo: b.length });
  return hunks;
}

interface Comparison {
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly hunks: Hunk[];
}

function compare(all: Comparison, whole: Stretch): void {
  const stretch = trim(all, whole);
  const { from, to, newFrom, newTo } = stretch;
  if (from === to || newFrom === newTo) {
    replaced(all, stretch);
    return;
  }
  const anchors = uniqueMatches(all, stretch);
  if (anchors.length === 0) split(all, stretch, commonLines(all, stretch), replaced);
  else split(all, stretch, anchors, compare);
}

/** Leaves out what is the same at both ends. */
function trim({ a, b }: Comparison, { from, to, newFrom, newTo }: Stretch): Stretch {
  let head = 0;
  const most = Math.min(to - from, newTo - newFrom);
  while (head < most && a[from + head] === b[newFrom + head]) head++;
  let tail = 0;
  while (tail < most - head && a[to - tail - 1] === b[newTo - tail - 1]) tail++;
  return { from: from + head, to: to - tail, newFrom: newFrom + head, newTo: newTo - tail };
}

/** Hands on what lies between the matches. */
function split(
  all: Comparison,
  { from, to, newFrom, newTo }: Stretch,
  matches: readonly Match[],
  next: (all: Comparison, stretch: Stretch) => void,
): void {
  let at = from;
  let newAt = newFrom;
  for (const match of matches) {
    next(all, { from: at, to: match.at, newFrom: newAt, newTo: match.newAt });
    at = match.at + 1;
    newAt = match.newAt + 1;
  }
  next(all, { from: at, to, newFrom: newAt, newTo });
}

/** Stretches that touch are one hunk. */
function replaced({ hunks }: Comparison, { from, to, newFrom, newTo }: Stretch): void {
  if (from === to && newFrom === newTo) return;
  const last = hunks.at(-1);
  if (last?.to === from && last.newTo === newFrom)
    hunks[hunks.length - 1] = { from: last.from, to, newFrom: last.newFrom, newTo };
  else hunks.push({ from, to, newFrom, newTo });
}

/** The longest ascending sequence of lines that occur once on both sides. */
function uniqueMatches(all: Comparison, stretch: Stretch): Match[] {
  const places = uniquePlaces(all.a, stretch.from, stretch.to);
  const newPlaces = uniquePlaces(all.b, stretch.newFrom, stretch.newTo);
  const matches: Match[] = [];
  for (const [line, at] of places) {
    const newAt = newPlaces.get(line);
    if (at >= 0 && newAt !== undefined && newAt >= 0) matches.push({ at, newAt });
  }
  return longestAscending(matches);
}

/** Where each line is, in ascending order; −1 for one that occurs more than once. */
function uniquePlaces(lines: readonly string[], from: number, to: number): Map<string, number> {
  const places = new Map<string, number>();
  for (let at = from; at < to; at++) {
    const line = lines[at] ?? "";
    places.set(line, places.has(line) ? -1 : at);
  }
  return places;
}

/** Matches ascend by `at`; returns the longest selection that ascends by `newAt`, too. */
function longestAscending(matches: readonly Match[]): Match[] {
  // The end of the best sequence of each length so far, and for each match the one before it.
  const ends: number[] = [];
  const before: number[] = [];
  const newAt = (index: number | undefined): number => matches[index ?? -1]?.newAt ?? -1;
  for (let index = 0; index < matches.length; index++) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (newAt(ends[middle]) < newAt(index)) low = middle + 1;
      else high = middle;
    }
    before.push(ends[low - 1] ?? -1);
    ends[low] = index;
  }
  const found: Match[] = [];
  for (let index = ends.at(-1) ?? -1; index >= 0; index = before[index] ?? -1) {
    const match = matches[index];
    if (match !== undefined) found.push(match);
  }
  return found.reverse();
}

/** The longest common subsequence of two stretches, or nothing when that takes long. */
function commonLines({ a, b }: Comparison, { from, to, newFrom, newTo }: Stretch): Match[] {
  const old = a.slice(from, to);
  const changed = b.slice(newFrom, newTo);
  const found = matchShort(old, changed, FEW) ?? matchLong(old, changed);
  return found.map(({ at, newAt }) => ({ at: from + at, newAt: newFrom + newAt }));
}

function matchLong(a: readonly string[], b: readonly string[]): Match[] {
  if (a.length * b.length > MAX_PAIRS) return [];
  const found: Match[] = [];
  let last = LCS([...a], [...b]) as Candidate | null | undefined;
  for (; last && last.buffer1index >= 0; last = last.chain)
    found.push({ at: last.buffer1index, newAt: last.buffer2index });
  return found.reverse();
}
