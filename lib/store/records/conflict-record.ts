/** Conflicts that nobody has resolved: kept with the memory that holds the text beside. */

import type { Uid } from "../../id.ts";
import { begin, openRecord, UID_BYTES } from "./record.ts";
import type { Micros } from "../types.ts";

/** What a text was to be, and did not become. */
export interface ConflictRecord {
  /** The memory that it was written to. */
  readonly memory: Uid;
  /** The version that was, and stayed, the head. */
  readonly head: Uid;
  /** The version that the text was made from; null when that was none. */
  readonly base: Uid | null;
  /** The version with the text, of the memory beside. */
  readonly mine: Uid;
  readonly at: Micros;
}

export function encodeConflict({ memory, head, base, mine, at }: ConflictRecord): Buffer {
  return begin().fixed(memory).fixed(head).optional(base).fixed(mine).varint(at).take();
}

/** @throws MemfsError `damaged`, `format_newer` */
export function decodeConflict(bytes: Buffer): ConflictRecord {
  const from = openRecord(bytes);
  return {
    memory: from.fixed(UID_BYTES),
    head: from.fixed(UID_BYTES),
    base: from.optional(UID_BYTES),
    mine: from.fixed(UID_BYTES),
    at: from.varint(),
  };
}
