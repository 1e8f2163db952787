/** Batches that wait to be recorded with the next commit of their space. */
import { Batch } from "./batch.ts";
import type { Key, Range } from "./kv.ts";
import { DEFER_MS } from "./kv.ts";
import type { Change } from "./overlay.ts";

/** How long (ms) to wait before trying again what could not be recorded. */
const RETRY_MS = 1000;

export class Deferred {
  readonly #spaces = new Map<number, Batch>();
  readonly #record: (space: number) => void;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param record commits nothing more than what waits in a space
   * @param failed told when that was not possible and nobody asked for it
   */
  constructor(record: (space: number) => void, failed: (error: unknown) => void) {
    this.#record = record;
    this.#failed = failed;
  }

  add(space: number, batch: Batch): void {
    const waiting = this.#spaces.get(space) ?? new Batch();
    waiting.append(batch);
    this.#spaces.set(space, waiting);
    this.#timer ??= setTimeout(() => this.#tick(), DEFER_MS).unref();
  }

  /** Undefined: not known here; null: deleted. */
  get(space: number, key: Key): Buffer | null | undefined {
    const value = this.#spaces.size === 0 ? undefined : this.#spaces.get(space)?.get(key);
    // A copy: the batch moves when it grows, and its buffer serves others later.
    return value === null || value === undefined ? value : Buffer.from(value);
  }

  /** Hands `write` the batch behind what waited for it. When it throws, what waited waits on. */
  join(space: number, batch: Batch, write: (together: Batch) => void): void {
    const waiting = this.#spaces.size === 0 ? undefined : this.#spaces.get(space);
    if (waiting === undefined) {
      write(batch);
      return;
    }
    const operations = waiting.size;
    waiting.append(batch);
    try {
      write(waiting);
    } catch (error) {
      waiting.truncate(operations);
      throw error;
    }
    this.drop(space);
  }

  /** Nothing waits for this space any more. */
  drop(space: number): void {
    this.#spaces.get(space)?.done();
    this.#spaces.delete(space);
  }

  /** The changes within the range, over those that are recorded. */
  over(space: number, range: Range, recorded: Change[]): Change[] {
    const waiting = this.#spaces.get(space);
    if (waiting === undefined) return recorded;
    const found = new Map<Key, Buffer | null>(recorded);
    for (const [key, value] of waiting) {
      if (key >= range.gte && key < range.lt) found.set(key, value === null ? null : Buffer.from(value));
    }
    const sign = range.reverse === true ? -1 : 1;
    return [...found].sort(([a], [b]) => (a < b ? -sign : sign));
  }

  /** Records what waits, for all spaces. @throws what `record` throws; then that space, and those after it, wait on */
  record(): void {
    for (const space of [...this.#spaces.keys()]) this.#record(space);
  }

  #tick(): void {
    this.#timer = null;
    try {
      this.record();
    } catch (error) {
      this.#failed(error);
      this.#timer = setTimeout(() => this.#tick(), RETRY_MS).unref();
    }
  }

  /** No more attempts. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
