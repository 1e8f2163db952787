/** An open store: one key range, one journal, one tree. Everything that changes it goes through {@link Store.update}. */

import { MemfsError } from "../errors.ts";
import { parseId, type Uid } from "../id.ts";
import { verifyJournal } from "./history/audit.ts";
import { checkStore } from "./check.ts";
import { type ByteRange, getContent, getContentRange, holeEnd, openContent, storeChunks } from "./content/content.ts";
import type { Chunk, StoredContent } from "./content/chunk.ts";
import { EMPTY_HASH, type Hash, ZERO_HASH } from "./content/hash.ts";
import { History } from "./history/history.ts";
import type { JournalKind } from "./journal.ts";
import { counterKey, rangeOf, readU48 } from "./records/keys.ts";
import type { Listing } from "./tree/listings.ts";
import { listMemories, memoryInfo } from "./memory-list.ts";
import { isDirectory, S_IFDIR } from "./tree/mode.ts";
import { fromBytes } from "./tree/names.ts";
import { DEFAULT_POLICY } from "./policy.ts";
import { type Counters, decodeCounters } from "./records/counters.ts";
import type { EntryRecord } from "./records/entry-record.ts";
import type { MemoryRecord } from "./records/memory-record.ts";
import type { NodeName, NodeRecord } from "./records/node-record.ts";
import { OpenConflicts } from "./merge/open-conflicts.ts";
import { Past } from "./history/past.ts";
import { Reads } from "./history/reads.ts";
import { Reversal } from "./reversal/reversal.ts";
import { createSaltSource } from "./crypto/salt.ts";
import { Folding } from "./folding.ts";
import { Settling } from "./settling.ts";
import { type StateOptions, StoreState } from "./state.ts";
import { type Cause, type StoreChange, Transaction } from "./transaction.ts";
import { newNode, nodeAt, ROOT_NODE } from "./tree/tree.ts";
import type {
  Actor,
  AuditReport,
  ListMemories,
  MemoryInfo,
  Page,
  Policy,
  PrefixInfo,
  StoreInfo,
  StoreUsage,
} from "./types.ts";
import { loadSubtree, subtreeLoaded } from "./tree/walk.ts";

/** Told of every committed change, whoever made it. Must not throw. */
export type StoreObserver = (change: StoreChange) => void;

export interface StoreOptions extends Omit<StateOptions, "counters" | "policy"> {
  /** Makes everything committed so far survive power loss. */
  readonly sync: () => Promise<void>;
  /** The catalogue's present knowledge of the store. */
  readonly describe: () => { readonly info: StoreInfo; readonly policy: Policy };
}

/** Who does the housekeeping. */
const DAEMON: Actor = Object.freeze({ type: "user", userId: "memfs" });

const BLANK: Counters = Object.freeze({
  seq: 0,
  journalHash: ZERO_HASH,
  lastAt: 0,
  nextNode: ROOT_NODE + 1,
  memories: 0,
  versions: 0,
  liveBytes: 0,
  historyBytes: 0,
});

export class Store {
  readonly #state: StoreState;
  readonly #describe: StoreOptions["describe"];
  readonly #salts = createSaltSource();
  readonly #sync: () => Promise<void>;
  readonly #past: Past;
  /** Its versions. */
  readonly history: History;
  /** Who read which of them. */
  readonly reads: Reads;
  /** Bringing back what was. */
  readonly reversal: Reversal;
  readonly conflicts: OpenConflicts;
  /** What is held back for a moment, and recording it. */
  readonly settling: Settling;
  /** Temporary files that other sessions have seen are no mere steps of a save. */
  readonly folding: Folding;
  #observer: StoreObserver | null = null;

