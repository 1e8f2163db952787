/** Undoing as a whole: all memories, directories and links that a selection touched, and which of them are in the way. */

import type { Uid } from "../id.ts";
import type { StoreState } from "./state.ts";
import type { Turns } from "./turns.ts";
import { type Assembled, assembleUndo } from "./undo-assembly.ts";
import { type MemoryUndo, planMemoryUndo } from "./undo-memory.ts";
import { Pieces } from "./undo-places.ts";
import type { UndoSelection } from "./undo-selection.ts";
import { readSlotChanges } from "./undo-slots.ts";

export interface UndoPlan extends Assembled {
  /** Directories that move. */
  readonly moved: readonly number[];
  /** False once somebody has changed one of the memories. */
  isCurrent(): boolean;
}

export interface Undo {
  readonly selection: UndoSelection;
  readonly force: boolean;
  readonly turns: Turns;
}

/** Memories that others write all the time are planned so often; then they are told to try again. */
const ATTEMPTS = 20;

/**
 * Plans in turns with other work: a memory that others write meanwhile is planned again. When this resolves the plan is of
 * the store as it is.
 * @throws MemfsError `damaged`
 */
export async function planUndo(state: StoreState, undo: Undo): Promise<UndoPlan> {
  const { selection, turns, force } = undo;
  const memories = new Map<Uid, MemoryUndo>();
  let { seq } = state.counters;
  let changes = await readSlotChanges(state, selection, turns);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stale = [...selection.memories.keys()].filter((uid) => isStale(state, uid, memories.get(uid)));
    const isUndone = hasUndo(state, seq);
    if (stale.length === 0 && !isUndone) break;
    ({ seq } = state.counters);
    for (const uid of stale) memories.set(uid, await planMemoryUndo(state, uid, undo));
    if (isUndone) changes = await readSlotChanges(state, selection, turns);
  }
  const pieces = new Pieces(state, force);
  for (const transaction of changes.transactions) pieces.takeBack(transaction);
  const assembled = assembleUndo(state, { memories, pieces, changes, force });
  const moved = assembled.arrangement.directories.flatMap(({ node }) => (node === null ? [] : [node]));
  const isCurrent = (): boolean => [...memories].every(([uid, memory]) => !isStale(state, uid, memory));
  return { ...assembled, moved, isCurrent };
}

function isStale(state: StoreState, uid: Uid, planned: MemoryUndo | undefined): boolean {
  return planned === undefined || state.memory(uid)?.headSeq !== planned.headSeq;
}

/** Whether somebody has undone something after an entry: what others do otherwise is seen in what is there now. */
function hasUndo(state: StoreState, after: number): boolean {
  for (let seq = after + 1; seq <= state.counters.seq; seq++) if (state.journalEntry(seq)?.kind === "undo") return true;
  return false;
}
