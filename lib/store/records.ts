/** The records behind the keys of `keys.ts`: their fields and their bytes. Every record starts with its format version. */

import { MemfsError } from "../errors.ts";
import type { Uid } from "../id.ts";
import { Reader, Writer } from "./codec.ts";
import type { Hash } from "./hash.ts";
import { S_IFLNK, typeOf } from "./mode.ts";
import type { Actor, Evidence, Micros, Operation } from "./types.ts";

const RECORD_FORMAT = 1;
const UID_BYTES = 16;
const HASH_BYTES = 32;

/** Seconds and nanoseconds since the epoch, as `stat` shows them. */
export interface Timestamp {
  readonly sec: number;
  readonly nsec: number;
}

/** One name of a node. */
export interface NodeName {
  readonly parent: number;
  readonly name: Buffer;
}

/** What the kernel holds: a file, directory, link. Once committed it is replaced as a whole, never changed in place. */
export interface NodeRecord {
  readonly number: number;
  /** `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  readonly birth: Timestamp;
  /** Digest of a regular file's committed bytes; null before the first commit (the file is empty). */
  readonly content: Hash | null;
  /** The memory this file is the present of; null for what is no memory. */
  readonly memory: Uid | null;
  /** Oldest first. A directory has one, the root none, an orphan none. */
  readonly names: readonly NodeName[];
  /** Entries of a directory, and how many of them are directories. */
  readonly entries: number;
  readonly subdirectories: number;
  /** Target of a symbolic link. */
  readonly target: Buffer | null;
  /** Extended attributes, by name. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** When the last name went; 0 while there is one. */
  readonly detachedSince: Micros;
}

/** A record that a transaction is changing. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A copy to change. Field by field: spreading 18 fields and overriding some of them is ten times slower. */
export function copyNode(node: NodeRecord): Mutable<NodeRecord> {
  return {
    number: node.number,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    rdev: node.rdev,
    size: node.size,
    atime: node.atime,
    mtime: node.mtime,
    ctime: node.ctime,
    birth: node.birth,
    content: node.content,
    memory: node.memory,
    names: node.names,
    entries: node.entries,
    subdirectories: node.subdirectories,
    target: node.target,
    xattrs: node.xattrs,
    detachedSince: node.detachedSince,
  };
}

/** What a directory holds under one name. */
export interface EntryRecord {
  readonly name: Buffer;
  readonly node: number;
  /** Type bits of the node's mode. */
  readonly type: number;
}

/** What a name became at some moment. */
export interface PastEntryRecord extends EntryRecord {
  readonly memory: Uid | null;
}

/** A lineage of one document. */
export interface MemoryRecord {
  readonly memory: Uid;
  readonly node: number;
  readonly path: Buffer;
  readonly head: Uid;
  readonly headN: number;
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
    hash: memory.hash,
    size: memory.size,
    createdAt: memory.createdAt,
    updatedAt: memory.updatedAt,
    state: memory.state,
    origin: memory.origin,
  };
}

