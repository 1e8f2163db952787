/** Taking back what transactions did to names: one after the other, the newest first, where it is still so. */

import type { Uid } from "../../id.ts";
import type { PastEntryRecord } from "../records/entry-record.ts";
import { isDirectory } from "../tree/mode.ts";
import type { NodeName } from "../records/node-record.ts";
import type { Timestamp } from "../records/record.ts";
import type { StoreState } from "../state.ts";
import type { SlotChange } from "./undo-slots.ts";

/** A memory, or a directory or link by its node. */
export interface Piece {
  readonly kind: "memory" | "directory" | "symlink";
  readonly memory: Uid | null;
  /** What it is now; null when it is nowhere. */
  readonly node: number | null;
  /** Its names now. */
  readonly now: readonly NodeName[];
  /** Its names without what is to be undone. */
  wanted: readonly NodeName[];
  /** The same of directories and links. */
  mode: number;
  mtime: Timestamp;
  readonly target: string | null;
  /** Others have moved it since, so it stays. */
  isMoved: boolean;
}

/** Names that one thing lost and gained in a transaction, and what it was before and after. */
interface Step {
  readonly lost: NodeName[];
  readonly gained: NodeName[];
  before: PastEntryRecord | null;
  after: PastEntryRecord | null;
}

/** Names a memory, or a directory or link. */
export type PieceKey = Uid | number;

export class Pieces {
  readonly #state: StoreState;
  readonly #force: boolean;
  readonly #pieces = new Map<PieceKey, Piece>();

  /** @param force what others did to the names since goes, too */
  constructor(state: StoreState, force: boolean) {
    this.#state = state;
    this.#force = force;
  }

  get all(): ReadonlyMap<PieceKey, Piece> {
    return this.#pieces;
  }

  /** Takes back one transaction. */
  takeBack(changes: readonly SlotChange[]): void {
    const steps = new Map<PieceKey, Step>();
    for (const { slot, before, after } of changes) {
      const isSame = before !== null && after !== null && keyOf(before) === keyOf(after);
      if (before !== null) {
        const step = stepOf(steps, before);
        step.before = before;
        if (!isSame) step.lost.push(slot);
      }
      if (after !== null) {
        const step = stepOf(steps, after);
        step.after = after;
        if (!isSame) step.gained.push(slot);
      }
    }
    for (const [key, step] of steps) {
      const known = step.after ?? step.before;
      if (known !== null) this.#revert(this.#piece(key, known), step);
    }
  }

  #revert(piece: Piece, step: Step): void {
    this.#revertNames(piece, step);
    const { before, after } = step;
    // Those of a memory are in its versions.
    if (before === null || piece.kind === "memory") return;
    // What others have set since stays.
    if (after === null || piece.mode === after.mode) piece.mode = before.mode;
    if (after === null || isSameTime(piece.mtime, after.mtime)) piece.mtime = before.mtime;
  }

  #revertNames(piece: Piece, { lost, gained }: Step): void {
    const { wanted } = piece;
    const isBack = lost.length > 0 && lost.every((slot) => has(wanted, slot));
    const isThere = gained.every((slot) => has(wanted, slot));
    if (isThere) piece.wanted = replaced(piece, { lost, gained });
    // Gone since, by others: there is nothing left of what they did not want.
    else if (wanted.length === 0 || isBack) return;
    else if (this.#force) piece.wanted = wanted.length === 1 ? lost : replaced(piece, { lost, gained });
    else piece.isMoved = true;
  }

  /** @param record what it was, if it is nowhere now */
  #piece(key: PieceKey, record: PastEntryRecord): Piece {
    const known = this.#pieces.get(key);
    if (known !== undefined) return known;
    if (typeof key === "string") return this.ofMemory(key);
    const piece = this.#ofNode(key, record);
    this.#pieces.set(key, piece);
    return piece;
  }

  /** A memory as it is, whether or not anything was done to its names. */
  ofMemory(memory: Uid): Piece {
    const known = this.#pieces.get(memory);
    if (known !== undefined) return known;
    const record = this.#state.memory(memory);
    const node = record?.state === "live" ? this.#state.nodeOrDamaged(record.node) : null;
    const names = node?.names ?? [];
    const piece: Piece = {
      kind: "memory",
      memory,
      node: node?.number ?? null,
      now: names,
      wanted: names,
      mode: node?.mode ?? 0,
      mtime: node?.mtime ?? { sec: 0, nsec: 0 },
      target: null,
      isMoved: false,
    };
    this.#pieces.set(memory, piece);
    return piece;
  }

  #ofNode(number: number, record: PastEntryRecord): Piece {
    const node = this.#state.node(number);
    const names = node?.names ?? [];
    return {
      kind: isDirectory(record.mode) ? "directory" : "symlink",
      memory: null,
      node: names.length === 0 ? null : number,
      now: names,
      wanted: names,
      mode: node?.mode ?? record.mode,
      mtime: node?.mtime ?? record.mtime,
      target: record.target,
      isMoved: false,
    };
  }
}

/** A directory has one name; a move leaves the order of a file's names as it is. */
function replaced({ kind, wanted }: Piece, { lost, gained }: Pick<Step, "lost" | "gained">): readonly NodeName[] {
  if (kind === "directory") return lost.length > 0 ? lost : wanted.filter((slot) => !has(gained, slot));
  const missing = lost.filter((slot) => !has(wanted, slot));
  const at = wanted.findIndex((slot) => has(gained, slot));
  const rest = wanted.filter((slot) => !has(gained, slot));
  return at < 0 ? [...rest, ...missing] : [...rest.slice(0, at), ...missing, ...rest.slice(at)];
}

export function has(slots: readonly NodeName[], { parent, name }: NodeName): boolean {
  return slots.some((slot) => slot.parent === parent && slot.name === name);
}

export function isSameTime(a: Timestamp, b: Timestamp): boolean {
  return a.sec === b.sec && a.nsec === b.nsec;
}

function keyOf({ memory, node }: PastEntryRecord): PieceKey {
  return memory ?? node;
}

function stepOf(steps: Map<PieceKey, Step>, record: PastEntryRecord): Step {
  const key = keyOf(record);
  const step = steps.get(key) ?? { lost: [], gained: [], before: null, after: null };
  steps.set(key, step);
  return step;
}
