/**
 * The key layout, on one page. Keys are bytes (latin1 strings) below the space of one store, so a store is one key range.
 *
 * INVARIANT: no key holds a name or a plain content hash. LevelDB copies keys into MANIFEST and LOG, where no
 * compaction reaches. Names, paths, sessions and content hashes go in as HMACs; the real ones are in the sealed values.
 *
 * | key                                  | value |
 * |--------------------------------------|-------|
 * | `k`                                  | counters: head of the journal, next node, usage |
 * | `n` node                             | node |
 * | `d` parent HMAC(name)                | present directory entry |
 * | `e` parent HMAC(name) seq            | past of the entry: what it became at that seq; empty: it went |
 * | `m` memory                           | memory |
 * | `v` memory n seq                     | empty: the entry at that seq makes the memory's version n |
 * | `j` seq                              | journal entry |
 * | `c` HMAC(hash)                       | content, chunk or manifest |
 * | `p` HMAC(path) seq memory            | empty: the memory came to the path at that seq |
 * | `a` HMAC(session or agent) seq       | empty: a run of entries by a session or an agent starts at that seq |
 * | `o` node                             | empty: a node without names, kept while something refers to it |
 * | `q` memory, or node                  | what happened and is not recorded yet |
 * | `x` memory                           | the conflict whose other text the memory holds |
 *
 * Widths: node and seq 6 bytes, n 4, ids 16, HMACs 16 (the first half of HMAC-SHA-256), all big-endian.
 */

import type { Key, Range } from "../../kv/kv.ts";
import type { Uid } from "../../id.ts";
import { u48 } from "../../u48.ts";

/** The first 16 bytes of an HMAC-SHA-256, as a latin1 string. */
export type Tag = string;

/** Four bytes of a key. */
export function u32(value: number): string {
  return String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** Reads six bytes of a key. */
export function readU48(key: Key, at: number): number {
  let value = 0;
  for (let index = at; index < at + 6; index++) value = value * 256 + key.charCodeAt(index);
  return value;
}

/** Reads four bytes of a key. */
export function readU32(key: Key, at: number): number {
  let value = 0;
  for (let index = at; index < at + 4; index++) value = value * 256 + key.charCodeAt(index);
  return value;
}

/** A run in the actor index ends where the actor changes, and at the latest before the next multiple of this. */
export const RUN_LENGTH = 64;

export const counterKey: Key = "k";
export const nodeKey = (node: number): Key => "n" + u48(node);
export const entryKey = (parent: number, name: Tag): Key => "d" + u48(parent) + name;
export const pastEntryKey = (parent: number, name: Tag, seq: number): Key => "e" + u48(parent) + name + u48(seq);
export const memoryKey = (memory: Uid): Key => "m" + memory;
/** Leave out `seq` for the beginning of the key. */
export const versionKey = (memory: Uid, n: number, seq?: number): Key =>
  "v" + memory + u32(n) + (seq === undefined ? "" : u48(seq));
export const journalKey = (seq: number): Key => "j" + u48(seq);
export const contentKey = (hash: Tag): Key => "c" + hash;
export const pathKey = (path: Tag, seq: number, memory: Uid): Key => "p" + path + u48(seq) + memory;
export const actorKey = (actor: Tag, seq: number): Key => "a" + actor + u48(seq);
export const orphanKey = (node: number): Key => "o" + u48(node);

export const unsettledKey = (id: string): Key => "q" + id;
export const conflictKey = (memory: Uid): Key => "x" + memory;

/** All keys of one kind, or those that go on with `prefix`. Its bytes may be 255, so the end is found by carrying. */
export function rangeOf(kind: string, prefix = ""): Range {
  const key = kind + prefix;
  for (let end = key.length; end > 0; end--) {
    const byte = key.charCodeAt(end - 1);
    if (byte < 255) return { gte: key, lt: key.slice(0, end - 1) + String.fromCharCode(byte + 1) };
  }
  throw new RangeError("a key kind is never the byte 255");
}
