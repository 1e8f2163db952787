/** What undoing does to one memory: its content, its path, and whether it is there. */

import { MemfsError } from "../../errors.ts";
import type { Uid } from "../../id.ts";
import { AtView } from "../history/at.ts";
import { finishedContent } from "../content/content-writer.ts";
import type { PlacedFile } from "./arrangement.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import { previousOf } from "../history/provenance.ts";
import type { Timestamp } from "../records/record.ts";
import type { StoreState } from "../state.ts";
import type { Turns } from "../turns.ts";
import { type Revision, undoContent } from "./undo-content.ts";
import type { UndoSelection } from "./undo-selection.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** What is to become of a memory; its names are another matter. */
export interface MemoryUndo {
  /** What was its head: what is said here holds while it is. */
  readonly headSeq: number;
  /** Where it is, or last was. */
  readonly path: string;
  /**
   * `goes`: it is to be deleted. `lives`: it is to be there. `remains`: the same, though it was made by what is to be
   * undone. `stays`: it is there, or not, as it is now.
   */
  readonly fate: "goes" | "lives" | "remains" | "stays";
  /** As in a {@link PlacedFile}. */
  readonly change: Pick<PlacedFile, "content" | "mode" | "mtime">;
  /** Versions to be undone that came with another mode, newest first. */
  readonly modes: readonly ModeChange[];
  /** The version that it is as again; null when it is as none. */
  readonly to: VersionRecord | null;
  /** What could not be undone, in words. */
  readonly kept: readonly string[];
}

/** A mode that came with a version. */
export interface ModeChange {
  readonly seq: number;
  readonly before: number;
  readonly after: number;
}

/** The versions to look at, oldest first. */
interface Chain {
  readonly memory: MemoryRecord;
  /** What was before the first selected one; null for nothing. */
  readonly base: VersionRecord | null;
  readonly revisions: readonly Revision[];
}

export interface UndoMemory {
  readonly selection: UndoSelection;
  readonly force: boolean;
  readonly turns: Turns;
}

const UNCHANGED: MemoryUndo["change"] = Object.freeze({ content: null, mode: null, mtime: null });

/** @throws MemfsError `damaged` */
export async function planMemoryUndo(state: StoreState, uid: Uid, undo: UndoMemory): Promise<MemoryUndo> {
  const memory = state.memory(uid);
  if (memory === undefined) throw new MemfsError("damaged", "a memory is missing; restore the home from a backup");
  const { headSeq, path } = memory;
  const nothing: MemoryUndo = { headSeq, path, fate: "stays", change: UNCHANGED, modes: [], to: null, kept: [] };
  if (memory.state === "folded") return nothing;
  const chain = await readChain(state, memory, undo);
  const head = chain.revisions.at(-1);
  if (!chain.revisions.some(({ theirs }) => theirs)) return nothing;
  const { modes, again: mode } = await modesOf(state, chain, undo.selection);
  if (chain.revisions.every(({ theirs }) => theirs)) {
    const { fate, change, to } = await backTo(state, chain, undo.selection);
    return { ...nothing, fate, change: { ...change, mode }, modes, to };
  }
  // Others have deleted it: there is nothing left of what they did not want.
  if (memory.state === "deleted" && head?.theirs !== true) return nothing;
  const made = chain.base === null || chain.base.operation === "deleted";
  if (made && (undo.force || !isWrittenByOthers(chain))) return { ...nothing, fate: "goes" };
  const { content, kept } = await withoutTheirs(state, chain, undo);
  const change = { content, mode, mtime: null };
  return made
    ? { ...nothing, modes, fate: "remains", change, kept: ["others wrote in it, so it stays", ...kept] }
    : { ...nothing, modes, fate: "lives", change, kept };
}

/** Not so when it only moved along with a directory. */
function isWrittenByOthers({ revisions, base }: Chain): boolean {
  let hash = base?.hash ?? null;
  return revisions.some(({ version, theirs }) => {
    const isSame = version.hash === hash;
    ({ hash } = version);
    return !theirs && !isSame;
  });
}

async function readChain(state: StoreState, memory: MemoryRecord, { selection, turns }: UndoMemory): Promise<Chain> {
  const first = selection.memories.get(memory.memory) ?? Infinity;
  const revisions: Revision[] = [];
  let version = state.versionAt(memory.headSeq) ?? null;
  for (; version !== null && version.seq >= first; version = previousOf(state, version)) {
    revisions.push({ version, theirs: selection.isTheirVersion(version) });
    await turns.give();
  }
  // An undo of what was undone before: both are as if they were not.
  for (; version !== null && selection.isTheirVersion(version); version = previousOf(state, version))
    revisions.push({ version, theirs: true });
  return { memory, base: version, revisions: revisions.reverse() };
}

