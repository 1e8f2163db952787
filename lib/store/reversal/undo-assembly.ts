/** From what is wanted of each memory, directory and link to what is to change: what cannot have its place stays. */

import { formatId, type Uid } from "../../id.ts";
import type { Arrangement, PlacedDirectory, PlacedFile, PlacedLink } from "./arrangement.ts";
import { printable, toBytes } from "../tree/names.ts";
import type { NodeName } from "../records/node-record.ts";
import type { Timestamp } from "../records/record.ts";
import type { StoreState } from "../state.ts";
import { nodeAt, pathOf } from "../tree/tree.ts";
import type { Steps } from "../turns.ts";
import type { Kept } from "../types.ts";
import type { MemoryUndo } from "./undo-memory.ts";
import { isSameTime, type Piece, Pieces } from "./undo-places.ts";
import type { SlotChanges } from "./undo-slots.ts";
import { UndoTree } from "./undo-tree.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** What is to change, and what cannot. */
export interface Assembled {
  readonly arrangement: Arrangement;
  readonly kept: readonly Kept[];
  /** The versions that memories are as again. */
  readonly to: ReadonlyMap<Uid, VersionRecord>;
}

export interface Parts {
  readonly memories: ReadonlyMap<Uid, MemoryUndo>;
  readonly changes: SlotChanges;
  /** What others built on it goes, too. */
  readonly force: boolean;
}

type Change = MemoryUndo["change"];

const UNCHANGED: Change = Object.freeze({ content: null, mode: null, mtime: null });
const NOWHERE = "the directory it was in is gone";
const INSIDE = "the directory it was in is below it";

/** Yields between steps, so that others may have their turn, as long as they do not change the store. */
export function assembleUndo(state: StoreState, parts: Parts): Steps<Assembled> {
  return new Assembly(state, parts).run();
}

class Assembly {
  readonly #state: StoreState;
  readonly #parts: Parts;
  readonly #pieces: Pieces;
  readonly #changes = new Map<Uid, Change>();
  readonly #stays = new Set<Piece>();
  readonly #kept: Kept[] = [];
  readonly #to = new Map<Uid, VersionRecord>();
  #tree: UndoTree;

  constructor(state: StoreState, parts: Parts) {
    this.#state = state;
    this.#parts = parts;
    this.#pieces = new Pieces(state, parts.force);
    this.#tree = this.#newTree();
  }

