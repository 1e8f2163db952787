/** The tree as an undo wants it: where each name will be, and what is in its way. */

import { isDirectory, S_IFLNK, typeOf } from "../tree/mode.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import type { StoreState } from "../state.ts";
import { nodeAt, ROOT_NODE } from "../tree/tree.ts";
import { has, isSameTime, type Piece, type PieceKey } from "./undo-places.ts";
import { slotKey } from "./undo-slots.ts";

/** A name that something is to get. */
export interface Arrival {
  readonly slot: NodeName;
  /** Absolute; null when no directory is there to take it. */
  readonly path: string | null;
}

export class UndoTree {
  readonly #state: StoreState;
  readonly #pieces: ReadonlyMap<PieceKey, Piece>;
  readonly #pathsThen: ReadonlyMap<number, string>;
  /** Where each is to be. */
  readonly #final = new Map<Piece, readonly NodeName[]>();
  /** Directories that are gone, and those that take their place. */
  readonly #standIns = new Map<number, number>();
  /** Those of them that would go otherwise. */
  readonly #spared = new Set<number>();
  readonly #paths = new Map<number, string | null>();
  /** Names that come free. */
  readonly #vacated = new Set<string>();
  /** By how much the number of names in a directory changes. */
  readonly #growth = new Map<number, number>();

