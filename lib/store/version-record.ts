/** Versions, and the index that finds them by id. */

import type { Uid } from "../id.ts";
import type { Hash } from "./hash.ts";
import {
  begin,
  HASH_BYTES,
  openRecord,
  readActor,
  readList,
  readNullableBytes,
  readNullableCount,
  readNullableText,
  readOneOf,
  readTime,
  type Timestamp,
  UID_BYTES,
  writeActor,
  writeTime,
} from "./record.ts";
import type { Actor, Evidence, Micros, Operation } from "./types.ts";

/** An immutable version; only redaction and folding ever change one. */
export interface VersionRecord {
  readonly version: Uid;
  readonly memory: Uid;
  readonly n: number;
  readonly seq: number;
  readonly operation: Operation;
  readonly createdAt: Micros;
  /** Bytes; null when redacted. */
  readonly path: string | null;
  readonly hash: Hash | null;
  readonly size: number;
  readonly sizeBefore: number | null;
  readonly mode: number;
  readonly mtime: Timestamp;
  readonly actor: Actor;
  readonly evidence: Evidence | null;
  readonly parents: readonly Uid[];
  readonly note: string | null;
  /** The handle it came through (0: none), so that versions of one writer's `fsync`s can be folded. */
  readonly handle: number;
  /** The memory this version was folded into; null for a version that lists show. */
  readonly foldedInto: Uid | null;
  readonly redactedAt: Micros;
  readonly redactedBy: Actor | null;
}

const OPERATIONS = ["created", "modified", "deleted"] as const;

export function encodeVersion(version: VersionRecord): Buffer {
  const out = begin().fixed(version.version).varint(version.seq).u8(OPERATIONS.indexOf(version.operation));
  out
    .varint(version.createdAt)
    .u8(version.path === null ? 0 : 1)
    .bytes(version.path ?? "");
  out
    .optional(version.hash)
    .varint(version.size)
    .varint(version.sizeBefore === null ? 0 : version.sizeBefore + 1);
  out.varint(version.mode);
  writeTime(out, version.mtime);
  writeActor(out, version.actor);
  const evidence = version.evidence;
  out.u8(evidence === null ? 0 : 1);
  if (evidence !== null) out.varint(evidence.uid).varint(evidence.pid).text(evidence.program);
  out.varint(version.parents.length);
  for (const parent of version.parents) out.fixed(parent);
  out.u8(version.note === null ? 0 : 1).text(version.note ?? "");
  out.varint(version.handle).optional(version.foldedInto).varint(version.redactedAt);
  out.u8(version.redactedBy === null ? 0 : 1);
  if (version.redactedBy !== null) writeActor(out, version.redactedBy);
  return out.take();
}

export function decodeVersion(memory: Uid, n: number, bytes: Buffer): VersionRecord {
  const from = openRecord(bytes);
  return {
    version: from.fixed(UID_BYTES),
    memory,
    n,
    seq: from.varint(),
    operation: readOneOf(from, OPERATIONS),
    createdAt: from.varint(),
    path: readNullableBytes(from),
    hash: from.optional(HASH_BYTES),
    size: from.varint(),
    sizeBefore: readNullableCount(from),
    mode: from.varint(),
    mtime: readTime(from),
    actor: readActor(from),
    evidence: from.u8() === 0 ? null : { uid: from.varint(), pid: from.varint(), program: from.text() },
    parents: readList(from, () => from.fixed(UID_BYTES)),
    note: readNullableText(from),
    handle: from.varint(),
    foldedInto: from.optional(UID_BYTES),
    redactedAt: from.varint(),
    redactedBy: from.u8() === 0 ? null : readActor(from),
  };
}

/** The version id index: which memory, which n. */
export function encodePlace(memory: Uid, n: number): Buffer {
  return begin().fixed(memory).varint(n).take();
}

export function decodePlace(bytes: Buffer): { readonly memory: Uid; readonly n: number } {
  const from = openRecord(bytes);
  return { memory: from.fixed(UID_BYTES), n: from.varint() };
}