  *run(): Steps<Assembled> {
    for (const transaction of this.#parts.changes.transactions) yield this.#pieces.takeBack(transaction);
    for (const [uid, memory] of this.#parts.memories) yield this.#addMemory(uid, memory);
    for (const piece of this.#pieces.all.values()) if (piece.isMoved) this.#keep(piece, "others moved it since");
    this.#addAttributes();
    do {
      yield;
      this.#tree = this.#newTree();
    } while (yield* this.#giveUp());
    const arrangement = yield* this.#arrangement();
    return { arrangement, kept: this.#kept, to: this.#to };
  }

  *#arrangement(): Steps<Arrangement> {
    const pieces = [...this.#pieces.all.values()];
    const directories = pieces.filter(({ kind }) => kind === "directory");
    const links = pieces.filter(({ kind }) => kind === "symlink");
    const files: PlacedFile[] = [];
    for (const [memory, piece] of this.#pieces.all) {
      const file = typeof memory === "string" ? this.#file(memory, piece) : null;
      if (file !== null) files.push(file);
      yield;
    }
    return {
      files,
      directories: [...directories.flatMap((one) => this.#directory(one)), ...this.#standIns()].sort(byDepth),
      links: links.flatMap((link) => this.#linksOf(link)),
      removedLinks: links.flatMap((link) => this.#tree.lossesOf(link).map((slot) => this.#pathNow(slot))),
      emptied: this.#emptied(directories),
    };
  }

  #newTree(): UndoTree {
    return new UndoTree(this.#state, this.#pieces.all, { stays: this.#stays, pathsThen: this.#parts.changes.paths });
  }

  #addMemory(uid: Uid, { fate, change, to, kept, path }: MemoryUndo): void {
    const piece = this.#pieces.ofMemory(uid);
    if (to !== null) this.#to.set(uid, to);
    if (fate !== "goes") this.#changes.set(uid, change);
    const isGiven = fate === "goes" && !piece.isMoved && piece.wanted.length > 0 && !this.#parts.force;
    for (const reason of isGiven ? [...kept, "others gave it a name, so it stays"] : kept) this.#keep(piece, reason);
    if (fate === "remains") piece.isMoved = false;
    piece.wanted = this.#wanted(piece, { fate, path: to?.path ?? path });
  }

  #wanted({ now, wanted }: Piece, { fate, path }: { fate: MemoryUndo["fate"]; path: string }): readonly NodeName[] {
    if (fate === "goes") return this.#parts.force ? [] : wanted;
    if (fate === "remains" && now.length > 0) return now;
    if (fate === "stays" && now.length === 0) return now;
    if (wanted.length > 0) return wanted;
    // Nothing tells of its names any more.
    return now.length > 0 ? now : this.#slotsAt(path);
  }

  #slotsAt(path: string): readonly NodeName[] {
    const cut = path.lastIndexOf("/");
    const directory = nodeAt(this.#state, path.slice(0, cut));
    return directory === null ? [] : [{ parent: directory.number, name: path.slice(cut + 1) }];
  }

  /** Newest first; what others have set since stays. */
  #addAttributes(): void {
    const { memories, changes } = this.#parts;
    const ofVersions = [...memories].flatMap(([memory, { modes }]) =>
      modes.map(({ seq, before, after }) => ({ seq, memory, mode: { before, after }, mtime: null })),
    );
    const set = new Map<Uid, { mode: number; mtime: Timestamp }>();
    for (const { memory, mode, mtime } of [...changes.attributes, ...ofVersions].sort((a, b) => b.seq - a.seq)) {
      const now = set.get(memory) ?? this.#attributesNow(memory);
      if (now === null) continue;
      set.set(memory, now);
      if (mode?.after === now.mode) now.mode = mode.before;
      if (mtime !== null && isSameTime(now.mtime, mtime.after)) now.mtime = mtime.before;
    }
    for (const [memory, now] of set) this.#setAttributes(memory, now);
  }

  /** As they are, or as they would be of what is made again; null for what is to be gone. */
  #attributesNow(memory: Uid): { mode: number; mtime: Timestamp } | null {
    const { node, mode, mtime } = this.#pieces.ofMemory(memory);
    if (node !== null) return { mode, mtime };
    const again = this.#changes.get(memory)?.mode ?? null;
    return again === null ? null : { mode: again, mtime };
  }

  #setAttributes(memory: Uid, { mode, mtime }: { readonly mode: number; readonly mtime: Timestamp }): void {
    const piece = this.#pieces.ofMemory(memory);
    const change = this.#changes.get(memory) ?? UNCHANGED;
    // As it was then, it has the time already.
    const keepsTime = this.#to.has(memory) || isSameTime(mtime, piece.mtime);
    this.#changes.set(memory, {
      content: change.content,
      mode: piece.node !== null && mode === piece.mode ? change.mode : mode,
      mtime: keepsTime ? change.mtime : mtime,
    });
  }

  /** Finds what has no place; it stays, and so may be in the way of others. Directories first: others are below them. */
  *#giveUp(): Steps<boolean> {
    const claimed = new Set<string>();
    for (const kind of ["directory", "symlink", "memory"] as const) {
      let isAny = false;
      for (const piece of this.#pieces.all.values()) {
        yield;
        if (piece.kind !== kind || this.#stays.has(piece)) continue;
        const reason = this.#obstacle(piece, claimed);
        if (reason === null) continue;
        const isDeleted = kind === "memory" && piece.node === null;
        this.#keep(piece, isDeleted ? `${reason}, so it stays deleted; rollback --as gives it another` : reason);
        this.#stays.add(piece);
        isAny = true;
      }
      if (isAny) return true;
    }
    return false;
  }

  /** Why it cannot be where it is wanted; null when it can. */
  #obstacle(piece: Piece, claimed: Set<string>): string | null {
    const tree = this.#tree;
    if (isRemoved(piece, tree)) return tree.entriesLeft(piece.node ?? 0) > 0 ? "something else is in it" : null;
    const arrivals = tree.arrivalsOf(piece);
    for (const arrival of arrivals) {
      const { path, slot } = arrival;
      if (path === null) return this.#hasNames(slot.parent) ? INSIDE : NOWHERE;
      if (claimed.has(path) || tree.isTaken(arrival)) return `its path ${printable(path)} is taken`;
    }
    for (const { path } of arrivals) if (path !== null) claimed.add(path);
    return null;
  }

  #hasNames(node: number): boolean {
    return (this.#state.node(node)?.names.length ?? 0) > 0;
  }

  #keep(piece: Piece, reason: string): void {
    const memoryId = piece.memory === null ? null : formatId("mem", piece.memory);
    this.#kept.push({ kind: piece.kind, memoryId, path: toBytes(this.#nameOf(piece)), reason });
  }

