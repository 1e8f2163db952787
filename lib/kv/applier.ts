/**
 * Carries committed changes from the overlay to LevelDB in the background. Two overlays: `active` takes commits,
 * `applying` is on its way; a key overwritten many times before its turn is sealed and written once.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { MemfsError } from "../errors.ts";
import { Views } from "../views.ts";
import type { Logger } from "../log.ts";
import { encodeCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { LevelBatch, LevelDb } from "./leveldb.ts";
import { OWN_SPACE, physicalKey, SPACE_BYTES } from "./key.ts";
import { type Batch, keyBytesAt, OPERATION_HEADER_SIZE } from "./batch.ts";
import type { OperationPlace } from "./key-index.ts";
import type { Key, Place, Range, Sealer, Separation } from "./kv.ts";
import type { AppliedChange, Change } from "./overlay.ts";
import { Overlay } from "./overlay.ts";
import type { OnPoint } from "./points.ts";
import { Separator } from "./separator.ts";

/** Key of the checkpoint in the layer's own space. */
export const CHECKPOINT_KEY: Key = "checkpoint";

const MIB = 1024 * 1024;
/**
 * Changes are applied when no new one has come for this long (ms): sealing and writing are then in nobody's way, and what
 * was overwritten meanwhile is never sealed.
 */
const QUIET = 100;
/** Milliseconds after which changes are applied although more keep coming: bounds the replay at the next start. */
const MAX_AGE = 5000;
/** Operations and bytes per LevelDB batch. */
const BATCH_OPERATIONS = 1000;
const BATCH_BYTES = 2 * MIB;
/** Milliseconds of sealing per turn of the event loop, looked at every few operations. */
const SLICE = 1;
const SLICE_OPERATIONS = 16;
/**
 * Whoever syncs again and again is let go first: nothing is sealed while they do so at this pace (ms), for so long (ms) in
 * all before LevelDB is given the changes all the same.
 */
const SYNC_PACE = 2;
const PATIENCE = 200;
/** Milliseconds between attempts after a failure: doubled from the first to the last. */
const RETRY_FIRST = 100;
const RETRY_LAST = 5000;

const EMPTY = Buffer.alloc(0);
/** Longer keys (bytes) get memory of their own. */
const LONGEST_KEY = 256;

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
  readonly #keys = new Views(Buffer.alloc(LONGEST_KEY));
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
  /** Syncs that have been stepped back for, and for how long that may go on. */
  #syncs = 0;
  #patience = 0;
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
    const changes = overlay.changes();
    let written: Checkpoint | null = null;
    this.#patience = PATIENCE;
    this.#separator.restart();
    for (let first = true; written === null; first = false) {
      let taken = changes.take({ changes: BATCH_OPERATIONS, bytes: BATCH_BYTES });
      if (first && !changes.ended && !(await this.#syncAll(applied)))
        taken = taken.concat(changes.take({ changes: Infinity, bytes: Infinity }));
      const last = changes.ended;
      const separated = await this.#separator.separate(taken);
      // What is appended may get to the disk late, but not after the checkpoint, behind which no record tells of it.
      if (last) await this.#options.syncValues();
      written = await this.#write(separated, last ? applied : null);
    }
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

  /** @param applied everything up to this record is in LevelDB with this batch; null: more follows */
  #write(changes: readonly AppliedChange[], applied: number | null): Promise<Checkpoint | null> {
    const { db, onPoint } = this.#options;
    return db.write(async (batch) => {
      await this.#fill(batch, changes);
      const checkpoint = applied === null ? null : this.#options.checkpoint(applied);
      // It goes with the last batch: seen on disk, it proves that all before it is there.
      if (checkpoint !== null) batch.put(physicalKey(OWN_SPACE, CHECKPOINT_KEY), encodeCheckpoint(checkpoint));
      onPoint("batch");
      return checkpoint;
    }, isCheckpoint);
  }

  /** Seals changes into the batch, giving other work a turn every millisecond. */
  async #fill(batch: LevelBatch, changes: readonly AppliedChange[]): Promise<void> {
    const { clock, sealerOf } = this.#options;
    await this.#stepBack();
    let sliceEnd = clock.monotonic() + SLICE;
    let count = 0;
    for (const { space, place, value } of changes) {
      const physical = this.#physicalKey(space, place);
      if (value === null) batch.del(physical);
      else batch.put(physical, value.length === 0 ? EMPTY : sealerOf(space).seal(physical, value));
      if (++count % SLICE_OPERATIONS === 0 && clock.monotonic() >= sliceEnd) {
        await nextTurn();
        await this.#stepBack();
        sliceEnd = clock.monotonic() + SLICE;
      }
    }
  }

  /** Valid until the next call: LevelDB copies it. */
  #physicalKey(space: number, { page, offset }: OperationPlace): Buffer {
    const start = offset + OPERATION_HEADER_SIZE;
    const end = start + page.readUInt32BE(offset);
    const size = SPACE_BYTES + end - start;
    if (size > LONGEST_KEY) return physicalKey(space, keyBytesAt(page, offset));
    const key = this.#keys.first(size);
    key.writeUInt32BE(space, 0);
    for (let from = start, to = SPACE_BYTES; from < end;) key[to++] = page[from++] ?? 0;
    return key;
  }

  /** Lets go first whoever syncs again and again, unless somebody waits for LevelDB or it is far behind. */
  async #stepBack(): Promise<void> {
    const { syncs, eager } = this.#options;
    while (this.#syncs !== syncs() && this.#patience > 0) {
      if (this.#stopped || this.#waiters.length > 0 || this.#applyingWaiters.length > 0) return;
      if (this.unapplied > 1.5 * eager) return;
      this.#syncs = syncs();
      this.#patience -= SYNC_PACE;
      await sleep(SYNC_PACE);
    }
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
