/**
 * A store while it is mounted: the views of it (one per mount), and what they share. Every committed change of the
 * store, whoever made it, passes through here to the views whose kernels may hold something older.
 */

import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { FinishedContent } from "../store/content/chunk.ts";
import { type ChunkSink, ContentWriter } from "../store/content/content-writer.ts";
import type { Hash } from "../store/content/hash.ts";
import { INLINE_BYTES, takeSmallMemory } from "../store/content/small-memory.ts";
import type { Timestamp } from "../store/records/record.ts";
import type { Store } from "../store/store.ts";
import type { StoreChange } from "../store/transaction.ts";
import { AccessTimes } from "./access-times.ts";
import type { BlockPool } from "./block-pool.ts";
import type { DraftSource } from "./draft.ts";
import { type DraftHolder, IdleCommits } from "./idle-commits.ts";
import { LockTable } from "./lock-table.ts";
import type { Processes } from "./processes.ts";
import { StoreReads } from "./session-reads.ts";

/** Writers kept to go on from: each holds the bytes after its last cut (up to 256 KiB) and a running digest. */
const KEPT_WRITERS = 32;
/** Content up to this many bytes is read and hashed anew to go on from it: some 2 ms. */
const RESUME_BYTES = 1024 * 1024;
/** Nodes nothing refers to any more are dropped in batches of this many, or after this time (ms). */
const REAP_BATCH = 256;
const REAP_MS = 1000;
/** What is held back in history is recorded when it is due, in batches at least this far (ms) apart. */
const SETTLE_MS = 250;
const SETTLE_RETRY_MS = 1000;

/** What a live store asks of a view. */
export interface LiveView extends DraftHolder {
  /** Tells the kernel about a change it did not make itself. */
  invalidate(change: StoreChange): void;
  /** The same, of attributes only. */
  attributesChanged(node: number): void;
  /** Drafts that others may look at: they may only be waiting for their RELEASE, or their lock was given up. */
  readonly waiting: ReadonlySet<number>;
  /** True while the kernel or a handle refers to the node. */
  refersTo(node: number): boolean;
  /** The node is gone for good: nothing more is to be remembered of it. */
  gone(node: number): void;
}

export interface LiveStoreOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly processes: Processes;
  /** Memory and spill file of drafts, shared by all stores. */
  readonly blocks: BlockPool;
}

export class LiveStore implements DraftSource {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly processes: Processes;
  readonly locks = new LockTable();
  readonly accessTimes: AccessTimes;
  readonly reads: StoreReads;
  readonly idle: IdleCommits;
  readonly blocks: BlockPool;
  readonly sink: ChunkSink;
  readonly #views = new Set<LiveView>();
  readonly #writers = new Map<Hash, ContentWriter>();
  /** Nodes without names that a view refers to. */
  readonly #orphans = new Set<number>();
  readonly #unreferenced = new Set<number>();
  #reaper: NodeJS.Timeout | null = null;
  #settler: NodeJS.Timeout | null = null;

