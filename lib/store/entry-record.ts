/** Directory entries, present and past. */

import type { Uid } from "../id.ts";
import { begin, openRecord, UID_BYTES } from "./record.ts";

/** What a directory holds under one name. */
export interface EntryRecord {
  /** Bytes. */
  readonly name: string;
  readonly node: number;
  /** Type bits of the node's mode. */
  readonly type: number;
}

/** What a name became at some moment. */
export interface PastEntryRecord extends EntryRecord {
  readonly memory: Uid | null;
}

export function encodeEntry(entry: EntryRecord): Buffer {
  return begin().varint(entry.node).varint(entry.type).bytes(entry.name).take();
}

export function decodeEntry(bytes: Buffer): EntryRecord {
  const from = openRecord(bytes);
  return { node: from.varint(), type: from.varint(), name: from.bytes() };
}

export function encodePastEntry(entry: PastEntryRecord): Buffer {
  return begin().varint(entry.node).varint(entry.type).optional(entry.memory).bytes(entry.name).take();
}

export function decodePastEntry(bytes: Buffer): PastEntryRecord {
  const from = openRecord(bytes);
  return { node: from.varint(), type: from.varint(), memory: from.optional(UID_BYTES), name: from.bytes() };
}