  /** @throws MemfsError `damaged` when the store has no counters: it was never made, or its keys are gone */
  constructor(options: StoreOptions) {
    const stored = options.space.get(counterKey);
    if (stored === undefined) throw new MemfsError("damaged", "the store has no counters; restore it from a backup");
    this.#state = new StoreState({
      ...options,
      counters: decodeCounters(stored),
      policy: () => options.describe().policy,
    });
    this.#past = new Past(this.#state);
    this.settling = new Settling(this.#state, this.#salts, DAEMON);
    this.folding = new Folding(this.#state, this.settling);
    this.history = new History({
      state: this.#state,
      settling: this.settling,
      content: (hash) => this.content(hash),
    });
    const changing = {
      state: this.#state,
      settling: this.settling,
      describe: options.describe,
      update: <T>(cause: Cause, change: (tx: Transaction) => T): T => this.update(cause, change),
    };
    this.reads = new Reads(changing);
    this.reversal = new Reversal({
      ...changing,
      past: this.#past,
      begin: (cause) => new Transaction(this.#state, cause, this.#salts),
      commit: (tx) => this.#commitReversal(tx),
    });
    this.conflicts = new OpenConflicts(changing);
    this.#describe = options.describe;
    this.#sync = options.sync;
  }

  /** Writes the first records of a new store: its root directory and its first journal entry. */
  static initialise(options: Omit<StoreOptions, "describe" | "sync">, cause: Cause): void {
    const state = new StoreState({ ...options, counters: BLANK, policy: () => DEFAULT_POLICY });
    const tx = new Transaction(state, cause, createSaltSource());
    tx.addNode(newNode(ROOT_NODE, { mode: S_IFDIR | 0o755, uid: 0, gid: 0 }, tx.now));
    tx.journal("store.created", {}, {});
    tx.commit();
  }

  get info(): StoreInfo {
    return this.#describe().info;
  }

  get policy(): Policy {
    return this.#describe().policy;
  }

  /** How many memories there are, with the files that will be one in a moment. */
  get memoriesToBe(): number {
    return this.#state.counters.memories + this.#state.unsettled.files;
  }

  usage(): StoreUsage {
    const { memories, versions, liveBytes, historyBytes, seq } = this.#state.counters;
    return { memories, versions, liveBytes, historyBytes, headSeq: seq };
  }

  /** As {@link usage}, with what is held back recorded first; on a full disk it is left out. */
  async settledUsage(): Promise<StoreUsage> {
    try {
      await this.settling.recordAllInTurns();
    } catch (error) {
      if (!(error instanceof MemfsError) || error.code !== "no_space") throw error;
    }
    return this.usage();
  }

  observe(observer: StoreObserver): void {
    this.#observer = observer;
  }

  /**
   * Runs `change` and commits what it did as one transaction, or, when it throws, nothing of it.
   * @throws MemfsError `no_space`, `io`, `closed`, and what `change` throws
   */
  update<T>(cause: Cause, change: (tx: Transaction) => T): T {
    const tx = new Transaction(this.#state, cause, this.#salts);
    const result = change(tx);
    this.#commit(tx);
    return result;
  }

  #commit(tx: Transaction): StoreChange | null {
    const done = tx.commit();
    if (done !== null) this.#observer?.(done);
    return done;
  }

  /** What loses its last name by going back is dropped by whoever observes, once nobody has it open, or at once. */
  #commitReversal(tx: Transaction): void {
    const done = this.#commit(tx);
    if (done === null || this.#observer !== null) return;
    const lost = done.nodes.filter((node) => (this.node(node)?.detachedSince ?? 0) > 0);
    if (lost.length > 0) this.dropNodes(lost);
  }

  /** Records something that changes no memory. */
  record(kind: JournalKind, detail: Readonly<Record<string, unknown>>, cause: Cause): void {
    this.update(cause, (tx) => tx.journal(kind, {}, { detail }));
  }

  node(number: number): NodeRecord | undefined {
    return this.#state.node(number);
  }

  /** @param name bytes */
  entry(parent: number, name: string): EntryRecord | null {
    return this.#state.entry(parent, name);
  }

  /** A directory's entries if they are in memory; {@link loadListing} brings them there. */
  listing(directory: number): Listing | undefined {
    return this.#state.listings.peek(directory);
  }

  loadListing(directory: number): Promise<Listing> {
    return this.#state.listings.load(directory);
  }

  /** Order of a name in its directory: 48 bits that never change, so that a listing can go on where it stopped. */
  positionOf(name: string): number {
    return readU48(this.#state.tagOfName(name), 0);
  }

  /**
   * Runs the rename of a directory, which needs all listings below it in memory: at once when they are, else when they
   * have been read.
   */
  withSubtree<T>(directory: number, move: () => T): T | Promise<T> {
    const change = (): T => {
      this.settling.recordPlaces();
      return move();
    };
    return subtreeLoaded(this.#state, directory) ? change() : this.#loadAndRun([directory], change);
  }

  /** As {@link withSubtree}, with all directories among the nodes. */
  withSubtrees<T>(nodes: readonly NodeRecord[], move: () => T): T | Promise<T> {
    const change = (): T => {
      this.settling.recordPlaces();
      return move();
    };
    const cold = nodes.filter(({ mode, number }) => isDirectory(mode) && !subtreeLoaded(this.#state, number));
    if (cold.length === 0) return change();
    return this.#loadAndRun(
      cold.map(({ number }) => number),
      change,
    );
  }

  async #loadAndRun<T>(directories: readonly number[], change: () => T): Promise<T> {
    const release = this.#state.listings.hold();
    try {
      for (const directory of directories) await loadSubtree(this.#state, directory);
      return change();
    } finally {
      release();
    }
  }

  /** True for a file that is, or would be with its first commit, no memory. */
  isScratch(node: NodeRecord): boolean {
    const [name] = node.names;
    if (node.memory !== null || name === undefined) return false;
    if (node.content === null) return this.isScratchName(name);
    return this.#state.unsettled.ofNode(node.number) === undefined;
  }

  /** True for a name under which a new file would be no memory. */
  isScratchName(at: NodeName): boolean {
    return this.#state.scratch.has(this.#state, at, false);
  }

  memoryRecord(uid: Uid): MemoryRecord | undefined {
    return this.#state.memory(uid);
  }

  /** @throws MemfsError `damaged` */
  content(hash: Hash | null): Buffer {
    const digest = hash ?? EMPTY_HASH;
    const recent = this.#state.recent.get(digest);
    if (recent !== undefined) return recent;
    const bytes = getContent(this.#state, digest);
    this.#state.recent.put(digest, bytes);
    return bytes;
  }

  /** How the content is made up, to go on from it. @throws MemfsError `damaged` */
  openContent(hash: Hash | null): StoredContent {
    return openContent(this.#state, hash ?? EMPTY_HASH);
  }

  /**
   * Copies content that is going to be replaced to the start of `target`, which it must fit in; returns its size.
   * @throws MemfsError `damaged`
   */
  copyContent(hash: Hash | null, target: Buffer): number {
    if (hash === null) return 0;
    const copied = this.#state.recent.copyTo(hash, target);
    if (copied !== undefined) return copied;
    const bytes = getContent(this.#state, hash);
    target.set(bytes);
    return bytes.length;
  }

  /**
   * Stores chunks that no content refers to yet; resolves with the bytes of those that were not there. A crash leaves them
   * behind, in nobody's way. @throws MemfsError `no_space`, `io`, `closed`
   */
  async storeChunks(chunks: readonly Chunk[]): Promise<number> {
    return storeChunks(this.#state, chunks);
  }

  /** Large content is copied to `memory`, if that is given. @throws MemfsError `damaged` */
  contentRange(hash: Hash | null, range: ByteRange & { readonly memory?: Buffer }): Buffer {
    const digest = hash ?? EMPTY_HASH;
    const recent = this.#state.recent.get(digest);
    if (recent !== undefined) return recent.subarray(range.offset, range.offset + range.length);
    const bytes = getContentRange(this.#state, digest, range);
    // Fewer than asked for from the start: that is all of it.
    if (range.offset === 0 && bytes.length < range.length) this.#state.recent.put(digest, bytes);
    return bytes;
  }

  /** Where a hole of stored content ends that is known without reading it; `offset` when there is none. */
  holeEnd(hash: Hash | null, offset: number): number {
    return holeEnd(this.#state, hash ?? EMPTY_HASH, offset);
  }

  /** Drops nodes that have no names and that nothing refers to. @throws MemfsError `no_space`, `io` */
  dropNodes(nodes: readonly number[]): void {
    this.update({ actor: DAEMON }, (tx) => {
      for (const node of nodes) tx.dropNode(node);
    });
  }

  /** Resolves when everything committed before the call survives power loss. */
  sync(): Promise<void> {
    return this.#sync();
  }

  /** Finishes what the daemon before this one left: before anything else happens to the store. */
  async recover(): Promise<void> {
    await this.settling.recover();
    await this.#dropOrphans();
  }

  /** Nodes without names that were left behind by a daemon that died. Nothing refers to them after a start. */
  async #dropOrphans(): Promise<void> {
    const orphans: number[] = [];
    for await (const page of this.#state.space.scan(rangeOf("o")))
      for (const { key } of page) orphans.push(readU48(key, 1));
    if (orphans.length > 0) this.dropNodes(orphans);
  }

  /** @throws MemfsError `not_found` */
  memory(id: string): MemoryInfo {
    this.settling.recordAll();
    const memory = this.#state.memory(parseId("mem", id));
    if (memory?.state !== "live") throw new MemfsError("not_found", `no memory ${id} in this store`);
    return memoryInfo(memory);
  }

  /** @throws MemfsError `not_found` */
  memoryAt(path: Buffer): MemoryInfo {
    this.settling.recordAll();
    const uid = nodeAt(this.#state, fromBytes(path))?.memory ?? null;
    const memory = uid === null ? undefined : this.#state.memory(uid);
    if (memory === undefined) throw new MemfsError("not_found", `no memory at ${path.toString()}`);
    return memoryInfo(memory);
  }

  async listMemories(options: ListMemories): Promise<Page<MemoryInfo | PrefixInfo>> {
    await this.settling.recordAllInTurns();
    return listMemories(this.#state, options);
  }

  /** @throws MemfsError `not_found`, `damaged` */
  readHead(id: string): Buffer {
    this.memory(id);
    return this.content(this.#state.memory(parseId("mem", id))?.hash ?? null);
  }

  /** What this store was. */
  get past(): Past {
    this.settling.recordAll();
    return this.#past;
  }

  async verify(options: { head?: string } = {}): Promise<AuditReport> {
    await this.settling.recordAllInTurns();
    return verifyJournal(this.#state, options.head);
  }

  async check(): Promise<string[]> {
    await this.settling.recordAllInTurns();
    return checkStore(this.#state);
  }
}