  constructor(options: LiveStoreOptions) {
    this.store = options.store;
    this.clock = options.clock;
    this.log = options.log;
    this.processes = options.processes;
    this.idle = new IdleCommits(options.clock, this.#views);
    this.accessTimes = new AccessTimes(options.store, options.log);
    this.reads = new StoreReads(options.store, options.log);
    this.blocks = options.blocks;
    this.sink = { store: (chunks) => this.store.storeChunks(chunks) };
    this.store.observe((change) => {
      for (const view of this.#views) if (view !== change.source) view.invalidate(change);
      if (change.source === null) this.#reapLost(change.nodes);
      if (this.#settler === null) this.#settleLater();
    });
  }

  attach(view: LiveView): void {
    this.#views.add(view);
  }

  detach(view: LiveView): void {
    this.#views.delete(view);
    for (const node of this.#orphans) this.unreferenced(node);
    this.accessTimes.store();
  }

  /** A node was read in a view, whose kernel knows that its access time may have moved. */
  accessed(view: LiveView, node: number, now: Timestamp): void {
    this.accessTimes.note(node, now);
    for (const other of this.#views) if (other !== view) other.attributesChanged(node);
  }

  content(hash: Hash | null): Buffer {
    return this.store.content(hash);
  }

  contentRange(hash: Hash | null, range: { offset: number; length: number }): Buffer {
    return this.store.contentRange(hash, range);
  }

  /**
   * A writer that goes on from stored content; at no cost when the last commit left one behind. Null when all of large
   * content would have to be read for it.
   */
  resume(hash: Hash | null, size: number): ContentWriter | null {
    if (size <= INLINE_BYTES) return this.#resumeSmall(hash);
    const kept = hash === null ? undefined : this.#writers.get(hash);
    if (kept === undefined || hash === null) {
      return size > RESUME_BYTES ? null : ContentWriter.resume(this.store.openContent(hash), this.sink);
    }
    this.#writers.delete(hash);
    return kept;
  }

  #resumeSmall(hash: Hash | null): ContentWriter {
    if (hash === null) return new ContentWriter(this.sink);
    const memory = takeSmallMemory();
    const length = this.store.copyContent(hash, memory);
    return ContentWriter.resumeSmall(memory, { hash, length }, this.sink);
  }

  resumable(hash: Hash | null, size: number): boolean {
    return size <= RESUME_BYTES || (hash !== null && this.#writers.has(hash));
  }

  /** Keeps a writer whose content was just committed. */
  keepWriter(content: FinishedContent, writer: ContentWriter): void {
    writer.stored(content);
    this.#writers.set(content.hash, writer);
    if (this.#writers.size <= KEPT_WRITERS) return;
    const oldest: Hash | undefined = this.#writers.keys().next().value;
    if (oldest !== undefined) this.#writers.delete(oldest);
  }

  /**
   * Makes what another mount has closed visible before `view` looks at the node: at once, or, when that takes longer,
   * when the promise resolves. It never rejects.
   * RELEASE is asynchronous: `close` may have returned there while the request that commits is still queued.
   */
  settleElsewhere(view: LiveView, node: number): Promise<void> | undefined {
    let settling: Promise<void> | undefined;
    for (const other of this.#views) {
      if (other === view || other.waiting.size === 0 || !other.waiting.has(node)) continue;
      const one = other.settle(node);
      if (one !== undefined) settling = settling === undefined ? one : settling.then(() => one);
    }
    return settling;
  }

  /** The node lost its last name while a view refers to it. */
  orphaned(node: number): void {
    this.#orphans.add(node);
  }

  /** The node got a name after all. */
  named(node: number): void {
    this.#orphans.delete(node);
    this.#unreferenced.delete(node);
  }

  /** A view stopped referring to a node without names: it is dropped once nobody does. */
  unreferenced(node: number): void {
    for (const view of this.#views) if (view.refersTo(node)) return;
    for (const view of this.#views) view.gone(node);
    this.#orphans.delete(node);
    this.#unreferenced.add(node);
    if (this.#unreferenced.size >= REAP_BATCH) this.reap();
    else this.#reaper ??= setTimeout(() => this.reap(), REAP_MS).unref();
  }

  /** A change that no mount made, such as a rollback, may have taken the last names of nodes. */
  #reapLost(nodes: readonly number[]): void {
    for (const node of nodes) {
      if ((this.store.node(node)?.detachedSince ?? 0) === 0) continue;
      this.#orphans.add(node);
      this.unreferenced(node);
    }
  }

  #settleLater(): void {
    const due = this.store.settling.nextDue;
    if (due !== null) this.#settleIn(Math.max(SETTLE_MS, (due - this.clock.now()) / 1000));
  }

  #settleIn(ms: number): void {
    this.#settler = setTimeout(() => this.#settleDue(), ms).unref();
  }

  #settleDue(): void {
    this.#settler = null;
    try {
      // More of it waits until other requests had their turn.
      if (this.store.settling.recordDue()) this.#settleLater();
      else this.#settleIn(0);
    } catch (error) {
      this.log.warn("what programs did could not be recorded yet; it is tried again", { error: String(error) });
      this.#settleIn(SETTLE_RETRY_MS);
    }
  }

  /** Records what is held back in history. A failure leaves it for the next start. */
  settle(): void {
    if (this.#settler !== null) clearTimeout(this.#settler);
    this.#settler = null;
    try {
      this.store.settling.recordAll();
    } catch (error) {
      this.log.warn("what programs did could not be recorded; it is at the next start", { error: String(error) });
    }
  }

  /** Drops the nodes that nothing refers to. A failure leaves them for the next start. */
  reap(): void {
    if (this.#reaper !== null) clearTimeout(this.#reaper);
    this.#reaper = null;
    if (this.#unreferenced.size === 0) return;
    const nodes = [...this.#unreferenced];
    this.#unreferenced.clear();
    try {
      this.store.dropNodes(nodes);
    } catch (error) {
      this.log.warn("removed files could not be dropped; they are at the next start", { error: String(error) });
    }
  }
}