/** Nobody else did anything: it is what it was. */
async function backTo(
  state: StoreState,
  { memory, base }: Chain,
  selection: UndoSelection,
): Promise<Pick<MemoryUndo, "fate" | "change" | "to">> {
  const isLive = memory.state === "live";
  if (base === null || base.hash === null || base.path === null) return { fate: "goes", change: UNCHANGED, to: null };
  const isOther = !isLive || memory.hash !== base.hash;
  const isChanged = isOther || selection.attributes.has(memory.memory);
  const change = {
    content: isOther ? { hash: base.hash, size: base.size } : null,
    mode: null,
    mtime: isChanged ? await mtimeBefore(state, base, selection) : null,
  };
  return { fate: "lives", change, to: base };
}

interface Modes {
  /** Newest first. */
  readonly modes: readonly ModeChange[];
  /** What the file had when it was deleted; null of one that is there. */
  readonly again: number | null;
}

/** A deletion says nothing of the mode: what was put in the file's place may have had another one. */
async function modesOf(
  state: StoreState,
  { memory, base, revisions }: Chain,
  selection: UndoSelection,
): Promise<Modes> {
  const modes: ModeChange[] = [];
  let previous = base;
  let mode = base?.made.mode ?? null;
  for (const { version, theirs } of revisions) {
    const isEnd = version.operation === "deleted";
    const after = isEnd ? null : version.made.mode;
    // It may have been changed between the two versions; but what is written through a handle does not change it.
    const isSame = !theirs || (after === mode && version.made.handle !== 0);
    const before = isSame ? mode : ((await modeBefore(state, { version, previous }, selection)) ?? mode);
    if (theirs && after !== null && before !== null && before !== after)
      modes.push({ seq: version.seq, before, after });
    previous = version;
    mode = after ?? before;
  }
  return { modes: modes.reverse(), again: memory.state === "live" ? null : mode };
}

/** Null when the file was not there. */
async function modeBefore(
  state: StoreState,
  { version, previous }: { readonly version: VersionRecord; readonly previous: VersionRecord | null },
  selection: UndoSelection,
): Promise<number | null> {
  const before = await viewBefore(state, version.seq, selection)?.find(previous?.path ?? "");
  return before?.version?.memory === version.memory ? before.mode : null;
}

/** What the file had before all that is to be undone, which may be newer than the version before. */
async function mtimeBefore(state: StoreState, base: VersionRecord, selection: UndoSelection): Promise<Timestamp> {
  const first = selection.memories.get(base.memory) ?? 0;
  const node = (await viewBefore(state, first, selection)?.find(base.path ?? "")) ?? null;
  return node?.version?.memory === base.memory ? node.mtime : base.made.mtime;
}

/** The store before the transaction of an entry. */
function viewBefore(state: StoreState, seq: number, selection: UndoSelection): AtView | null {
  const entry = state.journalEntry(seq);
  return entry === undefined ? null : new AtView(state, selection.extentOf(entry).first - 1);
}

/** What others did stays. */
async function withoutTheirs(
  state: StoreState,
  chain: Chain,
  { force, turns }: UndoMemory,
): Promise<Pick<PlacedFile, "content"> & Pick<MemoryUndo, "kept">> {
  const { memory, base } = chain;
  const before = base === null || base.hash === null ? null : base;
  const revisions = withOtherContent(chain);
  const undone = await undoContent(state, { base: before, revisions, path: memory.path, force }, turns);
  const content = Buffer.isBuffer(undone.content) ? finishedContent(undone.content) : sameContent(undone.content);
  return { content, kept: undone.kept };
}

function sameContent(version: VersionRecord | null): PlacedFile["content"] {
  return version === null || version.hash === null ? null : { hash: version.hash, size: version.size };
}

/** Versions that have content, and another one than the version before. */
function withOtherContent({ base, revisions }: Chain): Revision[] {
  let hash = base?.hash ?? null;
  return revisions.filter(({ version }) => {
    if (version.hash === null || version.hash === hash) return false;
    hash = version.hash;
    return true;
  });
}
