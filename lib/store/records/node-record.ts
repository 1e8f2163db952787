/** Nodes: what the kernel holds. */

import type { Uid } from "../../id.ts";
import type { Reader } from "./codec.ts";
import type { Hash } from "../content/hash.ts";
import { S_IFLNK, typeOf } from "../tree/mode.ts";
import {
  begin,
  HASH_BYTES,
  type Mutable,
  openRecord,
  readList,
  readTime,
  type Timestamp,
  UID_BYTES,
  writeTime,
} from "./record.ts";
import type { Micros } from "../types.ts";

/** One name of a node. */
export interface NodeName {
  readonly parent: number;
  /** Bytes. */
  readonly name: string;
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
  /** Target of a symbolic link, bytes. */
  readonly target: string | null;
  /** Extended attributes: bytes by name. */
  readonly xattrs: ReadonlyMap<string, string>;
  /** When the last name went; 0 while there is one. */
  readonly detachedSince: Micros;
}

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

/** Bytes of names and values. */
export function xattrBytes(xattrs: NodeRecord["xattrs"]): number {
  let bytes = 0;
  for (const [name, value] of xattrs) bytes += name.length + value.length;
  return bytes;
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
  out.bytes(node.target ?? "");
  out.varint(node.xattrs.size);
  for (const [name, value] of node.xattrs) out.bytes(name).bytes(value);
  return out.varint(node.detachedSince).view();
}

const NO_XATTRS: ReadonlyMap<string, string> = new Map();

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

function readTarget(from: Reader, mode: number): string | null {
  const target = from.bytes();
  return typeOf(mode) === S_IFLNK ? target : null;
}

function readXattrs(from: Reader): ReadonlyMap<string, string> {
  const count = from.varint();
  if (count === 0) return NO_XATTRS;
  const xattrs = new Map<string, string>();
  for (let index = 0; index < count; index++) xattrs.set(from.bytes(), from.bytes());
  return xattrs;
}
