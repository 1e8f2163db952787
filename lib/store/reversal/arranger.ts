/**
 * Puts memories, directories and symbolic links where an {@link Arrangement} wants them, whatever is where now: first
 * everything that moves leaves its names, then everything comes to its new ones, so that moves in a circle are nothing
 * special. History is told at the end, once for each thing.
 */

import { MemfsError } from "../../errors.ts";
import { formatId } from "../../id.ts";
import type { Arranged, Arrangement, PlacedDirectory, PlacedFile, PlacedLink } from "./arrangement.ts";
import { inHistory } from "../tree/entries.ts";
import { EMPTY_HASH } from "../content/hash.ts";
import { orphanKey, pathKey } from "../records/keys.ts";
import { appendVersion, memoryName, type NewVersion, setContent, storeContent } from "../memories.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import { isFile, S_IFDIR, S_IFREG } from "../tree/mode.ts";
import { printable } from "../tree/names.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import { isLater, type Mutable } from "../records/record.ts";
import type { Transaction } from "../transaction.ts";
import type { Steps } from "../turns.ts";
import { addName, isBelowAny, newNode, pathOf, removeName, ROOT_NODE } from "../tree/tree.ts";
import { namesBelow } from "../tree/walk.ts";

/** A file on its way, with what it was before. */
interface Placing {
  readonly placed: PlacedFile;
  readonly path: string;
  readonly wasLive: boolean;
  readonly names: readonly NodeName[];
  /** Their paths. */
  readonly paths: readonly string[];
}

export class Arranger {
  readonly #tx: Transaction;
  readonly #note: string | null;
  /** Names of which history has to be told, and what is there now. */
  readonly #touched = new Map<string, { readonly at: NodeName; readonly node: number | null }>();
  readonly #parents = new Map<string, number>();
  /** Paths of directories that leave their place, and of those of them that come to another one, by node. */
  #leaving: ReadonlySet<string> = new Set();
  #moving: ReadonlyMap<number, string> = new Map();
  #emptied: readonly (readonly [number, string])[] = [];
  readonly #done: Arranged[] = [];

  /** @param note for the versions that are made */
  constructor(tx: Transaction, note: string | null) {
    this.#tx = tx;
    this.#note = note;
  }

