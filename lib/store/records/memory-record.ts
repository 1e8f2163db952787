/** Memories: lineages of documents. */

import type { Uid } from "../../id.ts";
import type { Hash } from "../content/hash.ts";
import { begin, HASH_BYTES, type Mutable, openRecord, readNullableText, readOneOf, UID_BYTES } from "./record.ts";
import type { Micros } from "../types.ts";

/** A lineage of one document. */
export interface MemoryRecord {
  readonly memory: Uid;
  readonly node: number;
  /** Bytes, `/` first. */
  readonly path: string;
  readonly head: Uid;
  readonly headN: number;
  /** Seq of the head's journal entry. */
  readonly headSeq: number;
  readonly hash: Hash | null;
  readonly size: number;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  readonly state: "live" | "deleted" | "folded";
  /** The session that made it; null when no session did. Folding asks for it. */
  readonly origin: string | null;
}

/** A copy to change. */
export function copyMemory(memory: MemoryRecord): Mutable<MemoryRecord> {
  return {
    memory: memory.memory,
    node: memory.node,
    path: memory.path,
    head: memory.head,
    headN: memory.headN,
    headSeq: memory.headSeq,
    hash: memory.hash,
    size: memory.size,
    createdAt: memory.createdAt,
    updatedAt: memory.updatedAt,
    state: memory.state,
    origin: memory.origin,
  };
}

const STATES = ["live", "deleted", "folded"] as const;

export function encodeMemory(memory: MemoryRecord): Buffer {
  const out = begin().varint(memory.node).bytes(memory.path).fixed(memory.head).varint(memory.headN);
  out.varint(memory.headSeq);
  out.optional(memory.hash).varint(memory.size).varint(memory.createdAt).varint(memory.updatedAt);
  out.u8(STATES.indexOf(memory.state));
  return out
    .u8(memory.origin === null ? 0 : 1)
    .text(memory.origin ?? "")
    .view();
}

export function decodeMemory(memory: Uid, bytes: Buffer): MemoryRecord {
  const from = openRecord(bytes);
  return {
    memory,
    node: from.varint(),
    path: from.bytes(),
    head: from.fixed(UID_BYTES),
    headN: from.varint(),
    headSeq: from.varint(),
    hash: from.optional(HASH_BYTES),
    size: from.varint(),
    createdAt: from.varint(),
    updatedAt: from.varint(),
    state: readOneOf(from, STATES),
    origin: readNullableText(from),
  };
}
