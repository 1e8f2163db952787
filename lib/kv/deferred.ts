/** Batches that wait to be recorded with the next commit of their space. */
import type { Batch, Key, Range } from "./kv.ts";
import { DEFER_MS } from "./kv.ts";
import type { Change } from "./overlay.ts";

/** How long (ms) to wait before trying again what could not be recorded. */
const RETRY_MS = 1000;

export class Deferred {
  readonly #spaces = new Map<number, Map<Key, Buffer | null>>();
  readonly #record: (space: number) => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param record commits nothing more than what waits; must not throw */
  constructor(record: (space: number) => void) {
    this.#record = record;
  }

  add(space: number, batch: Batch): void {
    const waiting = this.#spaces.get(space) ?? new Map<Key, Buffer | null>();
    for (const [key, value] of batch) waiting.set(key, value === null ? null : Buffer.from(value));
    this.#spaces.set(space, waiting);
    this.#timer ??= setTimeout(() => this.record(), DEFER_MS).unref();
  }

  /** Undefined: not known here; null: deleted. */
  get(space: number, key: Key): Buffer | null | undefined {
    return this.#spaces.size === 0 ? undefined : this.#spaces.get(space)?.get(key);
  }

  /** The batch with what waited for it first. {@link done} follows when it is recorded. */
  with(space: number, batch: Batch): Batch {
    const waiting = this.#spaces.size === 0 ? undefined : this.#spaces.get(space);
    if (waiting === undefined) return batch;
    const together = new Map<Key, Uint8Array | null>(waiting);
    for (const [key, value] of batch) together.set(key, value);
    return together;
  }

  /** Nothing waits for this space any more. */
  done(space: number): void {
    if (this.#spaces.size > 0) this.#spaces.delete(space);
  }

  /** The changes within the range, over those that are recorded. */
  over(space: number, range: Range, recorded: Change[]): Change[] {
    const waiting = this.#spaces.get(space);
    if (waiting === undefined) return recorded;
    const found = new Map<Key, Buffer | null>(recorded);
    for (const [key, value] of waiting) if (key >= range.gte && key < range.lt) found.set(key, value);
    const sign = range.reverse === true ? -1 : 1;
    return [...found].sort(([a], [b]) => (a < b ? -sign : sign));
  }

  /** Records what waits, for all spaces. What cannot be recorded waits on. */
  record(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const space of [...this.#spaces.keys()]) this.#record(space);
    if (this.#spaces.size > 0) this.#timer = setTimeout(() => this.record(), RETRY_MS).unref();
  }
}