  /** Where it is, or was to be. */
  #nameOf({ memory, now, wanted }: Piece): string {
    const [slot] = now;
    if (memory !== null) return this.#state.memory(memory)?.path ?? "";
    if (slot !== undefined) return this.#pathNow(slot);
    return wanted[0] === undefined ? "" : (this.#tree.pathOf(wanted[0]) ?? wanted[0].name);
  }

  #pathNow(slot: NodeName): string {
    return pathOf({ node: (number) => this.#state.nodeOrDamaged(number) }, slot);
  }

  /** Null when there is nothing to change. */
  #file(memory: Uid, piece: Piece): PlacedFile | null {
    const paths = this.#pathsOf(memory, piece);
    const { content, mode, mtime } = this.#changes.get(memory) ?? UNCHANGED;
    // It would have come back, if there were a place for it.
    if (piece.node === null && (paths === null || paths.length === 0)) return null;
    if (paths === null && content === null && mode === null && mtime === null) return null;
    return { memory, paths, content, mode, mtime };
  }

  /** Its paths, its own first; null when it stays at its names, wherever these will be. */
  #pathsOf(memory: Uid, piece: Piece): readonly string[] | null {
    const tree = this.#tree;
    const places = tree.placesOf(piece);
    const paths = places.flatMap((slot) => tree.pathOf(slot) ?? []);
    const own = this.#to.get(memory)?.path ?? null;
    const isFirst = own === null || paths.length < 2 || paths[0] === own || !paths.includes(own);
    if (isFirst && tree.arrivalsOf(piece).length + tree.lossesOf(piece).length === 0) return null;
    return isFirst ? paths : [own, ...paths.filter((path) => path !== own)];
  }

  #directory(piece: Piece): PlacedDirectory[] {
    const { node, mode } = piece;
    const [slot] = this.#tree.placesOf(piece);
    const path = slot === undefined ? null : this.#tree.pathOf(slot);
    if (path === null) return [];
    const keepsMode = node !== null && (this.#tree.isSpared(node) || this.#state.nodeOrDamaged(node).mode === mode);
    const newMode = keepsMode ? null : mode;
    const moves = this.#tree.arrivalsOf(piece).length > 0;
    return moves || newMode !== null ? [{ node, path, mode: newMode }] : [];
  }

  /** Directories that stay as others that were removed: with their modes. */
  #standIns(): PlacedDirectory[] {
    const found: PlacedDirectory[] = [];
    for (const [number, piece] of this.#pieces.all) {
      const node = typeof number === "number" ? this.#tree.standInOf(number) : null;
      const record = node === null ? undefined : this.#state.nodeOrDamaged(node);
      const [name] = record?.names ?? [];
      const path = name === undefined ? null : this.#tree.pathOf(name);
      if (path !== null && record?.mode !== piece.mode) found.push({ node, path, mode: piece.mode });
    }
    return found;
  }

  #linksOf(piece: Piece): PlacedLink[] {
    const { node, target, mode, mtime } = piece;
    const arrivals = this.#tree.arrivalsOf(piece).map(({ slot }) => slot);
    const slots = this.#isOther(piece) ? this.#tree.placesOf(piece) : arrivals;
    const paths = slots.flatMap((slot) => this.#tree.pathOf(slot) ?? []);
    return paths.map((path) => ({ node, path, target: target ?? "", mode, mtime }));
  }

  /** Whether a link that is there is to have other attributes. */
  #isOther({ node, mode, mtime }: Piece): boolean {
    const now = node === null ? undefined : this.#state.nodeOrDamaged(node);
    return now !== undefined && (now.mode !== mode || !isSameTime(now.mtime, mtime));
  }

  /** The deepest first. */
  #emptied(directories: readonly Piece[]): number[] {
    const removed = directories.flatMap((piece) => {
      const [slot] = piece.now;
      const isGoing = slot !== undefined && piece.node !== null && isRemoved(piece, this.#tree);
      return isGoing ? [{ node: piece.node, path: this.#pathNow(slot) }] : [];
    });
    return removed.sort((a, b) => depth(b.path) - depth(a.path)).map(({ node }) => node);
  }
}

function isRemoved(piece: Piece, tree: UndoTree): boolean {
  return piece.kind === "directory" && piece.node !== null && tree.placesOf(piece).length === 0;
}

function byDepth(a: PlacedDirectory, b: PlacedDirectory): number {
  return depth(a.path) - depth(b.path);
}

function depth(path: string): number {
  return path.split("/").length;
}
