/** What has to change so that a tree is again what it was. */

import { MemfsError } from "../../errors.ts";
import { formatId, type Uid } from "../../id.ts";
import type { Arrangement, PlacedDirectory, PlacedFile, PlacedLink } from "./arrangement.ts";
import { isDirectory, S_IFLNK, typeOf } from "../tree/mode.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import type { NodeRecord } from "../records/node-record.ts";
import type { PastDirectory, PastFile, PastLink, PastTree } from "../history/past-tree.ts";
import type { Timestamp } from "../records/record.ts";
import type { StoreState } from "../state.ts";
import { isBelowAny, pathOf, ROOT_NODE } from "../tree/tree.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** Looked at (~10 µs each) before others may get their turn. */
const STEPS_PER_TURN = 64;

export interface TreeRollback {
  readonly past: PastTree;
  /** The journal entry that it was read after. */
  readonly seq: number;
  /** Directories whose present content is to be as in the past; their listings, and all below, are in memory. */
  readonly scope: readonly number[];
}

/** A directory that is there now. */
interface Present {
  readonly node: number;
  readonly path: string;
}

/**
 * Compares past and present; yields now and then, so that others may have their turn. What it finds holds as long as the
 * store does not change meanwhile.
 * @throws MemfsError `not_found` when the content of a version is gone, `damaged`
 */
export function* planTreeRollback(state: StoreState, rollback: TreeRollback): Generator<undefined, Arrangement> {
  return yield* new Comparison(state, rollback).run();
}

class Comparison {
  readonly #state: StoreState;
  readonly #past: PastTree;
  readonly #seq: number;
  readonly #scope: readonly number[];
  readonly #directories: Present[] = [];
  readonly #links = new Map<string, NodeRecord>();
  readonly #memories = new Set<Uid>();
  /** Paths of directories that do not stay where they are. */
  readonly #leaving = new Set<string>();
  #steps = 0;

  constructor(state: StoreState, { past, seq, scope }: TreeRollback) {
    this.#state = state;
    this.#past = past;
    this.#seq = seq;
    this.#scope = scope;
  }