  /**
   * @param stays what is not to be moved, whatever is wanted
   * @param pathsThen paths of directories that may be gone
   */
  constructor(
    state: StoreState,
    pieces: ReadonlyMap<PieceKey, Piece>,
    { stays, pathsThen }: { readonly stays: ReadonlySet<Piece>; readonly pathsThen: ReadonlyMap<number, string> },
  ) {
    this.#state = state;
    this.#pieces = pieces;
    this.#pathsThen = pathsThen;
    for (const piece of pieces.values()) this.#final.set(piece, stays.has(piece) ? piece.now : piece.wanted);
    for (const [number, piece] of pieces) if (typeof number === "number") this.#standInFor(number, piece);
    for (const [piece, slots] of this.#final) this.#final.set(piece, this.#placed(slots));
    for (const piece of pieces.values()) if (piece.kind === "symlink") this.#keepSame(piece);
    for (const [piece, slots] of this.#final) this.#count(piece, slots);
  }

  /** Where it is to be: names of directories that will be there. */
  placesOf(piece: Piece): readonly NodeName[] {
    return this.#final.get(piece) ?? piece.now;
  }

  /** Names that it has not yet. */
  arrivalsOf(piece: Piece): readonly Arrival[] {
    const slots = this.placesOf(piece).filter((slot) => !has(piece.now, slot));
    return slots.map((slot) => ({ slot, path: this.pathOf(slot) }));
  }

  /** Names that it loses. */
  lossesOf(piece: Piece): readonly NodeName[] {
    const places = this.placesOf(piece);
    return piece.now.filter((slot) => !has(places, slot));
  }

  /** The directory that would go and instead is to be this one, which was removed. */
  standInOf(number: number): number | null {
    const standIn = this.#standIns.get(number);
    return standIn === undefined || !this.#spared.has(standIn) ? null : standIn;
  }

  /** Whether a directory would go and stays, for another one or for what is to be in it. */
  isSpared(number: number): boolean {
    return this.#spared.has(number);
  }

  /** Entries that will be left in a directory. */
  entriesLeft(directory: number): number {
    return this.#state.nodeOrDamaged(directory).entries + (this.#growth.get(directory) ?? 0);
  }

  /** Whether something stays at a name, or in the way to it. */
  isTaken({ slot, path }: Arrival): boolean {
    if (this.#isLive(slot.parent)) return this.#isHeld(slot);
    const piece = this.#pieces.get(slot.parent);
    // A directory that is made again is empty.
    if (piece !== undefined && this.placesOf(piece).length > 0) return false;
    return path === null || this.#isObstructed(path);
  }

  /** Absolute path of a name in the end; null for none. */
  pathOf({ parent, name }: NodeName): string | null {
    const above = this.#pathOfDirectory(parent);
    return above === null ? null : `${above}/${name}`;
  }

  #pathOfDirectory(number: number): string | null {
    if (number === ROOT_NODE) return "";
    const known = this.#paths.get(number);
    if (known !== undefined) return known;
    // A directory that would be below itself is nowhere.
    this.#paths.set(number, null);
    const slot = this.#slotOf(number);
    const path = slot === null ? (this.#pathsThen.get(number) ?? null) : this.pathOf(slot);
    this.#paths.set(number, path);
    return path;
  }

  #slotOf(number: number): NodeName | null {
    const piece = this.#pieces.get(number);
    const slots = piece === undefined ? (this.#state.node(number)?.names ?? []) : this.placesOf(piece);
    return slots[0] ?? null;
  }

  #isLive(number: number): boolean {
    return number === ROOT_NODE || (this.#state.node(number)?.names.length ?? 0) > 0;
  }

  /**
   * A directory that was removed and is to come back goes on as the one that is at its name now: that one was made for it,
   * by an undo or by others. What was in the first is then wanted in the second.
   */
  #standInFor(number: number, piece: Piece | undefined): number {
    const known = this.#standIns.get(number);
    if (known !== undefined || piece === undefined) return known ?? number;
    const [slot] = this.#final.get(piece) ?? [];
    if (piece.kind !== "directory" || piece.node !== null || slot === undefined) return number;
    this.#standIns.set(number, number);
    const { parent, name } = this.#normal(slot);
    const entry = this.#isLive(parent) ? this.#state.entry(parent, name) : null;
    const there = entry === null ? undefined : this.#state.nodeOrDamaged(entry.node);
    this.#standIns.delete(number);
    if (there === undefined || !isDirectory(there.mode) || !this.#mayStay(there)) return number;
    this.#spare(there);
    this.#standIns.set(number, there.number);
    this.#final.set(piece, []);
    return there.number;
  }

  /** The same of one that others removed, so that it was made again for what is to be in it. */
  #standInAtPath(number: number): number {
    const known = this.#standIns.get(number);
    const path = this.#pathsThen.get(number);
    if (known !== undefined || path === undefined || this.#isLive(number)) return known ?? number;
    const there = nodeAt(this.#state, path);
    if (there === null || !isDirectory(there.mode)) return number;
    const chain: NodeRecord[] = [];
    for (let node = there; node.names[0] !== undefined; node = this.#state.nodeOrDamaged(node.names[0].parent))
      chain.push(node);
    if (!chain.every((node) => this.#mayStay(node))) return number;
    for (const node of chain) this.#spare(node);
    this.#standIns.set(number, there.number);
    return there.number;
  }

  /** Whether a directory stays where it is, or would only be removed. */
  #mayStay({ number, names }: NodeRecord): boolean {
    const other = this.#pieces.get(number);
    const slots = other === undefined ? names : (this.#final.get(other) ?? []);
    return slots.length === 0 || names.every((name) => has(slots, name));
  }

  #spare({ number, names }: NodeRecord): void {
    const other = this.#pieces.get(number);
    if (other === undefined || this.placesOf(other).length > 0) return;
    this.#final.set(other, names);
    this.#spared.add(number);
  }

  #normal({ parent, name }: NodeName): NodeName {
    const above = this.#pieces.get(parent);
    const isWanted = above !== undefined && (above.node !== null || this.placesOf(above).length > 0);
    const standIn =
      isWanted || this.#standIns.has(parent) ? this.#standInFor(parent, above) : this.#standInAtPath(parent);
    return standIn === parent ? { parent, name } : { parent: standIn, name };
  }

  #placed(slots: readonly NodeName[]): readonly NodeName[] {
    return slots.map((slot) => this.#normal(slot));
  }

  /** A link that is to be where the same one is stays away: that one stays. */
  #keepSame(piece: Piece): void {
    const slots = this.placesOf(piece).filter((slot) => has(piece.now, slot) || !this.#isThere(piece, slot));
    this.#final.set(piece, slots);
  }

  #isThere({ target, mode, mtime }: Piece, { parent, name }: NodeName): boolean {
    const entry = this.#isLive(parent) ? this.#state.entry(parent, name) : null;
    const there = entry === null ? undefined : this.#state.nodeOrDamaged(entry.node);
    if (there === undefined || typeOf(there.mode) !== S_IFLNK) return false;
    if (there.target !== target || there.mode !== mode || !isSameTime(there.mtime, mtime)) return false;
    const other = this.#pieces.get(there.number);
    if (other !== undefined && !has(this.placesOf(other), { parent, name }))
      this.#final.set(other, [...this.placesOf(other), { parent, name }]);
    return true;
  }

  #count(piece: Piece, slots: readonly NodeName[]): void {
    for (const slot of slots) if (!has(piece.now, slot)) this.#grow(slot.parent, 1);
    for (const slot of piece.now) {
      if (has(slots, slot)) continue;
      this.#grow(slot.parent, -1);
      this.#vacated.add(slotKey(slot));
    }
  }

  #grow(directory: number, by: number): void {
    this.#growth.set(directory, (this.#growth.get(directory) ?? 0) + by);
  }

  #isHeld(slot: NodeName): boolean {
    return this.#state.entry(slot.parent, slot.name) !== null && !this.#vacated.has(slotKey(slot));
  }

  /** Whether anything stays at a path of a directory that is gone, or is no directory above it. */
  #isObstructed(path: string): boolean {
    let parent = ROOT_NODE;
    const segments = path.split("/").slice(1);
    for (const [index, name] of segments.entries()) {
      const entry = this.#state.entry(parent, name);
      if (entry === null || this.#vacated.has(slotKey({ parent, name }))) return false;
      const isLast = index === segments.length - 1;
      if (isLast || !isDirectory(this.#state.nodeOrDamaged(entry.node).mode)) return true;
      parent = entry.node;
    }
    return false;
  }
}
