/**
 * Ids of versions. Within a store they ascend with the journal, so a version is found by its id without an index: by
 * bisection of the journal.
 */

import type { IdSource, Uid } from "../id.ts";
import { u48 } from "../u48.ts";
import { readU32, u32 } from "./records/keys.ts";
import type { Micros } from "./types.ts";

const TIME_BYTES = 6;
const COUNT_BYTES = 4;

/** Milliseconds of an id or of a time, as ids begin. */
export function timeOf(at: Micros): string {
  return u48(Math.floor(at / 1000));
}

/**
 * An id with the time of its journal entry, above all ids of the store before it.
 * @param last the newest id that is in the journal or in the same transaction: not one of a change that failed, whose
 * time may be later than this one's
 */
export function nextVersionId(ids: IdSource, at: Micros, last: Uid): Uid {
  const time = timeOf(at);
  const random = ids.random();
  // In the same millisecond four of the random bytes count on from the id before. They start below 2^31, so they last.
  const count = last.startsWith(time) ? readU32(last, TIME_BYTES) + 1 : readU32(random, 0) >>> 1;
  return time + u32(count) + random.slice(COUNT_BYTES);
}
