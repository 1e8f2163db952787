/** A range scan: a LevelDB snapshot merged with the overlay's changes, both taken in the same tick. */
import { keyOf } from "./key.ts";
import type { Entry, Sealer } from "./kv.ts";
import type { LevelDb, LevelIterator } from "./leveldb.ts";
import type { Change } from "./overlay.ts";

/** Entries per page: what is opened in one turn of the event loop (~1 ms). */
export const PAGE_SIZE = 500;

const EMPTY = Buffer.alloc(0);

export interface ScanOptions {
  readonly db: LevelDb;
  readonly iterator: LevelIterator;
  readonly sealer: Sealer;
  /** In scan order; they hide what the iterator has under the same key. */
  readonly changes: readonly Change[];
  readonly reverse: boolean;
  readonly limit: number;
  /** Throws when the scan may not go on. */
  readonly check: () => void;
}

/** Closes the iterator at the end, also when the consumer stops early. */
export async function* scanPages(options: ScanOptions): AsyncGenerator<readonly Entry[], void, undefined> {
  const merge = new Merge(options);
  let left = options.limit;
  try {
    for (let ended = false; !ended && left > 0;) {
      options.check();
      const size = Math.min(PAGE_SIZE, left + merge.pending);
      const stored = await options.db.next(options.iterator, size);
      options.check();
      ended = stored.length === 0;
      const entries = ended ? merge.rest() : merge.with(stored);
      for (let at = 0; at < entries.length && left > 0; at += PAGE_SIZE) {
        const page = entries.slice(at, at + Math.min(PAGE_SIZE, left));
        left -= page.length;
        yield page;
      }
    }
  } finally {
    await options.iterator.close();
  }
}

class Merge {
  readonly #options: ScanOptions;
  #next = 0;

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  /** Changes not merged yet: so many stored entries may be hidden. */
  get pending(): number {
    return this.#options.changes.length - this.#next;
  }

  with(stored: readonly [Buffer, Buffer][]): Entry[] {
    const { changes, sealer, reverse } = this.#options;
    const entries: Entry[] = [];
    for (const [physical, value] of stored) {
      const key = keyOf(physical);
      let change = changes[this.#next];
      while (change !== undefined && (reverse ? change[0] > key : change[0] < key)) {
        this.#take(change, entries);
        change = changes[this.#next];
      }
      if (change !== undefined && change[0] === key) this.#take(change, entries);
      else entries.push({ key, value: value.length === 0 ? EMPTY : sealer.open(physical, value) });
    }
    return entries;
  }

  rest(): Entry[] {
    const entries: Entry[] = [];
    for (const change of this.#options.changes.slice(this.#next)) this.#take(change, entries);
    return entries;
  }

  #take([key, value]: Change, entries: Entry[]): void {
    this.#next++;
    if (value !== null) entries.push({ key, value });
  }
}
