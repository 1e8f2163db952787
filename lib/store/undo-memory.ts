/** What undoing does to one memory: its content, its path, and whether it is there. */

import { MemfsError } from "../errors.ts";
import type { Uid } from "../id.ts";
import { AtView } from "./at.ts";
import { finishedContent } from "./content-writer.ts";
import type { PlacedFile } from "./arrangement.ts";
import type { MemoryRecord } from "./memory-record.ts";
import { previousOf } from "./provenance.ts";
import type { Timestamp } from "./record.ts";
import type { StoreState } from "./state.ts";
import type { Turns } from "./turns.ts";
import { type Revision, undoContent } from "./undo-content.ts";
import type { UndoSelection } from "./undo-selection.ts";
import type { VersionRecord } from "./version-record.ts";

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
  const modes = await modesOf(state, chain, undo.selection);
  if (chain.revisions.every(({ theirs }) => theirs))
    return { ...nothing, modes, ...(await backTo(state, chain, undo.selection)) };
  // Others have deleted it: there is nothing left of what they did not want.
  if (memory.state === "deleted" && head?.theirs !== true) return nothing;
  const made = chain.base === null || chain.base.operation === "deleted";
  if (made && (undo.force || !isWrittenByOthers(chain))) return { ...nothing, fate: "goes" };
  const { change, kept } = await withoutTheirs(state, chain, undo);
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
  { memory, base, revisions }: Chain,
  selection: UndoSelection,
): Promise<Pick<MemoryUndo, "fate" | "change" | "to">> {
  const isLive = memory.state === "live";
  if (base === null || base.hash === null || base.path === null) return { fate: "goes", change: UNCHANGED, to: null };
  const isOther = !isLive || memory.hash !== base.hash;
  const isChanged = isOther || selection.attributes.has(memory.memory);
  const change = {
    content: isOther ? { hash: base.hash, size: base.size } : null,
    mode: modeAgain(memory, revisions),
    mtime: isChanged ? await mtimeBefore(state, base, selection) : null,
  };
  return { fate: "lives", change, to: base };
}

/** What is made again has the mode that it had when it was deleted. */
function modeAgain({ state }: MemoryRecord, revisions: Chain["revisions"]): number | null {
  return state === "live" ? null : (revisions.at(-1)?.version.made.mode ?? null);
}

async function modesOf(state: StoreState, { base, revisions }: Chain, selection: UndoSelection): Promise<ModeChange[]> {
  const found: ModeChange[] = [];
  let previous = base;
  for (const { version, theirs } of revisions) {
    const known = previous;
    previous = version;
    if (!theirs || known === null || version.erased || known.made.mode === version.made.mode) continue;
    // Others may have changed it between the two versions.
    const before = await viewBefore(state, version.seq, selection)?.find(known.path ?? "");
    const mode = before?.version?.memory === version.memory ? before.mode : known.made.mode;
    if (mode !== version.made.mode) found.push({ seq: version.seq, before: mode, after: version.made.mode });
  }
  return found.reverse();
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
): Promise<Pick<MemoryUndo, "change" | "kept">> {
  const { memory, base } = chain;
  const before = base === null || base.hash === null ? null : base;
  const revisions = withOtherContent(chain);
  const undone = await undoContent(state, { base: before, revisions, path: memory.path, force }, turns);
  const content = Buffer.isBuffer(undone.content) ? finishedContent(undone.content) : sameContent(undone.content);
  return { change: { content, mode: modeAgain(memory, chain.revisions), mtime: null }, kept: undone.kept };
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
