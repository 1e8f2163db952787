/** Undoing as a whole: all memories, directories and links that a selection touched, and which of them are in the way. */

import { formatId, type Uid } from "../id.ts";
import { isBelowAny } from "./arranger.ts";
import type { Arrangement, PlacedDirectory, PlacedFile, PlacedLink } from "./arrangement.ts";
import { isDirectory } from "./mode.ts";
import { printable, toBytes } from "./names.ts";
import type { StoreState } from "./state.ts";
import { nodeAt, pathOf, ROOT_NODE } from "./tree.ts";
import type { Turns } from "./turns.ts";
import type { Kept } from "./types.ts";
import { type MemoryUndo, planMemoryUndo } from "./undo-memory.ts";
import { type NamesUndo, planNamesUndo } from "./undo-names.ts";
import type { UndoSelection } from "./undo-selection.ts";
import type { VersionRecord } from "./version-record.ts";

/** What is to change, and what cannot. */
export interface UndoPlan {
  readonly arrangement: Arrangement;
  readonly kept: readonly Kept[];
  /** The versions that memories are as again. */
  readonly to: ReadonlyMap<Uid, VersionRecord>;
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
  const { selection, turns } = undo;
  const memories = new Map<Uid, MemoryUndo>();
  let names = await planNamesUndo(state, selection, turns);
  let seq = state.counters.seq;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stale = [...selection.memories.keys()].filter((uid) => isStale(state, uid, memories.get(uid)));
    if (stale.length === 0 && (seq === state.counters.seq || selection.entries.length === 0)) break;
    for (const uid of stale) memories.set(uid, await planMemoryUndo(state, uid, undo));
    if (seq === state.counters.seq || selection.entries.length === 0) continue;
    seq = state.counters.seq;
    names = await planNamesUndo(state, selection, turns);
  }
  const { arrangement, kept, to } = new Assembly(state, memories, names).plan();
  const moved = arrangement.directories.flatMap(({ node }) => (node === null ? [] : [node]));
  const isCurrent = (): boolean => [...memories].every(([uid, memory]) => !isStale(state, uid, memory));
  return { arrangement, kept, to, moved, isCurrent };
}

function isStale(state: StoreState, uid: Uid, planned: MemoryUndo | undefined): boolean {
  return planned === undefined || state.memory(uid)?.headSeq !== planned.headSeq;
}

/** Something that wants a place. */
interface Claim {
  readonly paths: readonly string[];
  /** What it is now, if it is there. */
  readonly node: number | null;
  /** It stays where it is, or away. */
  giveUp(reason: string): void;
}

class Assembly {
  readonly #state: StoreState;
  readonly #names: NamesUndo;
  readonly #files = new Map<Uid, PlacedFile>();
  readonly #directories: Set<PlacedDirectory>;
  readonly #links: Set<PlacedLink>;
  readonly #kept: Kept[] = [];
  readonly #to = new Map<Uid, VersionRecord>();
  /** Nodes that leave their places. */
  readonly #leaving = new Set<number>();

  constructor(state: StoreState, memories: ReadonlyMap<Uid, MemoryUndo>, names: NamesUndo) {
    this.#state = state;
    this.#names = names;
    this.#directories = new Set(names.directories);
    this.#links = new Set(names.links);
    for (const [uid, memory] of memories) this.#add(uid, memory);
    for (const { kind, path, reason } of names.kept) this.#keep(kind, { path, reason });
    this.#addAttributes();
    this.#addBelowLeaving(memories);
  }