  /**
   * Yields between steps, so that others may have their turn, as long as they do not change the store. Listings of what is
   * below directories that move or go have to be in memory.
   * @throws MemfsError `exists` when something that is not to move is in the way
   */
  *arrange(wanted: Arrangement): Steps<readonly Arranged[]> {
    this.#findMoving(wanted);
    const files: Placing[] = [];
    for (const placed of wanted.files) yield void files.push(this.#take(placed));
    for (const path of wanted.removedLinks) yield this.#removeLink(path);
    for (const node of this.#moving.keys()) yield this.#detach(node);
    for (const [node, path] of this.#emptied) yield this.#removeEmpty(node, path);
    this.#parents.clear();
    if (this.#leaving.size > 0) this.#tx.movedDirectory();
    for (const directory of wanted.directories) yield this.#placeDirectory(directory);
    for (const link of wanted.links) yield this.#placeLink(link);
    for (const file of files) yield this.#placeFile(file);
    for (const file of files) yield this.#recordFile(file);
    for (const node of this.#moving.keys()) yield* this.#recordBelow(node);
    return this.#done;
  }

  /** What the names became, once the last journal entry of the transaction is made. */
  *recordPast(): Steps<void> {
    const tx = this.#tx;
    for (const { at, node: number } of this.#touched.values()) {
      yield;
      const node = number === null ? null : tx.node(number);
      const shown = node !== null && inHistory(tx, node) && (node.names.length === 1 || !tx.isScratch(at));
      tx.putPastEntry(at, tx.counters.seq, shown ? node : null);
    }
  }

  #findMoving({ directories, emptied }: Arrangement): void {
    this.#emptied = emptied.map((node) => [node, this.#pathOf(node)] as const);
    const leaving = new Set(this.#emptied.map(([, path]) => path));
    const moving = new Map<number, string>();
    for (const { node, path } of directories) {
      const from = node === null ? path : this.#pathOf(node);
      if (node === null || from === path) continue;
      moving.set(node, from);
      leaving.add(from);
    }
    // What stays at its path below one that leaves has to be put there.
    for (const { node, path } of directories)
      if (node !== null && isBelowAny(path, leaving)) moving.set(node, this.#pathOf(node));
    this.#leaving = leaving;
    this.#moving = moving;
  }

  #pathOf(number: number): string {
    const [name] = this.#tx.node(number).names;
    return name === undefined ? "" : pathOf(this.#tx, name);
  }

  /** Takes a memory from the names it is to lose; its file too, when it is to be deleted. */
  #take(placed: PlacedFile): Placing {
    const tx = this.#tx;
    const { state, path, node } = tx.memory(placed.memory);
    const wasLive = state === "live";
    const names = wasLive ? tx.node(node).names : [];
    const paths = names.map((name) => pathOf(tx, name));
    const placing = { placed, path, wasLive, names, paths };
    if (tx.unsettled.ofMemory(placed.memory) !== undefined)
      throw new MemfsError("busy", `${printable(path)} is being saved right now; try again`);
    if (!placing.wasLive || placed.paths === null) return placing;
    const stays =
      paths.length === placed.paths.length &&
      paths.every((one, index) => one === placed.paths?.[index] && !isBelowAny(one, this.#leaving));
    if (stays) return placing;
    for (const name of names) if (placed.paths.length === 0 || !tx.isScratch(name)) this.#lose(node, name);
    if (placed.paths.length === 0) tx.editNode(node).memory = null;
    return placing;
  }

  #lose(number: number, at: NodeName): void {
    removeName(this.#tx, number, at);
    this.#touch(at, null);
  }

  #detach(number: number): void {
    const [name] = this.#tx.node(number).names;
    if (name !== undefined) this.#lose(number, name);
  }

  #touch(at: NodeName, node: number | null): void {
    this.#touched.set(`${at.parent}/${at.name}`, { at, node });
  }

  #removeLink(path: string): void {
    const at = this.#at(path);
    const entry = this.#tx.entry(at.parent, at.name);
    if (entry === null) return;
    this.#lose(entry.node, at);
    this.#tx.journal("entry.removed", {}, { path });
    this.#tell({ kind: "symlink", action: "deleted", path });
  }

  #removeEmpty(number: number, path: string): void {
    if (this.#tx.node(number).entries > 0) {
      this.#tell({ kind: "directory", action: "kept", path });
      return;
    }
    this.#detach(number);
    this.#tx.journal("entry.removed", {}, { path });
    this.#tell({ kind: "directory", action: "deleted", path });
  }

  #placeDirectory({ node, path, mode }: PlacedDirectory): void {
    const tx = this.#tx;
    const at = this.#at(path);
    const number = node ?? this.#directoryAt(at, path) ?? this.#make(at, path, mode ?? S_IFDIR | 0o755);
    const directory = tx.editNode(number);
    const changed = mode !== null && mode !== directory.mode;
    const from = this.#moving.get(number);
    if (directory.names.length === 0 && number !== ROOT_NODE) this.#come(directory, at, path);
    if (changed) directory.mode = mode;
    if (changed) this.#touch(at, number);
    // Also when it comes into another directory that is at the same path now: paths alone would not tell.
    if (from !== undefined) tx.journal("entry.renamed", {}, { path: from, detail: { to: path } });
    if (from !== undefined && from !== path) {
      this.#tell({ kind: "directory", action: "moved", path, from });
    } else if (changed) {
      tx.journal("node.changed", {}, { path, detail: { permissions: mode & 0o7777 } });
      this.#tell({ kind: "directory", action: "attributes", path });
    }
    this.#parents.set(path, number);
  }

  #directoryAt({ parent, name }: NodeName, path: string): number | null {
    const entry = this.#tx.entry(parent, name);
    if (entry === null) return null;
    if (entry.type === S_IFDIR) return entry.node;
    throw new MemfsError("exists", `${printable(path)} is in the way of a directory; move it away`);
  }

  #make(at: NodeName, path: string, mode: number): number {
    const node = this.#new(mode, undefined);
    addName(this.#tx, node, at);
    this.#touch(at, node.number);
    this.#tx.madeDirectory(node.number);
    this.#tx.journal("entry.created", {}, { path, detail: { mode } });
    this.#tell({ kind: "directory", action: "restored", path });
    return node.number;
  }

  #new(mode: number, target: string | undefined): Mutable<NodeRecord> {
    const { uid, gid } = this.#tx.node(ROOT_NODE);
    return this.#tx.addNode(newNode(this.#tx.newNodeNumber(), { mode, uid, gid, target }, this.#tx.now));
  }

