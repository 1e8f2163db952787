/** Undoing as a whole: all memories, directories and links that a selection touched, and which of them are in the way. */

import type { Uid } from "../../id.ts";
import type { Counters } from "../records/counters.ts";
import type { StoreState } from "../state.ts";
import type { Turns } from "../turns.ts";
import { type Assembled, assembleUndo } from "./undo-assembly.ts";
import { type MemoryUndo, planMemoryUndo } from "./undo-memory.ts";
import type { UndoSelection } from "./undo-selection.ts";
import { readSlotChanges, type SlotChanges } from "./undo-slots.ts";

export interface UndoPlan extends Assembled {
  /** Directories that move. */
  readonly moved: readonly number[];
  /** Of the store as the plan is of it. */
  readonly counters: Counters;
}

export interface Undo {
  readonly selection: UndoSelection;
  readonly force: boolean;
  readonly turns: Turns;
}

/** A plan is put together in turns so often that the store changed meanwhile; then at once. */
const ATTEMPTS = 4;

/** Plans in turns with other work: what others change meanwhile is planned again, the rest is kept. */
export class UndoPlanner {
  readonly #state: StoreState;
  readonly #undo: Undo;
  readonly #memories = new Map<Uid, MemoryUndo>();
  #changes: SlotChanges | null = null;
  /** The last entry that was looked at. */
  #seq: number;

  constructor(state: StoreState, undo: Undo) {
    this.#state = state;
    this.#undo = undo;
    this.#seq = state.counters.seq;
  }

  /** Of the store as it is when this resolves. @throws MemfsError `damaged` */
  async plan(): Promise<UndoPlan> {
    for (let attempt = 1; ; attempt++) {
      const changes = await this.#read();
      const { counters } = this.#state;
      const holds = (): boolean => this.#state.counters === counters;
      const parts = { memories: this.#memories, changes, force: this.#undo.force };
      const steps = assembleUndo(this.#state, parts);
      const assembled = await this.#undo.turns.run(steps, { holds, patient: attempt < ATTEMPTS });
      if (assembled === null) continue;
      const moved = assembled.arrangement.directories.flatMap(({ node }) => (node === null ? [] : [node]));
      return { ...assembled, moved, counters };
    }
  }

  /** Until nothing is out of date. */
  async #read(): Promise<SlotChanges> {
    const { selection, turns } = this.#undo;
    for (;;) {
      const isUndone = hasUndo(this.#state, this.#seq);
      const stale = [...selection.memories.keys()].filter((uid) => isStale(this.#state, uid, this.#memories.get(uid)));
      if (this.#changes !== null && stale.length === 0 && !isUndone) return this.#changes;
      this.#seq = this.#state.counters.seq;
      if (this.#changes === null || isUndone) this.#changes = await readSlotChanges(this.#state, selection, turns);
      for (const uid of stale) this.#memories.set(uid, await planMemoryUndo(this.#state, uid, this.#undo));
    }
  }
}

function isStale(state: StoreState, uid: Uid, planned: MemoryUndo | undefined): boolean {
  return planned === undefined || state.memory(uid)?.headSeq !== planned.headSeq;
}

/** Whether somebody has undone something after an entry: what others do otherwise is seen in what is there now. */
function hasUndo(state: StoreState, after: number): boolean {
  for (let seq = after + 1; seq <= state.counters.seq; seq++) if (state.journalEntry(seq)?.kind === "undo") return true;
  return false;
}
