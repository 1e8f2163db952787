/** What a content would be without some of the changes that led to it. */

import { diffLines } from "../../text/diff.ts";
import { parseJson } from "../../text/json.ts";
import { joinLines, type Text } from "../../text/lines.ts";
import { merge } from "../../text/merge.ts";
import { type KeptLine, Weave } from "../../text/weave.ts";
import { getContent } from "../content/content.ts";
import { EMPTY_HASH } from "../content/hash.ts";
import { textOf } from "../history/provenance.ts";
import type { StoreState } from "../state.ts";
import type { Turns } from "../turns.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** A version with content, and whether it is one of those to undo. */
export interface Revision {
  readonly version: VersionRecord;
  readonly theirs: boolean;
}

export interface UndoContent {
  /** What was before the first revision; null for nothing. */
  readonly base: VersionRecord | null;
  /** Oldest first, each with another content than the one before. */
  readonly revisions: readonly Revision[];
  /** Of the head: says what kind of text it is. */
  readonly path: string;
  /** What others built on it goes, too. */
  readonly force: boolean;
}

/** What is left, and what could not be undone, in words. */
export interface UndoneContent {
  /** The bytes; or the version whose content it is again; null when the content stays. */
  readonly content: Buffer | VersionRecord | null;
  readonly kept: readonly string[];
}

const JSON_NAME = /\.json$/i;

/**
 * Text by lines, JSON by key, and anything else as a whole.
 * @throws MemfsError `damaged`
 */
export async function undoContent(state: StoreState, undo: UndoContent, turns: Turns): Promise<UndoneContent> {
  if (JSON_NAME.test(undo.path) && !undo.force) {
    const undone = await undoKeys(state, undo, turns);
    if (undone !== null) return undone;
  }
  return (await undoLines(state, undo, turns)) ?? undoWhole(undo);
}

/** Null when a revision is no text. */
async function undoLines(state: StoreState, undo: UndoContent, turns: Turns): Promise<UndoneContent | null> {
  let before = undo.base === null ? textOf(state, { hash: EMPTY_HASH, size: 0 }) : textOf(state, undo.base);
  if (before === null) return null;
  const weave = new Weave(before.lines);
  let { terminated } = before;
  for (const { version, theirs } of undo.revisions) {
    const after = textOf(state, version);
    if (after === null) return null;
    const hunks = diffLines(before.lines, after.lines);
    weave.step(after.lines, hunks, { theirs, force: undo.force });
    const setsEnd = before.terminated !== after.terminated || hunks.at(-1)?.newTo === after.lines.length;
    if (!theirs && setsEnd) ({ terminated } = after);
    before = after;
    await turns.give();
  }
  const { lines, kept, endsAlike } = weave.unweave();
  const text = { lines, terminated: endsAlike && kept.length > 0 ? before.terminated : terminated };
  return soundJson(undo, before, text) ? { content: joinLines(text), kept: reasons(kept) } : keptWhole();
}

/** JSON stays JSON. */
function soundJson({ path }: UndoContent, before: Text, after: Text): boolean {
  if (!JSON_NAME.test(path) || after.lines.length === 0) return true;
  return parseJson(joinLines(before)) === null || parseJson(joinLines(after)) !== null;
}

function keptWhole(): UndoneContent {
  return { content: null, kept: ["without its lines it would be no JSON any more"] };
}

function reasons(kept: readonly KeptLine[]): string[] {
  const rewritten = kept.filter(({ reason }) => reason === "rewritten");
  const restored = kept.filter(({ reason }) => reason === "restored");
  return [
    ...(rewritten.length > 0 ? [`others rewrote ${quote(rewritten)}`] : []),
    ...(restored.length > 0 ? [`others put back ${quote(restored)}`] : []),
  ];
}

/** The first line, and how many more there are. */
function quote(kept: readonly KeptLine[]): string {
  const first = Buffer.from(kept[0]?.text ?? "", "latin1")
    .toString()
    .slice(0, 60);
  const more = kept.length - 1;
  return JSON.stringify(first) + (more === 0 ? "" : ` and ${more} more ${more === 1 ? "line" : "lines"}`);
}

/** Run after run of changes is taken back, the newest first. Null when a content is no JSON. */
async function undoKeys(state: StoreState, undo: UndoContent, turns: Turns): Promise<UndoneContent | null> {
  const { revisions, base, path } = undo;
  const kept: string[] = [];
  let current = bytesOf(state, revisions.at(-1)?.version ?? base);
  if (current === null || parseJson(current) === null) return null;
  for (let end = revisions.length - 1; end >= 0; end--) {
    if (revisions[end]?.theirs !== true) continue;
    let start = end;
    while (revisions[start - 1]?.theirs === true) start -= 1;
    const before = bytesOf(state, start === 0 ? base : (revisions[start - 1]?.version ?? null));
    const after = bytesOf(state, revisions[end]?.version ?? null);
    if (before === null || after === null || parseJson(before) === null || parseJson(after) === null) return null;
    const merged = merge(after, current, before, { path });
    if (merged === null) kept.push("others changed the same keys");
    else current = merged;
    end = start;
    await turns.give();
  }
  return { content: current, kept };
}

/** Nothing is an empty object. Null for what is large, or no text. */
function bytesOf(state: StoreState, version: VersionRecord | null): Buffer | null {
  if (version === null) return Buffer.from("{}\n");
  const { hash } = version;
  return hash === null || textOf(state, version) === null ? null : getContent(state, hash);
}

/** Back to what it was before, where nobody wrote since. */
function undoWhole({ base, revisions, force }: UndoContent): UndoneContent {
  if (force) return { content: base, kept: [] };
  let target = base;
  let isPending = false;
  let isBuried = false;
  for (const { version, theirs } of revisions) {
    if (!theirs) {
      isBuried ||= isPending;
      target = version;
    }
    isPending = theirs;
  }
  return { content: target, kept: isBuried ? ["others wrote since, and it is no text"] : [] };
}
