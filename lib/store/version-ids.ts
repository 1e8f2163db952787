/**
 * Ids of versions. Within a store they ascend with the journal, so a version is found by its id without an index: by
 * bisection of the journal.
 */

import type { IdSource, Uid } from "../id.ts";
import { u48 } from "../u48.ts";
import { u32 } from "./keys.ts";
import type { Micros } from "./types.ts";

const TIME_BYTES = 6;
const COUNT_BYTES = 4;

/** Milliseconds of an id or of a time, as ids begin. */
export function timeOf(at: Micros): string {
  return u48(Math.floor(at / 1000));
}

/** Makes the ids of one store's versions. */
export class VersionIds {
  readonly #ids: IdSource;
  readonly #stored: (time: string) => Uid;
  #last: Uid | null = null;

  /** @param stored the newest id of the store that has this time, made before it was opened; empty when none has */
  constructor(ids: IdSource, stored: (time: string) => Uid) {
    this.#ids = ids;
    this.#stored = stored;
  }

  /** An id with the time of its journal entry, above all ids of the store before it. */
  next(at: Micros): Uid {
    const time = timeOf(at);
    const random = this.#ids.uid().slice(TIME_BYTES);
    // In the same millisecond four of the random bytes count on from the id before. They start below 2^31, so they last.
    this.#last ??= this.#stored(time);
    const count = this.#last.startsWith(time) ? countOf(this.#last) + 1 : countOf(time + random) >>> 1;
    this.#last = time + u32(count) + random.slice(COUNT_BYTES);
    return this.#last;
  }
}

function countOf(id: Uid): number {
  let count = 0;
  for (let at = TIME_BYTES; at < TIME_BYTES + COUNT_BYTES; at++) count = count * 256 + id.charCodeAt(at);
  return count;
}