  #add(uid: Uid, { file, to, kept, path }: MemoryUndo): void {
    if (file !== null) this.#files.set(uid, file);
    if (to !== null) this.#to.set(uid, to);
    for (const reason of kept) this.#keep("memory", { path, reason, uid });
  }

  #keep(kind: Kept["kind"], { path, reason, uid }: { path: string; reason: string; uid?: Uid }): void {
    this.#kept.push({ kind, memoryId: uid === undefined ? null : formatId("mem", uid), path: toBytes(path), reason });
  }

  /** Where a memory is now, null when it is nowhere. */
  #nodeOf(uid: Uid): number | null {
    const memory = this.#state.memory(uid);
    return memory?.state === "live" ? memory.node : null;
  }

  #addAttributes(): void {
    for (const [uid, { mode, mtime }] of this.#names.attributes) {
      const file = this.#files.get(uid);
      // As it was then, it has them already.
      if (this.#to.has(uid) || file?.paths?.length === 0 || this.#nodeOf(uid) === null) continue;
      const same = { memory: uid, paths: null, content: null };
      const times = { mode: mode ?? file?.mode ?? null, mtime: file?.mtime ?? mtime };
      this.#files.set(uid, { ...(file ?? same), ...times });
    }
  }

  /** What is to be at a path where it is, in a directory that leaves, has to be put there. */
  #addBelowLeaving(memories: ReadonlyMap<Uid, MemoryUndo>): void {
    const moved = [...this.#directories].flatMap(({ node, path }) => {
      const now = node === null ? undefined : this.#pathsOf(node)[0];
      return now === undefined || now === path ? [] : [now];
    });
    const leaving = new Set([...moved, ...this.#names.emptied.map((node) => this.#pathsOf(node)[0] ?? "")]);
    if (leaving.size === 0) return;
    for (const [uid, { names, path }] of memories) {
      const file = this.#files.get(uid);
      if (names === null || (file?.paths ?? null) !== null || !isBelowAny(path, leaving)) continue;
      const same = { memory: uid, content: null, mode: null, mtime: null };
      this.#files.set(uid, { ...(file ?? same), paths: names });
    }
  }

  #pathsOf(number: number): string[] {
    const source = { node: (parent: number) => this.#state.nodeOrDamaged(parent) };
    return source.node(number).names.map((name) => pathOf(source, name));
  }

  plan(): Pick<UndoPlan, "arrangement" | "kept" | "to"> {
    while (this.#giveUpOne());
    const { removedLinks, emptied } = this.#names;
    const arrangement = {
      files: [...this.#files.values()],
      directories: [...this.#directories],
      links: [...this.#links],
      removedLinks,
      emptied,
    };
    return { arrangement, kept: this.#kept, to: this.#to };
  }

  /** Finds one thing whose place is taken; it stays, and so may be in the way of another. */
  #giveUpOne(): boolean {
    const claims = this.#claims();
    const claimed = new Set<string>();
    for (const { paths, node, giveUp } of claims) {
      const taken = paths.find((path) => claimed.has(path) || this.#isTaken(path, node));
      if (taken !== undefined) {
        giveUp(`its path ${printable(taken)} is taken`);
        return true;
      }
      for (const path of paths) claimed.add(path);
    }
    return false;
  }

  #isTaken(path: string, node: number | null): boolean {
    const obstacle = this.#obstacle(path);
    return obstacle !== null && obstacle !== node && !this.#leaving.has(obstacle);
  }

  /** What is at a path, or is no directory above it. */
  #obstacle(path: string): number | null {
    let node = this.#state.nodeOrDamaged(ROOT_NODE);
    for (const segment of path.split("/").slice(1)) {
      if (!isDirectory(node.mode)) return node.number;
      const entry = this.#state.entry(node.number, segment);
      if (entry === null) return null;
      node = this.#state.nodeOrDamaged(entry.node);
    }
    return node.number;
  }

  #claims(): Claim[] {
    this.#leaving.clear();
    for (const path of this.#names.removedLinks) this.#leave(nodeAt(this.#state, path)?.number ?? null);
    for (const node of this.#names.emptied) this.#leave(node);
    const claims = [...this.#directories].flatMap((directory) => this.#claimOfDirectory(directory));
    for (const link of this.#links) claims.push(this.#claimOfLink(link));
    for (const [uid, file] of this.#files) claims.push(...this.#claimOfFile(uid, file));
    return claims;
  }

  #leave(node: number | null): void {
    if (node !== null) this.#leaving.add(node);
  }

  #claimOfDirectory(directory: PlacedDirectory): Claim[] {
    const { node, path } = directory;
    if (node !== null && this.#pathsOf(node)[0] === path) return [];
    this.#leave(node);
    const there = node === null ? nodeAt(this.#state, path) : null;
    // A directory that was removed may have been made again.
    if (there !== null && isDirectory(there.mode)) return [];
    const giveUp = (reason: string): void => {
      this.#directories.delete(directory);
      this.#keep("directory", { path: node === null ? path : (this.#pathsOf(node)[0] ?? path), reason });
    };
    return [{ paths: [path], node, giveUp }];
  }

  #claimOfLink(link: PlacedLink): Claim {
    const giveUp = (reason: string): void => {
      this.#links.delete(link);
      this.#keep("symlink", { path: link.path, reason });
    };
    return { paths: [link.path], node: null, giveUp };
  }

  #claimOfFile(uid: Uid, file: PlacedFile): Claim[] {
    if (file.paths === null) return [];
    const node = this.#nodeOf(uid);
    this.#leave(node);
    if (file.paths.length === 0) return [];
    const path = this.#state.memory(uid)?.path ?? "";
    const giveUp = (reason: string): void => {
      if (node === null) this.#files.delete(uid);
      else this.#files.set(uid, { ...file, paths: null });
      this.#keep("memory", { path, reason, uid });
    };
    return [{ paths: file.paths, node, giveUp }];
  }
}