  *run(): Generator<undefined, Arrangement> {
    for (const top of this.#scope) {
      if (top !== ROOT_NODE) this.#directories.push({ node: top, path: this.#pathOf(top) });
      yield* this.#walk(top, this.#pathOf(top));
    }
    const { directories, emptied } = this.#compareDirectories();
    const files: PlacedFile[] = [];
    for (const [memory, file] of this.#past.files) {
      if (this.#pause()) yield;
      if (!this.#isUnchanged(memory, file)) files.push(placed(memory, file));
    }
    for (const memory of this.#memories) if (!this.#past.files.has(memory)) files.push(yield* this.#strange(memory));
    return { files, directories, emptied, links: this.#newLinks(), removedLinks: this.#oldLinks() };
  }

  #pause(): boolean {
    this.#steps += 1;
    return this.#steps % STEPS_PER_TURN === 0;
  }

  /** Absolute; empty for the root. */
  #pathOf(number: number): string {
    const [name] = this.#state.nodeOrDamaged(number).names;
    return name === undefined ? "" : pathOf({ node: (parent) => this.#state.nodeOrDamaged(parent) }, name);
  }

  *#walk(directory: number, path: string): Generator<undefined, void> {
    for (const { name, node: number } of this.#state.listings.peek(directory)?.values() ?? []) {
      if (this.#pause()) yield;
      const node = this.#state.nodeOrDamaged(number);
      const at = { node: number, path: `${path}/${name}` };
      if (node.memory !== null) this.#memories.add(node.memory);
      else if (typeOf(node.mode) === S_IFLNK && !this.#isScratch(directory, name, false))
        this.#links.set(at.path, node);
      if (!isDirectory(node.mode)) continue;
      if (!this.#isScratch(directory, name, true)) this.#directories.push(at);
      yield* this.#walk(number, at.path);
    }
  }

  #isScratch(parent: number, name: string, directory: boolean): boolean {
    return this.#state.scratch.has(this.#state, { parent, name }, directory);
  }

  /** Directories go on as themselves wherever they are now; others at the same path take the place of those that are gone. */
  #compareDirectories(): { directories: PlacedDirectory[]; emptied: number[] } {
    const present = new Map(this.#directories.map(({ node, path }) => [node, path]));
    const free = new Map(this.#directories.map(({ node, path }) => [path, node]));
    const wanted = new Map<string, number>();
    for (const { path, node } of this.#past.directories) {
      const now = present.get(node);
      if (now === undefined) continue;
      wanted.set(path, node);
      free.delete(now);
    }
    for (const { path } of this.#past.directories) {
      const node = wanted.has(path) ? undefined : free.get(path);
      if (node === undefined) continue;
      wanted.set(path, node);
      free.delete(path);
    }
    const directories = this.#past.directories.map((past) => this.#placed(past, wanted.get(past.path) ?? null));
    for (const { node, path } of directories) {
      const now = node === null ? undefined : present.get(node);
      if (now !== undefined && now !== path) this.#leaving.add(now);
    }
    for (const path of free.keys()) this.#leaving.add(path);
    const deepestFirst = [...free].sort(([a], [b]) => depth(b) - depth(a));
    return {
      directories: directories.filter((directory) => this.#differs(directory, present)),
      emptied: deepestFirst.map(([, node]) => node),
    };
  }

  #placed({ path, mode }: PastDirectory, node: number | null): PlacedDirectory {
    return { node, path, mode };
  }

  #differs({ node, path, mode }: PlacedDirectory, present: ReadonlyMap<number, string>): boolean {
    if (node === null || present.get(node) !== path || this.#isMoving(path)) return true;
    return this.#state.nodeOrDamaged(node).mode !== mode;
  }

  /** Whether what is at the path goes along with a directory that leaves. */
  #isMoving(path: string): boolean {
    return isBelowAny(path, this.#leaving);
  }

  #isUnchanged(uid: Uid, { paths, version, mode, mtime }: PastFile): boolean {
    const memory = this.#memory(uid);
    if (memory.state !== "live" || memory.hash !== version.hash) return false;
    const node = this.#state.nodeOrDamaged(memory.node);
    if (node.mode !== mode || !isSame(node.mtime, mtime)) return false;
    const now = node.names.map((name) => pathOf({ node: (parent) => this.#state.nodeOrDamaged(parent) }, name));
    return now.length === paths.length && now.every((path) => paths.includes(path) && !this.#isMoving(path));
  }

  #memory(uid: Uid): MemoryRecord {
    const memory = this.#state.memory(uid);
    if (memory === undefined) throw new MemfsError("damaged", "a memory is missing; restore the home from a backup");
    return memory;
  }

  /** A memory that was not in the tree: made since then, gone then, or elsewhere, where it goes back to. */
  *#strange(uid: Uid): Generator<undefined, PlacedFile> {
    const version = yield* this.#versionThen(this.#memory(uid));
    if (version === null || version.operation === "deleted") return deleted(uid);
    const { path, hash, size, made } = version;
    if (path === null || hash === null) {
      const id = formatId("memver", version.version);
      throw new MemfsError(
        "not_found",
        `${id} was there then and is redacted; roll back what lies beside it one by one`,
      );
    }
    return { memory: uid, paths: [path], content: { hash, size }, mode: made.mode, mtime: made.mtime };
  }

  *#versionThen({ headSeq }: MemoryRecord): Generator<undefined, VersionRecord | null> {
    for (let seq = headSeq; seq > 0;) {
      if (this.#pause()) yield;
      const version = this.#state.versionAt(seq);
      if (version === undefined || seq <= this.#seq) return version ?? null;
      seq = version.previous;
    }
    return null;
  }

  #newLinks(): PlacedLink[] {
    return this.#past.links.filter((link) => !this.#hasLink(link)).map((link) => ({ node: null, ...link }));
  }

  #hasLink({ path, target, mode, mtime }: PastLink): boolean {
    const node = this.#links.get(path);
    if (node === undefined || this.#isMoving(path)) return false;
    return node.target === target && node.mode === mode && isSame(node.mtime, mtime);
  }

  #oldLinks(): string[] {
    const kept = new Set(this.#past.links.filter((link) => this.#hasLink(link)).map(({ path }) => path));
    return [...this.#links.keys()].filter((path) => !kept.has(path));
  }
}

function placed(memory: Uid, { paths, version, mode, mtime }: PastFile): PlacedFile {
  return { memory, paths, content: { hash: version.hash ?? "", size: version.size }, mode, mtime };
}

function deleted(memory: Uid): PlacedFile {
  return { memory, paths: [], content: null, mode: null, mtime: null };
}

function depth(path: string): number {
  return path.split("/").length;
}

function isSame(a: Timestamp, b: Timestamp): boolean {
  return a.sec === b.sec && a.nsec === b.nsec;
}
