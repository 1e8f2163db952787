/** Directory entries, present and past. */

import type { Uid } from "../../id.ts";
import { S_IFLNK, typeOf } from "../tree/mode.ts";
import { begin, openRecord, readTime, type Timestamp, UID_BYTES, writeTime } from "./record.ts";

/** What a directory holds under one name. */
export interface EntryRecord {
  /** Bytes. */
  readonly name: string;
  readonly node: number;
  /** Type bits of the node's mode. */
  readonly type: number;
}

/** What a name became at some moment, with all that looking back shows of a node that may be long gone. */
export interface PastEntryRecord {
  /** Bytes. */
  readonly name: string;
  readonly node: number;
  /** `st_mode`. */
  readonly mode: number;
  readonly mtime: Timestamp;
  readonly memory: Uid | null;
  /** Target of a symbolic link, bytes. */
  readonly target: string | null;
}

export function encodeEntry(entry: EntryRecord): Buffer {
  return begin().varint(entry.node).varint(entry.type).bytes(entry.name).view();
}

export function decodeEntry(bytes: Buffer): EntryRecord {
  const from = openRecord(bytes);
  return { node: from.varint(), type: from.varint(), name: from.bytes() };
}

export function encodePastEntry(entry: PastEntryRecord): Buffer {
  const out = begin().varint(entry.node).varint(entry.mode);
  writeTime(out, entry.mtime);
  out.optional(entry.memory).bytes(entry.name);
  if (typeOf(entry.mode) === S_IFLNK) out.bytes(entry.target ?? "");
  return out.view();
}

export function decodePastEntry(bytes: Buffer): PastEntryRecord {
  const from = openRecord(bytes);
  const node = from.varint();
  const mode = from.varint();
  const mtime = readTime(from);
  const memory = from.optional(UID_BYTES);
  const name = from.bytes();
  return { name, node, mode, mtime, memory, target: typeOf(mode) === S_IFLNK ? from.bytes() : null };
}
