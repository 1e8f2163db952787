/**
 * Content by digest. Up to 8 KiB one value; larger content is a manifest. Equal bytes are stored once.
 * A manifest refers to content by digest, and what it refers to may be stored as a manifest itself: reading resolves
 * either.
 */

import { MemfsError } from "../errors.ts";
import type { Key } from "../kv/kv.ts";
import type { Chunk, FinishedContent, StoredContent } from "./chunk.ts";
import { EMPTY_HASH, type Hash, hex } from "./hash.ts";
import { decodeContent, encodeRaw, type Manifest } from "./manifest.ts";

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
  const ask = content.manifest !== null;
  for (const chunk of content.chunks) added += putChunk(target, chunk, { ask });
  if (content.manifest === null) return added;
  target.put(target.keyOfContent(content.hash), content.manifest);
  return added + content.manifest.length;
}

function putChunk(target: ContentTarget, chunk: Chunk, { ask }: { ask: boolean }): number {
  const key = target.keyOfContent(chunk.hash);
  if (chunk.bytes === null || (ask && target.get(key) !== undefined)) return 0;
  target.put(key, encodeRaw(chunk.bytes));
  return chunk.length;
}

/** @throws MemfsError `damaged` when the content, or a part of it, is missing or altered */
export function getContent(source: ContentSource, hash: Hash): Buffer {
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return stored;
  return Buffer.concat([...stored.references.map((part) => getContent(source, part.hash)), stored.end]);
}

/** How stored content is made up, to go on from it. @throws MemfsError `damaged` */
export function openContent(source: ContentSource, hash: Hash): StoredContent {
  const read = (): Buffer => getContent(source, hash);
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return { chunks: null, extendable: null, read: () => stored };
  const [first, ...others] = stored.references;
  const base = first === undefined || others.length > 0 ? null : fetch(source, first.hash);
  if (first !== undefined && base !== null && !Buffer.isBuffer(base)) {
    return { chunks: base.references, extendable: first, read };
  }
  return { chunks: stored.references, extendable: { hash, length: sizeOf(stored) }, read };
}

function sizeOf({ references, end }: Manifest): number {
  return references.reduce((sum, part) => sum + part.length, end.length);
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
  for (const part of stored.references) {
    if (start >= offset + length) break;
    const from = Math.max(0, offset - start);
    if (from < part.length) {
      parts.push(getContentRange(source, part.hash, { offset: from, length: offset + length - start - from }));
    }
    start += part.length;
  }
  if (start < offset + length) parts.push(stored.end.subarray(Math.max(0, offset - start), offset + length - start));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

function fetch(source: ContentSource, hash: Hash): Buffer | Manifest {
  if (hash === EMPTY_HASH) return Buffer.alloc(0);
  const stored = source.get(source.keyOfContent(hash));
  if (stored === undefined) throw new MemfsError("damaged", `content ${hex(hash).slice(0, 16)}… is missing`);
  return decodeContent(stored);
}
