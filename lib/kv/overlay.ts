/** Committed values that LevelDB has not taken yet, plain, by space. A `null` is a deletion. */
import { type Batch, keyAt, operationAt } from "./batch.ts";
import { KeyIndex } from "./key-index.ts";
import type { Key, Range } from "./kv.ts";
import { Piece } from "./piece.ts";
import { Pages } from "../pages.ts";

/** What an operation costs in memory and in the log beside its key and value; bytes, roughly. */
const OPERATION_COST = 64;

export type Change = readonly [key: Key, value: Buffer | null];

/** Goes through all changes of an overlay, in no order, but always in the same one as long as none is added. */
export class ChangeReader {
  readonly #spaces: (readonly [number, KeyIndex])[];
  readonly #piece: Piece;
  readonly #bytes: number;
  #space = 0;
  #slot = 0;

  /** @param limits how many changes are taken at a time, or how many bytes of values (by the last one more) */
  constructor(
    spaces: Iterable<readonly [number, KeyIndex]>,
    pages: Pages,
    limits: { readonly changes: number; readonly bytes: number },
  ) {
    this.#spaces = [...spaces];
    this.#piece = new Piece(limits.changes, (address) => pages.find(address));
    this.#bytes = limits.bytes;
  }

  /** True when all were taken. */
  get ended(): boolean {
    return this.#space === this.#spaces.length;
  }

  /** The next ones, valid until more are taken. */
  take(): Piece {
    const piece = this.#piece;
    piece.clear();
    for (; this.#space < this.#spaces.length; this.#space++, this.#slot = 0) {
      const [space, index] = this.#spaces[this.#space] as readonly [number, KeyIndex];
      for (const { slots } = index; this.#slot < slots; this.#slot++) {
        const address = index.addressAt(this.#slot);
        if (address < 0) continue;
        if (piece.isFull || piece.bytes >= this.#bytes) return piece;
        piece.add(space, address);
      }
    }
    return piece;
  }
}

export class Overlay {
  readonly #spaces = new Map<number, KeyIndex>();
  readonly #pages = new Pages();
  #cost = 0;
  #lastSeq = 0;
  #touched = false;

  /** Bytes put in, overwritten ones included: they are still in the redo log. */
  get cost(): number {
    return this.#cost;
  }

  /** How many keys have a change. */
  get size(): number {
    let size = 0;
    for (const index of this.#spaces.values()) size += index.size;
    return size;
  }

  /** Number of the newest record in here; 0 when there is none. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** True when there is something to do, if only a checkpoint to write. */
  get touched(): boolean {
    return this.#touched;
  }

  /** There is something to do although no value changed; with `seq`, everything up to that record is dealt with. */
  touch(seq = 0): void {
    this.#touched = true;
    this.#lastSeq = Math.max(this.#lastSeq, seq);
  }

  put(space: number, batch: Batch, seq: number): void {
    const index = this.#spaces.get(space) ?? this.#addSpace(space);
    const { bytes, size } = batch;
    const start = this.#pages.add(bytes);
    // From the batch's own bytes, which are at hand.
    for (let operation = 0; operation < size; operation++) {
      const offset = batch.offsetOf(operation);
      index.set(bytes, offset, start + offset);
    }
    this.#cost += bytes.length + OPERATION_COST * size;
    this.touch(seq);
  }

  #addSpace(space: number): KeyIndex {
    const index = new KeyIndex((address) => this.#pages.find(address));
    this.#spaces.set(space, index);
    return index;
  }

  /** A copy. Undefined: not known here; null: deleted. */
  get(space: number, key: Key): Buffer | null | undefined {
    const place = this.#spaces.get(space)?.get(key);
    if (place === undefined) return undefined;
    const value = operationAt(place.page, place.offset);
    return value === null ? null : Buffer.from(value);
  }

  /** Adds the changes within the range to `into`, copied. */
  collect(space: number, range: Range, into: Map<Key, Buffer | null>): void {
    const index = this.#spaces.get(space);
    if (index === undefined) return;
    for (const { page, offset } of index.withPrefix(commonPrefix(range.gte, range.lt))) {
      const key = keyAt(page, offset);
      if (key < range.gte || key >= range.lt) continue;
      const value = operationAt(page, offset);
      into.set(key, value === null ? null : Buffer.from(value));
    }
  }

  drop(space: number): void {
    this.#spaces.delete(space);
  }

  /** All changes, so many at a time, or so many bytes of values; none may be added meanwhile. */
  changes(limits: { readonly changes: number; readonly bytes: number }): ChangeReader {
    return new ChangeReader(this.#spaces, this.#pages, limits);
  }

  /** LevelDB has it all. */
  free(): void {
    for (const index of this.#spaces.values()) index.free();
    this.#spaces.clear();
    this.#pages.free();
  }
}

function commonPrefix(a: Key, b: Key): Key {
  let length = 0;
  while (length < a.length && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return a.slice(0, length);
}
