/** Head of the journal and running totals of a store. */

import type { Hash } from "../content/hash.ts";
import { begin, HASH_BYTES, type Mutable, openRecord } from "./record.ts";
import type { Micros } from "../types.ts";

/** Head of the journal and running totals of a store. */
export interface Counters {
  readonly seq: number;
  /** Digest of the newest journal entry. */
  readonly journalHash: Hash;
  readonly lastAt: Micros;
  /** Node numbers below this one are taken. */
  readonly nextNode: number;
  readonly memories: number;
  readonly versions: number;
  readonly liveBytes: number;
  readonly historyBytes: number;
}

export function encodeCounters(counters: Counters): Buffer {
  const out = begin().varint(counters.seq).fixed(counters.journalHash).varint(counters.lastAt);
  out.varint(counters.nextNode).varint(counters.memories).varint(counters.versions);
  return out.varint(counters.liveBytes).varint(counters.historyBytes).view();
}

export function decodeCounters(bytes: Buffer): Counters {
  const from = openRecord(bytes);
  return {
    seq: from.varint(),
    journalHash: from.fixed(HASH_BYTES),
    lastAt: from.varint(),
    nextNode: from.varint(),
    memories: from.varint(),
    versions: from.varint(),
    liveBytes: from.varint(),
    historyBytes: from.varint(),
  };
}

/** A copy to change. */
export function copyCounters(counters: Counters): Mutable<Counters> {
  return {
    seq: counters.seq,
    journalHash: counters.journalHash,
    lastAt: counters.lastAt,
    nextNode: counters.nextNode,
    memories: counters.memories,
    versions: counters.versions,
    liveBytes: counters.liveBytes,
    historyBytes: counters.historyBytes,
  };
}
