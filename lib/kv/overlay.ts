/** Committed values that LevelDB has not taken yet, plain, by space. A `null` is a deletion. */
import { type Batch, operationAt } from "./batch.ts";
import type { Key, Range } from "./kv.ts";
import { Pages } from "../pages.ts";

/** What an operation costs in memory and in the log beside its key and value; bytes, roughly. */
const OPERATION_COST = 64;

export type Change = readonly [key: Key, value: Buffer | null];

export class Overlay {
  /** By key, the address of the operation that was the last one on it. */
  readonly #spaces = new Map<number, Map<Key, number>>();
  readonly #pages = new Pages();
  #cost = 0;
  #lastSeq = 0;
  #touched = false;

  /** Bytes put in, overwritten ones included: they are still in the redo log. */
  get cost(): number {
    return this.#cost;
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
    let places = this.#spaces.get(space);
    if (places === undefined) this.#spaces.set(space, (places = new Map<Key, number>()));
    const { keys, bytes } = batch;
    const start = this.#pages.add(bytes);
    for (let operation = 0; operation < keys.length; operation++) {
      places.set(keys[operation] ?? "", start + batch.offsetOf(operation));
    }
    this.#cost += bytes.length + OPERATION_COST * keys.length;
    this.touch(seq);
  }

  /** A copy. Undefined: not known here; null: deleted. */
  get(space: number, key: Key): Buffer | null | undefined {
    const address = this.#spaces.get(space)?.get(key);
    return address === undefined ? undefined : this.#copy(address);
  }

  #copy(address: number): Buffer | null {
    const value = this.#view(address);
    return value === null ? null : Buffer.from(value);
  }

  #view(address: number): Buffer | null {
    const { page, offset } = this.#pages.find(address);
    return operationAt(page, offset);
  }

  /** Adds the changes within the range to `into`, copied. */
  collect(space: number, range: Range, into: Map<Key, Buffer | null>): void {
    const places = this.#spaces.get(space);
    if (places === undefined) return;
    for (const [key, address] of places) {
      if (key >= range.gte && key < range.lt) into.set(key, this.#copy(address));
    }
  }

  drop(space: number): void {
    this.#spaces.delete(space);
  }

  /** All changes; a value is valid until the next one, or {@link free}. */
  *entries(): Generator<readonly [space: number, key: Key, value: Buffer | null]> {
    for (const [space, places] of this.#spaces) {
      for (const [key, address] of places) yield [space, key, this.#view(address)];
    }
  }

  /** LevelDB has it all. */
  free(): void {
    this.#spaces.clear();
    this.#pages.free();
  }
}
