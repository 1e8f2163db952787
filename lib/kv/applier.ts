/**
 * Carries committed changes from the overlay to LevelDB in the background. Two overlays: `active` takes commits,
 * `applying` is on its way; a key overwritten many times before its turn is sealed and written once.
 */
import type { Clock } from "../clock.ts";
import { MemfsError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { encodeCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { LevelBatch, LevelDb } from "./leveldb.ts";
import { OWN_SPACE, physicalKey } from "./key.ts";
import type { Batch } from "./batch.ts";
import { BatchFiller, type Limits, PIECE } from "./batch-filler.ts";
import type { Key, Place, Range, Sealer, Separation } from "./kv.ts";
import type { Change, ChangeReader } from "./overlay.ts";
import { Overlay } from "./overlay.ts";
import type { OnPoint } from "./points.ts";
import { Separator } from "./separator.ts";

/** Key of the checkpoint in the layer's own space. */
export const CHECKPOINT_KEY: Key = "checkpoint";

const MIB = 1024 * 1024;
/**
 * Changes are applied when no new one has come for this long (ms): sealing and writing are then in nobody's way, and what
 * was overwritten meanwhile is never sealed. Longer than an agent's shell takes from one change to the next: each time costs
 * a sync (one each 200 ms: 2 syncs in 8 s instead of 40 with 100 ms, and half of the processor time).
 */
const QUIET = 500;
/** Milliseconds after which changes are applied although more keep coming: bounds the replay at the next start. */
const MAX_AGE = 5000;
/** What one LevelDB batch takes. */
const BATCH: Limits = Object.freeze({ changes: 1000, bytes: 2 * MIB });
const EVERYTHING: Limits = Object.freeze({ changes: Infinity, bytes: Infinity });
/** Milliseconds between attempts after a failure: doubled from the first to the last. */
const RETRY_FIRST = 100;
const RETRY_LAST = 5000;

/** Only what a checkpoint speaks for must survive power loss: the redo log has all of it until then. */
const isCheckpoint = (checkpoint: Checkpoint | null): boolean => checkpoint !== null;

export interface ApplierOptions {
  readonly db: LevelDb;
  readonly clock: Clock;
  /** Bytes of changes that are applied without waiting for quiet. */
  readonly eager: number;
  readonly log: Logger;
  readonly onPoint: OnPoint;
  readonly sealerOf: (space: number) => Sealer;
  /** The checkpoint to write with the last batch. */
  readonly checkpoint: (applied: number) => Checkpoint;
  readonly separationOf: (space: number) => Separation | undefined;
  /** Appends to the value files. */
  readonly append: (space: number, values: readonly Buffer[]) => Promise<Place[]>;
  /** Makes all that was appended survive power loss. */
  readonly syncValues: () => Promise<void>;
  /** The same for all records; of those up to this number the values do already. */
  readonly syncRecords: (through: number) => Promise<void>;
  /** A number that moves whenever somebody begins to wait for the disk. */
  readonly syncs: () => number;
  /** True when so much waits for that, that changes are applied without waiting for quiet. */
  readonly urgent: () => boolean;
  /** Called when this checkpoint, and everything it speaks for, is in LevelDB. */
  readonly release: (written: Checkpoint) => Promise<void>;
  /** Called after each attempt, whether it succeeded or failed. */
  readonly attempted: () => void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Applier {
  readonly #options: ApplierOptions;
  readonly #separator: Separator;
  readonly #filler: BatchFiller;
  #active: Overlay;
  #applying: Overlay | null = null;
  #applied: number;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  /** Those who wait for `active`, and for `applying`. */
  #waiters: Waiter[] = [];
  #applyingWaiters: Waiter[] = [];
  #failure: MemfsError | null = null;
  #retryDelay = RETRY_FIRST;
  #retryNow: (() => void) | null = null;
  #stopped = false;

  /** Starts from the last checkpoint and what was replayed since; {@link wake} sets it going. */
  constructor(options: ApplierOptions, from: { applied: number; replayed: Overlay }) {
    this.#options = options;
    this.#separator = new Separator({
      separationOf: options.separationOf,
      has: (space, key) => options.db.get(physicalKey(space, key)) !== undefined,
      append: options.append,
    });
    this.#filler = new BatchFiller({
      clock: options.clock,
      separator: this.#separator,
      sealerOf: options.sealerOf,
      syncs: options.syncs,
      hurried: () => this.#isAwaited() || this.unapplied > 1.5 * options.eager,
    });
    this.#applied = from.applied;
    this.#active = from.replayed;
  }

  /** Bytes of changes that LevelDB does not have yet. */
  get unapplied(): number {
    return this.#active.cost + (this.#applying?.cost ?? 0);
  }

  /** Why LevelDB does not take anything now, or null. */
  get failure(): MemfsError | null {
    return this.#failure;
  }

  /** Takes the changes of a record that is in the log. */
  put(space: number, batch: Batch, seq: number): void {
    this.#active.put(space, batch, seq);
    this.wake();
  }

  /** A record without changes is in the log; the next checkpoint covers it. */
  note(seq: number): void {
    this.#active.touch(seq);
    this.wake();
  }

  /** Applies soon what there is to apply. No timer lives while there is nothing. */
  wake(): void {
    if (this.#running !== null || this.#stopped || !this.#active.touched) return;
    if (this.#active.cost >= this.#options.eager || this.#options.urgent()) this.#start();
    else if (this.#timer === null) this.#wait(this.#options.clock.monotonic() + MAX_AGE);
  }

  /** Waits for a while without changes: one timer, however many changes come. */
  #wait(latest: number): void {
    const seq = this.#active.lastSeq;
    this.#timer = setTimeout(() => {
      if (this.#active.lastSeq === seq || this.#options.clock.monotonic() >= latest) this.#start();
      else this.#wait(latest);
    }, QUIET).unref();
  }

  /** Undefined: LevelDB knows; null: deleted. */
  get(space: number, key: Key): Buffer | null | undefined {
    const value = this.#active.get(space, key);
    return value !== undefined || this.#applying === null ? value : this.#applying.get(space, key);
  }

  /** The changes within the range that LevelDB may not have yet, in key order. */
  changes(space: number, range: Range): Change[] {
    const found = new Map<Key, Buffer | null>();
    this.#applying?.collect(space, range, found);
    this.#active.collect(space, range, found);
    const up = (a: Change, b: Change): number => (a[0] < b[0] ? -1 : 1);
    return [...found].sort(range.reverse === true ? (a, b) => up(b, a) : up);
  }

  /** Forgets changes of a space that is being destroyed; those on their way still reach LevelDB. */
  drop(space: number): void {
    this.#active.drop(space);
  }

  /**
   * Resolves when LevelDB has all that was put in before the call; rejects when an attempt fails (it goes on trying all
   * the same).
   */
  drain(): Promise<void> {
    const waiters = this.#active.touched ? this.#waiters : this.#applyingWaiters;
    if (waiters === this.#applyingWaiters && this.#applying === null) return Promise.resolve();
    return new Promise((resolve, reject) => {
      waiters.push({ resolve, reject });
      this.#retryNow?.();
      this.#start();
    });
  }

  /** Writes a checkpoint as of now and releases redo files, although there may be nothing to apply. */
  checkpoint(): Promise<void> {
    this.#active.touch();
    return this.drain();
  }

  /** Ends after the attempt that is running. What is not applied stays in the redo log. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#retryNow?.();
    await this.#running;
  }

  #start(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#running !== null || this.#stopped) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      this.wake();
    });
  }

  async #run(): Promise<void> {
    do {
      if (this.#applying === null) {
        this.#applying = this.#active;
        this.#applyingWaiters = this.#waiters;
        this.#active = new Overlay();
        this.#waiters = [];
      }
      try {
        await this.#apply(this.#applying);
        this.#succeed();
      } catch (error) {
        await this.#fail(error);
      }
      // Less than this is left to gather again, unless somebody waits for it.
    } while (
      !this.#stopped &&
      (this.#applying !== null || this.#active.cost >= this.#options.eager || this.#waiters.length > 0)
    );
  }

  async #apply(overlay: Overlay): Promise<void> {
    const applied = Math.max(this.#applied, overlay.lastSeq);
    const changes = overlay.changes(PIECE);
    let written: Checkpoint | null = null;
    this.#separator.restart();
    this.#filler.restart();
    const isOne = overlay.size <= BATCH.changes && overlay.cost <= BATCH.bytes;
    const limits = isOne || !(await this.#syncAll(applied)) ? EVERYTHING : BATCH;
    while (written === null) written = await this.#write(changes, limits, applied);
    this.#options.onPoint("applied");
    this.#applied = applied;
    this.#applying = null;
    this.#separator.finish();
    overlay.free();
    try {
      await this.#options.release(written);
    } catch (error) {
      // They are only in the way; the next checkpoint tries again.
      this.#options.log.warn("redo log: cannot remove files", { error: String(error) });
    }
  }

  /** The next batch. Returns the checkpoint that went with the last one; null: more follow. */
  #write(changes: ChangeReader, limits: Limits, applied: number): Promise<Checkpoint | null> {
    const { db, onPoint } = this.#options;
    return db.write(async (batch) => {
      await this.#filler.fill(batch, changes, limits);
      const checkpoint = changes.ended ? await this.#putCheckpoint(batch, applied) : null;
      onPoint("batch");
      return checkpoint;
    }, isCheckpoint);
  }

  /** It goes with the last batch: seen on disk, it proves that all before it is there. */
  async #putCheckpoint(batch: LevelBatch, applied: number): Promise<Checkpoint> {
    // What is appended may get to the disk late, but not after the checkpoint, behind which no record tells of it.
    await this.#options.syncValues();
    const checkpoint = this.#options.checkpoint(applied);
    batch.put(physicalKey(OWN_SPACE, CHECKPOINT_KEY), encodeCheckpoint(checkpoint));
    return checkpoint;
  }

  /**
   * Several batches are not taken as one: power loss may leave some of them. What is in them must then be in the log, or half of
   * a commit would be there, and half of it would not. False: the log cannot be synced, which it tells itself; only LevelDB
   * can make the changes durable now, in one batch, however large.
   */
  async #syncAll(applied: number): Promise<boolean> {
    await this.#options.syncValues();
    return this.#options.syncRecords(applied).then(
      () => true,
      () => false,
    );
  }

  #isAwaited(): boolean {
    return this.#stopped || this.#waiters.length > 0 || this.#applyingWaiters.length > 0;
  }

  #succeed(): void {
    if (this.#failure !== null) this.#options.log.info("database: takes changes again");
    this.#failure = null;
    this.#retryDelay = RETRY_FIRST;
    const waiters = this.#applyingWaiters;
    this.#applyingWaiters = [];
    for (const waiter of waiters) waiter.resolve();
    this.#options.attempted();
  }

  /** Nothing is lost: the changes stay in the overlay and in the log. Told once, tried again later. */
  async #fail(error: unknown): Promise<void> {
    const failure =
      error instanceof MemfsError ? error : new MemfsError("io", `cannot apply changes: ${String(error)}`);
    if (this.#failure === null)
      this.#options.log.error("database: changes wait in the redo log", { error: failure.message });
    this.#failure = failure;
    const waiters = [...this.#applyingWaiters, ...this.#waiters];
    this.#applyingWaiters = [];
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(failure);
    this.#options.attempted();
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#retryDelay).unref();
      this.#retryNow = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#retryNow = null;
    this.#retryDelay = Math.min(this.#retryDelay * 2, RETRY_LAST);
  }
}
