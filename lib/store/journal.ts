/**
 * The journal: one append-only, hash-chained sequence per store of everything that happened.
 *
 * An entry has a fixed part, which the chain covers and nothing ever changes, and an erasable part (paths, hashes, sizes,
 * notes), which redaction can drop. The fixed part commits to the erasable one through a random salt:
 * commitment = SHA-256(salt ‖ erasable part), hash = SHA-256(fixed part), prev = hash of the entry before.
 * Without the salt nothing about an erased part can be guessed from its commitment.
 */

import type { Uid } from "../id.ts";
import { MemfsError } from "../errors.ts";
import { Reader, Writer } from "./records/codec.ts";
import { type Hash, sha256 } from "./content/hash.ts";
import {
  openRecord,
  readActor,
  readList,
  readNullableCount,
  readTime,
  type Timestamp,
  UID_BYTES,
  writeActor,
  writeTime,
} from "./records/record.ts";
import type { Actor, Evidence, Micros } from "./types.ts";

/** Kinds and their stored numbers. Numbers are never reused. */
const KINDS = Object.freeze({
  "memory.created": 1,
  "memory.modified": 2,
  "memory.deleted": 3,
  "memory.renamed": 4,
  "memory.conflict": 5,
  "memory.redacted": 6,
  "memory.read": 7,
  "memory.folded": 8,
  "entry.created": 20,
  "entry.removed": 21,
  "entry.renamed": 22,
  "node.changed": 23,
  "store.created": 40,
  "store.updated": 41,
  "store.archived": 42,
  "policy.changed": 43,
  "mount.attached": 60,
  "mount.detached": 61,
  "write.denied": 62,
  rollback: 80,
  undo: 81,
  export: 82,
  import: 83,
});

export type JournalKind = keyof typeof KINDS;

const NAMES = new Map<number, JournalKind>(
  Object.entries(KINDS).map(([name, number]) => [number, name as JournalKind]),
);

const FORMAT = 1;
const HASH_BYTES = 32;
export const SALT_BYTES = 16;

/** What redaction can drop. */
export interface Erasable {
  /** Bytes. */
  readonly path?: string | undefined;
  readonly hash?: Hash | undefined;
  readonly size?: number | undefined;
  /** What else belongs to the kind. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
  /** Of an entry that makes a version. */
  readonly made?: Made | undefined;
}

/** How a version came to be. */
export interface Made {
  /** Null for the first version, and after a deletion. */
  readonly sizeBefore: number | null;
  readonly mode: number;
  readonly mtime: Timestamp;
  readonly evidence: Evidence | null;
  readonly parents: readonly Uid[];
  readonly note: string | null;
  /** The handle it came through (0: none), so that versions of one writer's `fsync`s can be folded. */
  readonly handle: number;
}

/** Which version of its memory an entry makes. */
export interface VersionLink {
  readonly id: Uid;
  /** Counts from 1 per memory. */
  readonly n: number;
  /** Seq of the version before it, 0 for the first: a memory's history is a list without any index. */
  readonly previous: number;
}

/** The fixed part, but for the commitment. */
interface FixedPart {
  readonly seq: number;
  readonly at: Micros;
  readonly kind: JournalKind;
  readonly actor: Actor;
  readonly memory: Uid | null;
  /** The version it makes. */
  readonly version: VersionLink | null;
  readonly prev: Hash;
}

/** One journal entry, read back. */
export interface JournalEntry extends FixedPart {
  readonly commitment: Hash;
  readonly hash: Hash;
  /** Null when erased. */
  readonly erasable: Erasable | null;
  /** False when the erasable part is present but is not what was committed to. */
  readonly intact: boolean;
}

/** What an entry is made of. */
export interface NewEntry extends FixedPart {
  readonly erasable: Erasable;
  /** 16 random bytes. */
  readonly salt: string;
}

const fixed = new Writer();
const loose = new Writer();

/** The bytes to store, valid until the next entry is encoded, and the hash that the next entry links to. */
export function encodeJournalEntry(entry: NewEntry): { readonly bytes: Buffer; readonly hash: Hash } {
  const salted = encodeErasable(entry);
  fixed.reset().u8(FORMAT).varint(entry.seq).varint(entry.at).u8(KINDS[entry.kind]);
  writeActor(fixed, entry.actor);
  fixed.optional(entry.memory);
  if (entry.version === null) fixed.u8(0);
  else fixed.u8(1).fixed(entry.version.id).varint(entry.version.n).varint(entry.version.previous);
  fixed.fixed(entry.prev).fixed(sha256(salted));
  const hash = sha256(fixed.view());
  return { bytes: fixed.raw(salted).view(), hash };
}

