/**
 * The key-value interface everything durable stands on: ordered, synchronous, crash-safe.
 * Implemented by LevelDB behind a redo log (`level.ts`) and in memory (`memory.ts`, for tests).
 */

import type { Batch, Key } from "./batch.ts";

export type { Key };

/** One key and its opened (plain) value. */
export interface Entry {
  readonly key: Key;
  readonly value: Buffer;
}

/** Keys from `gte` (inclusive) to `lt` (exclusive), ascending unless `reverse`. */
export interface Range {
  readonly gte: Key;
  readonly lt: Key;
  readonly reverse?: boolean;
  /** At most this many entries; default all. */
  readonly limit?: number;
}

/**
 * Seals values before they reach the disk and opens them again. `context` is authenticated with the value
 * (the full database key, or the redo record's header), so a sealed value cannot be moved elsewhere.
 */
export interface Sealer {
  /** The result is valid until the next call of any sealer's `seal`. */
  seal(context: Uint8Array, value: Uint8Array): Buffer;
  /** Bytes that a value of `length` bytes takes when it is sealed. */
  sealedSize(length: number): number;
  /** As {@link seal}, to the start of `target`, which has at least {@link sealedSize} bytes. */
  sealTo(context: Uint8Array, value: Uint8Array, target: Buffer): void;
  /** @throws MemfsError `damaged` when the value was altered, moved, or sealed with another key. */
  open(context: Uint8Array, sealed: Uint8Array): Buffer;
  /** Bytes of the value that was sealed to so many. */
  openedSize(length: number): number;
  /** As {@link open}, to `target`, which has {@link openedSize} bytes; they mean nothing when it throws. */
  openTo(context: Uint8Array, sealed: Uint8Array, target: Buffer): void;
}

/** The request that causes a commit, so that one sent again after a crash can be recognised in the redo log. */
export interface Origin {
  /** Identifies the kernel connection; 0 when there is none. */
  readonly connection: number;
  /** FUSE `unique`, as upper and lower 32 bits. */
  readonly uniqueHigh: number;
  readonly uniqueLow: number;
  /** What was answered, opaque here: enough to answer the same request again. Empty when nothing is needed. */
  readonly reply?: Uint8Array;
}

/** Where an appended value is: in which of the space's value files, and the bytes that it takes there, sealed. */
export interface Place {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Which values of a space are kept in value files, with a reference to each in the database. They are moved there after their
 * commit, in the background: {@link Space.get} returns the value before that, and the reference after it.
 */
export interface Separation {
  /** No shorter value (bytes) is asked about. */
  readonly least: number;
  /**
   * The bytes to append, a view of the value; null for a value that stays where it is. A key that a value is separated from
   * means the same bytes for ever: they are not appended again while the key is there.
   */
  separate(key: Buffer, value: Buffer): Buffer | null;
  /** The value that stands for appended bytes. */
  reference(place: Place): Buffer;
}

/** How long (ms) a deferred batch waits at most for a commit to go with. */
export const DEFER_MS = 20;

/** One contiguous key range with its own sealer: the catalogue, or one store. Keys given here have no prefix. */
export interface Space {
  readonly id: number;
  /**
   * The committed value, or undefined. Synchronous: overlay first (no I/O), then LevelDB (~3 µs).
   * The result must not be modified.
   * @throws MemfsError `damaged`
   */
  get(key: Key): Buffer | undefined;
  /** True when {@link get} would return a value; it is not opened. */
  has(key: Key): boolean;
  /**
   * Pages of at most 500 entries, a consistent view of the moment of the call. What is returned must be iterated (to the
   * end or left early): until then it holds a snapshot. @throws MemfsError `damaged`, `closed`
   */
  scan(range: Range): AsyncIterable<readonly Entry[]>;
  /**
   * Makes the whole batch durable against the death of the process and visible to reads, or throws and changes nothing.
   * Never waits. With `syncs` the disk begins at once to make it survive power loss, for the {@link Kv.sync} that follows.
   * @throws MemfsError `no_space`, `io`, `closed`, `too_large`
   */
  commit(batch: Batch, origin?: Origin, syncs?: boolean): void;
  /**
   * Makes the batch visible to reads at once, and durable with whatever is committed to this space next, in the same
   * atomic record; at the latest after {@link DEFER_MS}, and before a sync, drain or close. For steps that mean little
   * until the next one follows.
   * @throws MemfsError `closed`
   */
  defer(batch: Batch): void;
  /**
   * Appends large values to the value files, past the redo log and LevelDB. Resolves with their places, in the same order,
   * when the death of the process cannot take them any more; power loss takes none that a synced commit refers to.
   * Whoever is to find them commits the places. The values must not change meanwhile.
   * @throws MemfsError `no_space`, `io`, `closed`; nothing is appended then
   */
  append(values: readonly Uint8Array[]): Promise<Place[]>;
  /** An appended value, in memory of its own. @throws MemfsError `damaged`, `io`, `closed` */
  read(place: Place): Buffer;
  /** The same to `target`, which must be as long as the value. */
  readTo(place: Place, target: Buffer): void;
  /**
   * Removes every key of the space for good: from the overlay, from LevelDB's tables (compacted), from the redo log; and
   * its value files.
   * From the call on, anything else on the space throws `closed`. Again after a failure or a crash: harmless.
   */
  destroy(): Promise<void>;
}

/** An open database. One per process and directory. */
export interface Kv {
  /**
   * The space with this id (1 to 2^32 − 2). `sealer` is used for everything written or read through it. Without a separation
   * all its values are in the database itself.
   * @throws MemfsError `bad_key` when records of the space are {@link withheld}, `closed`
   */
  space(id: number, sealer: Sealer, separation?: Separation): Space;
  /** Space ids with redo records that could not be replayed, because no sealer was known for them at open. */
  withheld(): readonly number[];
  /** Drops the withheld records of a space (its store was deleted). */
  discard(id: number): void;
  /** Resolves when everything committed before the call survives power loss. @throws MemfsError `no_space`, `io`, `closed` */
  sync(): Promise<void>;
  /**
   * Resolves when everything committed before the call is in LevelDB. Rejects when LevelDB cannot take it now; it is
   * tried again in the background all the same. @throws MemfsError `no_space`, `io`, `closed`
   */
  drain(): Promise<void>;
  /**
   * True above the soft bound of bytes that LevelDB has not taken yet: stop accepting requests until {@link relieved}.
   * False when LevelDB fails, since waiting would not help then.
   */
  readonly pressed: boolean;
  /** Resolves when {@link pressed} is false. */
  relieved(): Promise<void>;
  /** Drains and closes. What LevelDB could not take stays in the redo log. Idempotent; never rejects for want of space. */
  close(): Promise<void>;
}
