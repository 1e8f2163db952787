/**
 * Content by digest. Up to 8 KiB one value; larger content is a manifest of chunks. Equal bytes are stored once.
 * A manifest names chunks by digest, and a chunk may be stored as a manifest itself (when its bytes are also some
 * content of their own): reading resolves either.
 */

import { MemfsError } from "../errors.ts";
import type { Key } from "../kv/kv.ts";
import type { Chunk, FinishedContent, StoredContent } from "./chunk.ts";
import { EMPTY_HASH, type Hash, hex } from "./hash.ts";
import { encodeRaw, HEADER_BYTES, RAW, readManifest } from "./manifest.ts";
import { openRecord } from "./record.ts";

/** What content needs of a store: where a digest is kept, and reading. */
export interface ContentSource {
  get(key: Key): Buffer | undefined;
  keyOfContent(hash: Hash): Key;
}

/** Where content is written: a transaction. */
export interface ContentTarget extends ContentSource {
  put(key: Key, value: Uint8Array): void;
}

/**
 * Stores the content. Equal bytes end up under one key either way; whether they are there already is asked only where
 * the answer is likely to be yes and saves a lot: for the chunks of large content. Asking costs as much as storing 4 KiB.
 * Returns how many bytes of history that added at most.
 */
export function putContent(target: ContentTarget, content: FinishedContent): number {
  let added = 0;
  const last = content.chunks.length - 1;
  content.chunks.forEach((chunk, index) => {
    if (chunk.bytes !== null) added += putChunk(target, chunk, { ask: index < last });
  });
  if (content.manifest !== null) target.put(target.keyOfContent(content.hash), content.manifest);
  return added;
}

function putChunk(target: ContentTarget, chunk: Chunk, { ask }: { ask: boolean }): number {
  const key = target.keyOfContent(chunk.hash);
  if (chunk.bytes === null || (ask && target.get(key) !== undefined)) return 0;
  target.put(key, encodeRaw(chunk.bytes));
  return chunk.length;
}

/** @throws MemfsError `damaged` when the content, or a chunk of it, is missing or altered */
export function getContent(source: ContentSource, hash: Hash): Buffer {
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return stored;
  return Buffer.concat(stored.map((chunk) => getContent(source, chunk.hash)));
}

/** How stored content is made up, to go on from it. @throws MemfsError `damaged` */
export function openContent(source: ContentSource, hash: Hash): StoredContent {
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return { size: stored.length, chunks: null, read: () => stored };
  const size = stored.reduce((sum, chunk) => sum + chunk.length, 0);
  return { size, chunks: stored, read: () => getContent(source, hash) };
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Bytes from `offset`, at most `length`, fewer only at the end. @throws MemfsError `damaged` */
export function getContentRange(source: ContentSource, hash: Hash, { offset, length }: ByteRange): Buffer {
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return stored.subarray(offset, offset + length);
  const parts: Buffer[] = [];
  let start = 0;
  for (const chunk of stored) {
    const end = start + chunk.length;
    if (start >= offset + length) break;
    if (end > offset) {
      const bytes = getContent(source, chunk.hash);
      parts.push(bytes.subarray(Math.max(0, offset - start), Math.min(chunk.length, offset + length - start)));
    }
    start = end;
  }
  return Buffer.concat(parts);
}

function fetch(source: ContentSource, hash: Hash): Buffer | Chunk[] {
  if (hash === EMPTY_HASH) return Buffer.alloc(0);
  const stored = source.get(source.keyOfContent(hash));
  if (stored === undefined) throw new MemfsError("damaged", `content ${hex(hash).slice(0, 16)}… is missing`);
  const kind = openRecord(stored).u8();
  return kind === RAW ? stored.subarray(HEADER_BYTES) : readManifest(stored);
}