/** An immutable version; only redaction and folding ever change one. */
export interface VersionRecord {
  readonly version: Uid;
  readonly memory: Uid;
  readonly n: number;
  readonly seq: number;
  readonly operation: Operation;
  readonly createdAt: Micros;
  readonly path: Buffer | null;
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

const writer = new Writer();

function begin(): Writer {
  return writer.reset().u8(RECORD_FORMAT);
}

/** Starts reading a record. @throws MemfsError `format_newer` */
export function openRecord(bytes: Buffer): Reader {
  const reader = new Reader(bytes);
  const format = reader.u8();
  if (format > RECORD_FORMAT) throw new MemfsError("format_newer", `a record has format ${format}; update memfs`);
  return reader;
}

function writeTime(out: Writer, time: Timestamp): void {
  out.signed(time.sec).varint(time.nsec);
}

function readTime(from: Reader): Timestamp {
  return { sec: from.signed(), nsec: from.varint() };
}

export function writeActor(out: Writer, actor: Actor): void {
  switch (actor.type) {
    case "session":
      out.u8(1).text(actor.sessionId).text(actor.agent);
      return;
    case "api":
      out.u8(2).text(actor.apiKeyId);
      return;
    case "user":
      out.u8(3).text(actor.userId);
  }
}

export function readActor(from: Reader): Actor {
  const type = from.u8();
  if (type === 1) return { type: "session", sessionId: from.text(), agent: from.text() };
  if (type === 2) return { type: "api", apiKeyId: from.text() };
  if (type === 3) return { type: "user", userId: from.text() };
  throw new MemfsError("damaged", `a stored record names an actor of unknown type ${type}`);
}

export function encodeNode(node: NodeRecord): Buffer {
  const out = begin().varint(node.mode).varint(node.uid).varint(node.gid).varint(node.rdev).varint(node.size);
  writeTime(out, node.atime);
  writeTime(out, node.mtime);
  writeTime(out, node.ctime);
  writeTime(out, node.birth);
  out.optional(node.content).optional(node.memory);
  out.varint(node.names.length);
  for (const { parent, name } of node.names) out.varint(parent).bytes(name);
  out.varint(node.entries).varint(node.subdirectories);
  out.bytes(node.target ?? Buffer.alloc(0));
  out.varint(node.xattrs.size);
  for (const [name, value] of node.xattrs) out.bytes(Buffer.from(name, "latin1")).bytes(value);
  return out.varint(node.detachedSince).take();
}

const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

export function decodeNode(number: number, bytes: Buffer): NodeRecord {
  const from = openRecord(bytes);
  const mode = from.varint();
  return {
    number,
    mode,
    uid: from.varint(),
    gid: from.varint(),
    rdev: from.varint(),
    size: from.varint(),
    atime: readTime(from),
    mtime: readTime(from),
    ctime: readTime(from),
    birth: readTime(from),
    content: from.optional(HASH_BYTES),
    memory: from.optional(UID_BYTES),
    names: readList(from, () => ({ parent: from.varint(), name: from.bytes() })),
    entries: from.varint(),
    subdirectories: from.varint(),
    target: readTarget(from, mode),
    xattrs: readXattrs(from),
    detachedSince: from.varint(),
  };
}

function readTarget(from: Reader, mode: number): Buffer | null {
  const target = from.bytes();
  return typeOf(mode) === S_IFLNK ? target : null;
}

function readXattrs(from: Reader): ReadonlyMap<string, Buffer> {
  const count = from.varint();
  if (count === 0) return NO_XATTRS;
  const xattrs = new Map<string, Buffer>();
  for (let index = 0; index < count; index++) xattrs.set(from.bytes().toString("latin1"), from.bytes());
  return xattrs;
}

function readList<T>(from: Reader, read: () => T): T[] {
  const count = from.varint();
  const items: T[] = [];
  for (let index = 0; index < count; index++) items.push(read());
  return items;
}

export function encodeEntry(entry: EntryRecord): Buffer {
  return begin().varint(entry.node).varint(entry.type).raw(entry.name).take();
}

export function decodeEntry(bytes: Buffer): EntryRecord {
  const from = openRecord(bytes);
  const node = from.varint();
  const type = from.varint();
  return { node, type, name: Buffer.from(bytes.subarray(from.consumed().length)) };
}

export function encodePastEntry(entry: PastEntryRecord): Buffer {
  return begin().varint(entry.node).varint(entry.type).optional(entry.memory).bytes(entry.name).take();
}

export function decodePastEntry(bytes: Buffer): PastEntryRecord {
  const from = openRecord(bytes);
  return { node: from.varint(), type: from.varint(), memory: from.optional(UID_BYTES), name: from.bytes() };
}

const STATES = ["live", "deleted", "folded"] as const;
const OPERATIONS = ["created", "modified", "deleted"] as const;

function readOneOf<T>(from: Reader, values: readonly T[]): T {
  const value = values[from.u8()];
  if (value === undefined) throw new MemfsError("damaged", "a stored record holds an unknown value");
  return value;
}

export function encodeMemory(memory: MemoryRecord): Buffer {
  const out = begin().varint(memory.node).bytes(memory.path).fixed(memory.head).varint(memory.headN);
  out.optional(memory.hash).varint(memory.size).varint(memory.createdAt).varint(memory.updatedAt);
  out.u8(STATES.indexOf(memory.state));
  return out.u8(memory.origin === null ? 0 : 1).text(memory.origin ?? "").take();
}

export function decodeMemory(memory: Uid, bytes: Buffer): MemoryRecord {
  const from = openRecord(bytes);
  return {
    memory,
    node: from.varint(),
    path: from.bytes(),
    head: from.fixed(UID_BYTES),
    headN: from.varint(),
    hash: from.optional(HASH_BYTES),
    size: from.varint(),
    createdAt: from.varint(),
    updatedAt: from.varint(),
    state: readOneOf(from, STATES),
    origin: readNullableText(from),
  };
}

function readNullableText(from: Reader): string | null {
  const present = from.u8() === 1;
  const text = from.text();
  return present ? text : null;
}

export function encodeVersion(version: VersionRecord): Buffer {
  const out = begin().fixed(version.version).varint(version.seq).u8(OPERATIONS.indexOf(version.operation));
  out.varint(version.createdAt).u8(version.path === null ? 0 : 1).bytes(version.path ?? Buffer.alloc(0));
  out.optional(version.hash).varint(version.size).varint(version.sizeBefore === null ? 0 : version.sizeBefore + 1);
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

function readNullableBytes(from: Reader): Buffer | null {
  const present = from.u8() === 1;
  const bytes = from.bytes();
  return present ? bytes : null;
}

function readNullableCount(from: Reader): number | null {
  const stored = from.varint();
  return stored === 0 ? null : stored - 1;
}

export function encodeCounters(counters: Counters): Buffer {
  const out = begin().varint(counters.seq).fixed(counters.journalHash).varint(counters.lastAt);
  out.varint(counters.nextNode).varint(counters.memories).varint(counters.versions);
  return out.varint(counters.liveBytes).varint(counters.historyBytes).take();
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

/** The version id index: which memory, which n. */
export function encodePlace(memory: Uid, n: number): Buffer {
  return begin().fixed(memory).varint(n).take();
}

export function decodePlace(bytes: Buffer): { readonly memory: Uid; readonly n: number } {
  const from = openRecord(bytes);
  return { memory: from.fixed(UID_BYTES), n: from.varint() };
}
