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
import { Reader, Writer } from "./codec.ts";
import { type Hash, sha256 } from "./hash.ts";
import { openRecord, readActor, writeActor } from "./record.ts";
import type { Actor, Micros } from "./types.ts";

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
const UID_BYTES = 16;
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
}

/** The fixed part, but for the commitment. */
interface FixedPart {
  readonly seq: number;
  readonly at: Micros;
  readonly kind: JournalKind;
  readonly actor: Actor;
  readonly memory: Uid | null;
  readonly version: Uid | null;
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

/** The bytes to store and the hash that the next entry links to. */
export function encodeJournalEntry(entry: NewEntry): { readonly bytes: Buffer; readonly hash: Hash } {
  const salted = encodeErasable(entry);
  fixed.reset().u8(FORMAT).varint(entry.seq).varint(entry.at).u8(KINDS[entry.kind]);
  writeActor(fixed, entry.actor);
  fixed.optional(entry.memory).optional(entry.version).fixed(entry.prev).fixed(sha256(salted));
  const hash = sha256(fixed.view());
  return { bytes: fixed.raw(salted).take(), hash };
}

const HAS_PATH = 1;
const HAS_HASH = 2;
const HAS_SIZE = 4;
const HAS_DETAIL = 8;

function encodeErasable({ salt, erasable }: NewEntry): Buffer {
  const { path, hash, size, detail } = erasable;
  const flags =
    (path === undefined ? 0 : HAS_PATH) |
    (hash === undefined ? 0 : HAS_HASH) |
    (size === undefined ? 0 : HAS_SIZE) |
    (detail === undefined ? 0 : HAS_DETAIL);
  loose.reset().fixed(salt).u8(flags);
  if (path !== undefined) loose.bytes(path);
  if (hash !== undefined) loose.fixed(hash);
  if (size !== undefined) loose.varint(size);
  if (detail !== undefined) loose.text(JSON.stringify(detail));
  return loose.view();
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
  const version = from.optional(UID_BYTES);
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
  };
}