const HAS_PATH = 1;
const HAS_HASH = 2;
const HAS_SIZE = 4;
const HAS_DETAIL = 8;
const HAS_MADE = 16;

function encodeErasable({ salt, erasable }: NewEntry): Buffer {
  const { path, hash, size, detail, made } = erasable;
  const flags =
    (path === undefined ? 0 : HAS_PATH) |
    (hash === undefined ? 0 : HAS_HASH) |
    (size === undefined ? 0 : HAS_SIZE) |
    (detail === undefined ? 0 : HAS_DETAIL) |
    (made === undefined ? 0 : HAS_MADE);
  loose.reset().fixed(salt).u8(flags);
  if (path !== undefined) loose.bytes(path);
  if (hash !== undefined) loose.fixed(hash);
  if (size !== undefined) loose.varint(size);
  if (detail !== undefined) loose.text(JSON.stringify(detail));
  if (made !== undefined) writeMade(loose, made);
  return loose.view();
}

function writeMade(out: Writer, made: Made): void {
  const { sizeBefore, evidence, parents, note } = made;
  out.varint(sizeBefore === null ? 0 : sizeBefore + 1).varint(made.mode);
  writeTime(out, made.mtime);
  out.u8(evidence === null ? 0 : 1);
  if (evidence !== null) out.varint(evidence.uid).varint(evidence.pid).text(evidence.program);
  out.varint(parents.length);
  for (const parent of parents) out.fixed(parent);
  out.u8(note === null ? 0 : 1);
  if (note !== null) out.text(note);
  out.varint(made.handle);
}

function readMade(from: Reader): Made {
  return {
    sizeBefore: readNullableCount(from),
    mode: from.varint(),
    mtime: readTime(from),
    evidence: from.u8() === 0 ? null : { uid: from.varint(), pid: from.varint(), program: from.text() },
    parents: readList(from, () => from.fixed(UID_BYTES)),
    note: from.u8() === 0 ? null : from.text(),
    handle: from.varint(),
  };
}

/** The kind of a stored entry, without decoding the rest. @throws MemfsError `damaged`, `format_newer` */
export function kindOf(bytes: Buffer): JournalKind | undefined {
  return NAMES.get(openAtKind(bytes).u8());
}

/** Who made a stored entry, without decoding the rest. @throws MemfsError `damaged`, `format_newer` */
export function actorOf(bytes: Buffer): Actor {
  const from = openAtKind(bytes);
  from.u8();
  return readActor(from);
}

function openAtKind(bytes: Buffer): Reader {
  const from = openRecord(bytes);
  from.varint();
  from.varint();
  return from;
}

/** @throws MemfsError `damaged`, `format_newer` */
export function decodeJournalEntry(bytes: Buffer): JournalEntry {
  const from = openRecord(bytes);
  const seq = from.varint();
  const at = from.varint();
  const kind = NAMES.get(from.u8());
  if (kind === undefined) throw new MemfsError("damaged", `journal entry ${seq} is of an unknown kind`);
  const actor = readActor(from);
  const memory = from.optional(UID_BYTES);
  const version = from.u8() === 0 ? null : { id: from.fixed(UID_BYTES), n: from.varint(), previous: from.varint() };
  const prev = from.fixed(HASH_BYTES);
  const commitment = from.fixed(HASH_BYTES);
  const head = from.consumed();
  const rest = bytes.subarray(head.length);
  const common = { seq, at, kind, actor, memory, version, prev, commitment, hash: sha256(head) };
  if (rest.length === 0) return { ...common, erasable: null, intact: true };
  if (sha256(rest) !== commitment) return { ...common, erasable: null, intact: false };
  return { ...common, erasable: decodeErasable(rest), intact: true };
}

function decodeErasable(bytes: Buffer): Erasable {
  const from = new Reader(bytes);
  from.raw(SALT_BYTES);
  const flags = from.u8();
  return {
    ...(flags & HAS_PATH ? { path: from.bytes() } : {}),
    ...(flags & HAS_HASH ? { hash: from.fixed(HASH_BYTES) } : {}),
    ...(flags & HAS_SIZE ? { size: from.varint() } : {}),
    ...(flags & HAS_DETAIL ? { detail: JSON.parse(from.text()) as Record<string, unknown> } : {}),
    ...(flags & HAS_MADE ? { made: readMade(from) } : {}),
  };
}
