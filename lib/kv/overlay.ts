/** Committed values that LevelDB has not taken yet, plain, by space. A `null` is a deletion. */
import type { Batch } from "./batch.ts";
import type { Key, Range } from "./kv.ts";
import { Slab } from "../slab.ts";

/** What an operation costs in memory and in the log beside its key and value; bytes, roughly. */
const OPERATION_COST = 64;

export type Change = readonly [key: Key, value: Buffer | null];

export class Overlay {
  readonly #spaces = new Map<number, Map<Key, Buffer | null>>();
  readonly #slab = new Slab();
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
    let values = this.#spaces.get(space);
    if (values === undefined) this.#spaces.set(space, (values = new Map<Key, Buffer | null>()));
    const { keys, bytes } = batch;
    const kept = this.#slab.keep(bytes);
    for (let operation = 0; operation < keys.length; operation++) {
      values.set(keys[operation] ?? "", batch.valueIn(kept, operation));
    }
    this.#cost += bytes.length + OPERATION_COST * keys.length;
    this.touch(seq);
  }

  /** Undefined: not known here; null: deleted. */
  get(space: number, key: Key): Buffer | null | undefined {
    return this.#spaces.get(space)?.get(key);
  }

  /** Adds the changes within the range to `into`. */
  collect(space: number, range: Range, into: Map<Key, Buffer | null>): void {
    const values = this.#spaces.get(space);
    if (values === undefined) return;
    for (const [key, value] of values) if (key >= range.gte && key < range.lt) into.set(key, value);
  }

  drop(space: number): void {
    this.#spaces.delete(space);
  }

  *entries(): Generator<readonly [space: number, key: Key, value: Buffer | null]> {
    for (const [space, values] of this.#spaces) for (const [key, value] of values) yield [space, key, value];
  }
}