  /** Something gets a name, which may be its first. @throws MemfsError `exists` */
  #come(node: Mutable<NodeRecord>, at: NodeName, path: string): void {
    const tx = this.#tx;
    const taken = tx.entry(at.parent, at.name);
    if (taken !== null) {
      const { memory } = tx.node(taken.node);
      const detail = { conflicting_path: printable(path) };
      throw new MemfsError("exists", `its path ${printable(path)} is taken; move what is there away, or give another`, {
        detail: memory === null ? detail : { ...detail, conflicting_memory_id: formatId("mem", memory) },
      });
    }
    const wasLost = node.names.length === 0;
    addName(tx, node, at);
    this.#touch(at, node.number);
    if (!wasLost) return;
    tx.delete(orphanKey(node.number));
    if (isFile(node.mode)) tx.counters.liveBytes += node.size;
  }

  #placeLink({ node, path, target, mode, mtime }: PlacedLink): void {
    const at = this.#at(path);
    const link = node === null ? this.#new(mode, target) : this.#tx.editNode(node);
    const isThere = link.names.some((name) => isSameName(name, at));
    if (!isThere) this.#come(link, at, path);
    link.mode = mode;
    link.mtime = mtime;
    this.#touch(at, link.number);
    const detail = isThere ? { permissions: mode & 0o7777, mtime } : { mode };
    this.#tx.journal(isThere ? "node.changed" : "entry.created", {}, { path, detail });
    this.#tell({ kind: "symlink", action: isThere ? "attributes" : "restored", path });
  }

  #placeFile({ placed, wasLive }: Placing): void {
    const tx = this.#tx;
    const { paths } = placed;
    if (paths === null || paths.length === 0) return;
    const memory = tx.editMemory(placed.memory);
    if (!wasLive) {
      const made = this.#new(S_IFREG | ((placed.mode ?? 0o644) & 0o7777), undefined);
      made.memory = placed.memory;
      memory.node = made.number;
      memory.state = "live";
      tx.counters.memories += 1;
    }
    const node = tx.editNode(memory.node);
    for (const path of paths) {
      const at = this.#at(path);
      if (node.names.some(({ parent, name }) => parent === at.parent && name === at.name)) continue;
      this.#come(node, at, path);
    }
  }

  /** One version says what became of a memory, if anything did. */
  #recordFile({ placed, path: from, wasLive, names, paths }: Placing): void {
    const tx = this.#tx;
    const memory = tx.editMemory(placed.memory);
    if (placed.paths?.length === 0) {
      if (wasLive) this.#recordNames(memory, { before: paths.filter((path) => path !== from), now: [] });
      if (wasLive) this.#end(memory);
      return;
    }
    const node = tx.editNode(memory.node);
    const path = pathOf(tx, memoryName(tx, node));
    const others =
      placed.paths === null ? [] : node.names.map((name) => pathOf(tx, name)).filter((one) => one !== path);
    const before = placed.paths === null ? [] : paths.filter((one) => one !== from);
    const renamed = this.#recordNames(memory, { before, now: others });
    const content = placed.content !== null && placed.content.hash !== (memory.hash ?? EMPTY_HASH);
    const { mode: modeBefore } = node;
    const changed = this.#setAttributes(node, placed, content || !wasLive);
    memory.path = path;
    const moved = path !== from;
    // The path says nothing of it when another directory has come to be there.
    const isElsewhere = wasLive && !moved && node.names.some((name) => !names.some((one) => isSameName(one, name)));
    if (isElsewhere) tx.journal("entry.renamed", { memory: memory.memory }, { path, detail: { to: path } });
    if (content || !wasLive || moved) {
      const renamedFrom = wasLive && !content ? from : null;
      this.#appendVersion(memory, node, { content: placed.content, renamedFrom });
      // Of what has the same content a version does not say that attributes changed.
      if (wasLive && (node.mode !== modeBefore || (changed && !content))) this.#recordAttributes(node, path);
      if (moved || !wasLive) tx.mark(pathKey(tx.state.tagOfName(path), tx.counters.seq, memory.memory));
    } else if (changed) {
      this.#recordAttributes(node, path);
    } else if (!renamed) {
      if (isElsewhere) for (const name of node.names) this.#touch(name, node.number);
      return;
    }
    for (const name of node.names) this.#touch(name, node.number);
    const action = !wasLive ? "restored" : content ? "modified" : moved ? "moved" : "attributes";
    const version = action === "attributes" ? null : memory.headSeq;
    this.#tell({ kind: "memory", action, memory: memory.memory, path, from: moved ? from : null, version });
  }

  #recordAttributes({ memory, mode, mtime }: NodeRecord, path: string): void {
    this.#tx.journal("node.changed", { memory }, { path, detail: { permissions: mode & 0o7777, mtime } });
  }

  /** Names of a file beside the one that is its path. Returns whether there was anything to tell. */
  #recordNames(
    { memory }: MemoryRecord,
    { before, now }: { readonly before: readonly string[]; readonly now: readonly string[] },
  ): boolean {
    const removed = before.filter((path) => !now.includes(path));
    const made = now.filter((path) => !before.includes(path));
    for (const path of removed) this.#tx.journal("entry.removed", { memory }, { path });
    for (const path of made) this.#tx.journal("entry.created", { memory }, { path });
    return removed.length + made.length > 0;
  }

  /** True when mode or mtime changed. */
  #setAttributes(node: Mutable<NodeRecord>, { mode, mtime }: PlacedFile, isNew: boolean): boolean {
    const before = { mode: node.mode, mtime: node.mtime };
    node.mode = mode ?? node.mode;
    node.mtime = mtime ?? (isNew ? this.#tx.now : node.mtime);
    const changed = before.mode !== node.mode || isLater(before.mtime, node.mtime) || isLater(node.mtime, before.mtime);
    if (changed || isNew) node.ctime = this.#tx.now;
    return changed;
  }

  #appendVersion(
    memory: Mutable<MemoryRecord>,
    node: Mutable<NodeRecord>,
    { content, renamedFrom }: { content: PlacedFile["content"]; renamedFrom: string | null },
  ): void {
    const next = content ?? { hash: memory.hash ?? EMPTY_HASH, size: memory.size };
    if (content !== null && "chunks" in content) storeContent(this.#tx, content);
    const version = this.#version(memory, node, renamedFrom === null ? "memory.modified" : "memory.renamed");
    const detail = renamedFrom === null ? undefined : { from: renamedFrom };
    appendVersion(this.#tx, memory, { ...version, hash: next.hash, size: next.size, detail });
    setContent(this.#tx, node, next);
  }

  #version(memory: MemoryRecord, { mode, mtime }: NodeRecord, kind: NewVersion["kind"]): NewVersion {
    const { path, hash, size, head } = memory;
    return { kind, path, hash, size, mode, mtime, parents: [head], handle: 0, note: this.#note, detail: undefined };
  }

  #end(memory: Mutable<MemoryRecord>): void {
    const tx = this.#tx;
    const { path } = memory;
    const version = this.#version(memory, tx.node(memory.node), "memory.deleted");
    appendVersion(tx, memory, { ...version, hash: null, size: 0 });
    memory.state = "deleted";
    tx.counters.memories -= 1;
    this.#tell({ kind: "memory", action: "deleted", memory: memory.memory, path, version: memory.headSeq });
  }

  /** Memories that went along with a directory. */
  *#recordBelow(directory: number): Steps<void> {
    const tx = this.#tx;
    for (const {
      node: { number },
    } of namesBelow(tx, directory)) {
      yield;
      const node = tx.node(number);
      if (node.memory === null || node.names.length === 0) continue;
      const memory = tx.editMemory(node.memory);
      const { path: from } = memory;
      const path = pathOf(tx, memoryName(tx, node));
      if (path === from) continue;
      memory.path = path;
      const version = this.#version(memory, node, "memory.renamed");
      appendVersion(tx, memory, { ...version, detail: { from } });
      tx.mark(pathKey(tx.state.tagOfName(path), tx.counters.seq, memory.memory));
      this.#tell({ kind: "memory", action: "moved", memory: memory.memory, path, from, version: memory.headSeq });
    }
  }

  /** The name that a path is, with the directories above it. @throws MemfsError `exists` */
  #at(path: string): NodeName {
    const cut = path.lastIndexOf("/");
    return { parent: this.#directory(path.slice(0, cut)), name: path.slice(cut + 1) };
  }

  #directory(path: string): number {
    if (path === "") return ROOT_NODE;
    const known = this.#parents.get(path);
    if (known !== undefined) return known;
    const at = this.#at(path);
    const number = this.#directoryAt(at, path) ?? this.#make(at, path, S_IFDIR | 0o755);
    this.#parents.set(path, number);
    return number;
  }

  #tell({
    memory = null,
    from = null,
    version = null,
    ...arranged
  }: Pick<Arranged, "kind" | "action" | "path"> & Partial<Arranged>): void {
    this.#done.push({ ...arranged, memory, from, version });
  }
}

function isSameName(a: NodeName, b: NodeName): boolean {
  return a.parent === b.parent && a.name === b.name;
}
