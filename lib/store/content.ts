/**
 * Content by digest. Up to 8 KiB one value; larger content is a manifest of chunks. Equal bytes are stored once.
 * A manifest names chunks by digest, and a chunk may be stored as a manifest itself (when its bytes are also some
 * content of their own): reading resolves either.
 */

import { MemfsError } from "../errors.ts";
import type { Key } from "../kv/kv.ts";
import { chunksOf, INLINE_BYTES } from "./chunker.ts";
import { Reader, Writer } from "./codec.ts";
import { EMPTY_HASH, type Hash, hex, sha256 } from "./hash.ts";
import { openRecord } from "./records.ts";

const RAW = 0;
const MANIFEST = 1;
const HASH_BYTES = 32;
/** Record format and kind, before the bytes. */
const HEADER_BYTES = 2;

/** What content needs of a store: where a digest is kept, and reading. */
export interface ContentSource {
  get(key: Key): Buffer | undefined;
  keyOfContent(hash: Hash): Key;
}

/** Where content is written: a transaction. */
export interface ContentTarget extends ContentSource {
  put(key: Key, value: Uint8Array): void;
}

interface ChunkReference {
  readonly hash: Hash;
  readonly length: number;
}

const writer = new Writer();

/** Stores the bytes if they are not there yet. Returns how many bytes of history that added. */
export function putContent(target: ContentTarget, hash: Hash, content: Buffer): number {
  if (content.length === 0) return 0;
  const key = target.keyOfContent(hash);
  if (target.get(key) !== undefined) return 0;
  if (content.length <= INLINE_BYTES) return putRaw(target, key, content);
  const references: ChunkReference[] = [];
  let added = 0;
  for (const chunk of chunksOf(content)) {
    const chunkHash = sha256(chunk);
    references.push({ hash: chunkHash, length: chunk.length });
    const chunkKey = target.keyOfContent(chunkHash);
    if (target.get(chunkKey) === undefined) added += putRaw(target, chunkKey, chunk);
  }
  if (references.length > 1) target.put(key, encodeManifest(references));
  return added;
}

function putRaw(target: ContentTarget, key: Key, bytes: Buffer): number {
  const value = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  value[0] = 1;
  value[1] = RAW;
  bytes.copy(value, HEADER_BYTES);
  target.put(key, value);
  return bytes.length;
}

function encodeManifest(references: readonly ChunkReference[]): Buffer {
  const out = writer.reset().u8(1).u8(MANIFEST).varint(references.length);
  for (const { hash, length } of references) out.fixed(hash).varint(length);
  return out.take();
}

/** @throws MemfsError `damaged` when the content, or a chunk of it, is missing or altered */
export function getContent(source: ContentSource, hash: Hash): Buffer {
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return stored;
  return Buffer.concat(stored.map((chunk) => getContent(source, chunk.hash)));
}

/** Bytes from `offset`, at most `length`, fewer only at the end. @throws MemfsError `damaged` */
export function getContentRange(source: ContentSource, hash: Hash, { offset, length }: ByteRange): Buffer {
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return stored.subarray(offset, offset + length);
  const parts: Buffer[] = [];
  let start = 0;
  for (const chunk of stored) {
    const end = start + chunk.length;
    if (end > offset && start < offset + length) {
      const bytes = getContent(source, chunk.hash);
      parts.push(bytes.subarray(Math.max(0, offset - start), Math.min(chunk.length, offset + length - start)));
    }
    start = end;
    if (start >= offset + length) break;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

function fetch(source: ContentSource, hash: Hash): Buffer | ChunkReference[] {
  if (hash === EMPTY_HASH) return Buffer.alloc(0);
  const stored = source.get(source.keyOfContent(hash));
  if (stored === undefined) throw new MemfsError("damaged", `content ${hex(hash).slice(0, 16)}… is missing`);
  const from = openRecord(stored);
  if (from.u8() === RAW) return stored.subarray(HEADER_BYTES);
  return readManifest(from);
}

function readManifest(from: Reader): ChunkReference[] {
  const count = from.varint();
  const references: ChunkReference[] = [];
  for (let index = 0; index < count; index++) {
    references.push({ hash: from.fixed(HASH_BYTES), length: from.varint() });
  }
  return references;
}
