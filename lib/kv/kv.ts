/**
 * The key-value interface everything durable stands on: ordered, synchronous, crash-safe.
 * Implemented by LevelDB behind a redo log (`level.ts`) and in memory (`memory.ts`, for tests).
 */

/** Bytes, one per char code (a latin1 string), so that keys concatenate, compare and hash at string speed. */
export type Key = string;

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
  seal(context: Uint8Array, value: Uint8Array): Buffer;
  /** @throws MemfsError `damaged` when the value was altered, moved, or sealed with another key. */
  open(context: Uint8Array, sealed: Uint8Array): Buffer;
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

/** An atomic set of writes. The last write to a key counts. A `null` value deletes. */
export type Batch = ReadonlyMap<Key, Uint8Array | null>;

/** One contiguous key range with its own sealer: the catalogue, or one store. Keys given here have no prefix. */
export interface Space {
  readonly id: number;
  /**
   * The committed value, or undefined. Synchronous: overlay first (no I/O), then LevelDB (~3 µs).
   * The result must not be modified.
   * @throws MemfsError `damaged`
   */
  get(key: Key): Buffer | undefined;
  /** Pages of entries, a consistent view of the moment of the call. @throws MemfsError `damaged` */
  scan(range: Range): AsyncIterable<readonly Entry[]>;
  /**
   * Makes the whole batch durable against the death of the process and visible to reads, or throws and changes nothing.
   * Never waits. @throws MemfsError `no_space`, `io`, `closed`
   */
  commit(batch: Batch, origin?: Origin): void;
  /** Removes every key of the space for good (compacted). */
  destroy(): Promise<void>;
}

/** An open database. One per process and directory. */
export interface Kv {
  /** The space with this id (1 to 2^32 − 2). `sealer` is used for everything written or read through it. */
  space(id: number, sealer: Sealer): Space;
  /** Space ids with redo records that could not be replayed, because no sealer was known for them at open. */
  withheld(): readonly number[];
  /** Drops the withheld records of a space (its store was deleted). */
  discard(id: number): void;
  /** Resolves when everything committed before the call survives power loss. */
  sync(): Promise<void>;
  /** Resolves when everything committed before the call is in LevelDB. */
  drain(): Promise<void>;
  /** True above the soft bound of bytes that LevelDB has not taken yet: stop accepting requests until {@link relieved}. */
  readonly pressed: boolean;
  /** Resolves when {@link pressed} is false. */
  relieved(): Promise<void>;
  /** Drains and closes. Idempotent. */
  close(): Promise<void>;
}
