/**
 * Where lines come from: the versions of a memory from newest to oldest, each with what it did to the lines of the one
 * before it. Blame and undo stand on this.
 *
 * The chain is that of `previous`: what was the head before. So in a version that a merge made, the lines of the head
 * stay with who wrote them, and what the merge brought in is its writer's. Versions that were folded, and erased ones,
 * are passed over: what they did counts as done by the version after them.
 */

import { MemfsError } from "../../errors.ts";
import { diffLines, type Hunk } from "../../text/diff.ts";
import { isText, splitLines, type Text } from "../../text/lines.ts";
import { getContent } from "../content/content.ts";
import type { StoreState } from "../state.ts";
import type { Turns } from "../turns.ts";
import type { VersionRecord } from "../records/version-record.ts";
import { versionOfId } from "../versions.ts";

/** Larger content (bytes) is not taken as lines: a step that changes much of it would keep others waiting too long. */
export const MAX_TEXT_BYTES = 2 * 1024 * 1024;

/** A version beside the one before it. */
export interface Step {
  readonly version: VersionRecord;
  /** The listed version before it, or in a walk across memories the one it was made from; null for the first one. */
  readonly previous: VersionRecord | null;
  /** Its lines: none for a deletion; null when it is binary or larger than {@link MAX_TEXT_BYTES}. */
  readonly after: Text | null;
  /** The lines of `previous`: none without one. */
  readonly before: Text | null;
  /**
   * What makes `after` of `before`: `from` and `to` count lines of `before`, `newFrom` and `newTo` lines of `after`. Where
   * either is null, nothing is known to be kept: one hunk with all lines there are.
   */
  readonly hunks: readonly Hunk[];
}

/** No content: before the first version, and after a deletion. */
const NO_LINES: Text = Object.freeze({ lines: Object.freeze([]), terminated: true });

export interface Walk {
  /** Of the request that asks: others get theirs between two steps. */
  readonly turns: Turns;
  /**
   * Goes on from a memory's first version to the one of another memory that it was made from, as versions of conflicts
   * are; else the walk ends with the memory.
   */
  readonly across: boolean;
}

/**
 * The steps that led to a version, newest first, down to the memory's first one. Whoever has seen enough stops early:
 * nothing is read ahead. Content is read, and lines are compared, only where it changed.
 * @throws MemfsError `damaged`
 */
export async function* stepsTo(state: StoreState, version: VersionRecord, walk: Walk): AsyncGenerator<Step> {
  let after = textOf(state, version);
  for (let current: VersionRecord | null = version; current !== null;) {
    const previous: VersionRecord | null =
      previousOf(state, current) ?? (walk.across ? sourceOf(state, current) : null);
    const same = previous?.hash === current.hash;
    const before: Text | null = same ? after : previous === null ? NO_LINES : textOf(state, previous);
    yield { version: current, previous, after, before, hunks: same ? [] : hunksBetween(before, after) };
    await walk.turns.give();
    current = previous;
    after = before;
  }
}

/** The listed version before another; null when there is none. @throws MemfsError `damaged` */
export function previousOf(state: StoreState, version: VersionRecord): VersionRecord | null {
  for (let seq = version.previous; seq > 0;) {
    const previous = state.versionAt(seq);
    if (previous === undefined)
      throw new MemfsError("damaged", `journal entry ${seq} is missing; run memfs audit verify`);
    if (!previous.erased && state.isListed(previous)) return previous;
    seq = previous.previous;
  }
  return null;
}

/** The version of another memory that a memory's first one was made from. */
function sourceOf(state: StoreState, { memory, made }: VersionRecord): VersionRecord | null {
  const [parent] = made.parents;
  const source = parent === undefined ? undefined : versionOfId(state, parent);
  return source === undefined || source.memory === memory ? null : source;
}

/**
 * Content as lines: none when there is no content (a deletion); null when it is binary or larger than {@link MAX_TEXT_BYTES}.
 * @throws MemfsError `damaged`
 */
export function textOf(state: StoreState, { hash, size }: Pick<VersionRecord, "hash" | "size">): Text | null {
  if (hash === null) return NO_LINES;
  if (size > MAX_TEXT_BYTES) return null;
  const bytes = state.recent.get(hash) ?? getContent(state, hash);
  return isText(bytes) ? splitLines(bytes) : null;
}

function hunksBetween(before: Text | null, after: Text | null): Hunk[] {
  if (before !== null && after !== null) return diffLines(before.lines, after.lines);
  const all = { from: 0, to: before?.lines.length ?? 0, newFrom: 0, newTo: after?.lines.length ?? 0 };
  return all.to === 0 && all.newTo === 0 ? [] : [all];
}
