/**
 * Content by digest. Up to 8 KiB one value; larger content is a manifest. Equal bytes are stored once.
 * A manifest refers to content by digest, and what it refers to may be stored as a manifest itself: reading resolves
 * either.
 */

import { MemfsError } from "../../errors.ts";
import { Batch } from "../../kv/batch.ts";
import type { Key, Place, Space } from "../../kv/kv.ts";
import type { Chunk, ContentReference, FinishedContent, StoredContent } from "./chunk.ts";
import { isZeroChunk, LARGEST_CHUNK } from "./chunker.ts";
import { type ContentCache, ContentMap } from "./content-cache.ts";
import { EMPTY_HASH, type Hash, hex } from "./hash.ts";
import { INLINE_BYTES } from "./small-memory.ts";
import { decodeContent, encodeExtension, encodePlace, encodeRaw, type Manifest } from "./manifest.ts";

/** Small content that a note, or a log, of at least so many bytes grew into by at most so many is stored as what was added. */
const LEAST_GROWN = 512;
const MOST_ADDED = 512;
/** That often in a row; then it is stored whole: who reads the last one has to read all of them. */
const MOST_DEPTH = 7;

const NOTHING = Buffer.alloc(0);

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What content needs of a store: where a digest is kept, and reading. */
export interface ContentSource {
  get(key: Key): Buffer | undefined;
  /** What was appended to a value file. @throws MemfsError `damaged`, `io` */
  read(place: Place): Buffer;
  /** The same to `target`, which must be as long as the value. */
  readTo(place: Place, target: Buffer): void;
  keyOfContent(hash: Hash): Key;
  readonly cache?: ContentCache;
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
  let added = content.offloaded;
  const ask = content.manifest !== null;
  for (const chunk of content.chunks) added += putChunk(target, chunk, { ask });
  if (content.manifest === null) return added;
  target.put(target.keyOfContent(content.hash), content.manifest);
  return added + content.manifest.length;
}

/** True for small content that is stored by {@link putGrown} when that which it grew from is stored `depth` deep. */
export function isGrown({ size, begins }: FinishedContent, depth: number): boolean {
  if (begins === null || begins.length < LEAST_GROWN || depth >= MOST_DEPTH) return false;
  return size > begins.length && size - begins.length <= MOST_ADDED;
}

/** Stores small content as what it has more than it grew from, which the store has. Returns how many bytes of history that added. */
export function putGrown(target: ContentTarget, { hash, chunks, begins }: FinishedContent): number {
  const [chunk] = chunks;
  if (begins === null || chunk?.bytes === null || chunk?.bytes === undefined)
    throw new RangeError("content that did not grow");
  const grown = encodeExtension(begins, chunk.bytes.subarray(begins.length));
  target.put(target.keyOfContent(hash), grown);
  return grown.length;
}

function putChunk(target: ContentTarget, chunk: Chunk, { ask }: { ask: boolean }): number {
  const key = target.keyOfContent(chunk.hash);
  if (chunk.bytes === null || (ask && target.get(key) !== undefined)) return 0;
  target.put(key, encodeRaw(chunk.bytes));
  return chunk.length;
}

/** Where chunks are stored ahead of the content that is made of them. */
export interface ChunkTarget {
  readonly space: Pick<Space, "has" | "append" | "commit">;
  keyOfContent(hash: Hash): Key;
}

/**
 * Appends the chunks that are not there to the value files, and commits their places: so that the content itself commits
 * little, however large it is. Resolves with their bytes. @throws MemfsError `no_space`, `io`, `closed`
 */
export async function storeChunks(target: ChunkTarget, chunks: readonly Chunk[]): Promise<number> {
  const found = new Set<Key>();
  const values: Buffer[] = [];
  let added = 0;
  for (const { hash, length, bytes } of chunks) {
    const key = target.keyOfContent(hash);
    if (bytes === null || found.has(key) || target.space.has(key)) continue;
    found.add(key);
    values.push(bytes);
    added += length;
  }
  if (values.length === 0) return 0;
  const places = await target.space.append(values);
  const batch = new Batch();
  let next = 0;
  for (const key of found) {
    const place = places[next++];
    if (place !== undefined) batch.put(key, encodePlace(place));
  }
  try {
    target.space.commit(batch);
  } finally {
    batch.done();
  }
  return added;
}

/** @throws MemfsError `damaged` when the content, or a part of it, is missing or altered */
export function getContent(source: ContentSource, hash: Hash): Buffer {
  const stored = fetch(source, hash);
  return Buffer.isBuffer(stored) ? stored : assemble(source, stored);
}

/** From its end, in a loop: there is no telling how often in a row content grew. */
function assemble(source: ContentSource, stored: Manifest): Buffer {
  const bytes = Buffer.allocUnsafe(sizeOf(stored));
  let left = bytes.length;
  const prepend = (piece: Buffer): void => {
    left -= piece.length;
    if (left >= 0) bytes.set(piece, left);
  };
  let rest: Buffer | Manifest = stored;
  while (!Buffer.isBuffer(rest)) {
    const { references, end }: Manifest = rest;
    const [base] = references;
    prepend(end);
    if (base !== undefined && references.length === 1) rest = fetch(source, base.hash);
    else {
      for (const part of references.toReversed()) prepend(getContent(source, part.hash));
      rest = NOTHING;
    }
  }
  prepend(rest);
  if (left !== 0) throw new MemfsError("damaged", "content is not as long as what refers to it says");
  return bytes;
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

/**
 * Bytes from `offset`, at most `length`, fewer only at the end. They are in `memory`, if that is given and large enough, and
 * the content is not stored as one value. @throws MemfsError `damaged`
 */
export function getContentRange(
  source: ContentSource,
  hash: Hash,
  { offset, length, memory }: ByteRange & { readonly memory?: Buffer | undefined },
): Buffer {
  const stored = load(source, hash);
  if (Buffer.isBuffer(stored)) return stored.subarray(offset, offset + length);
  const size = Math.max(0, Math.min(offset + length, stored.size) - offset);
  const bytes = memory !== undefined && size <= memory.length ? memory.subarray(0, size) : Buffer.allocUnsafe(size);
  copyRange(source, stored, { offset, target: bytes });
  return bytes;
}

/** Where bytes are wanted, and from which offset on. */
interface Wanted {
  readonly offset: number;
  readonly target: Buffer;
}

/** Fills the target, which does not reach over the end of the content. */
function copyRange(source: ContentSource, stored: ContentMap, { offset, target }: Wanted): void {
  const { references } = stored;
  let done = 0;
  for (let index = stored.indexAt(offset); done < target.length; index++) {
    const part = references[index];
    const from = offset + done - stored.startOf(index);
    if (part === undefined) {
      stored.end.copy(target, done, from);
      return;
    }
    const length = Math.min(target.length - done, part.length - from);
    copyPart(source, part, { offset: from, target: target.subarray(done, done + length) });
    done += length;
  }
}

/** A chunk that is not read whole is kept: whoever reads a file from beginning to end comes for the rest. */
function copyPart(source: ContentSource, part: ContentReference, { offset, target }: Wanted): void {
  const { hash, length: size } = part;
  const kept = source.cache?.chunk(hash);
  if (kept !== undefined) kept.copy(target, 0, offset, offset + target.length);
  else if (size > LARGEST_CHUNK) copyLarge(source, hash, { offset, target });
  else if (target.length === size) copyChunk(source, hash, target);
  else {
    const chunk = source.cache?.room(size) ?? Buffer.allocUnsafe(size);
    copyChunk(source, hash, chunk);
    source.cache?.keepChunk(hash, chunk);
    chunk.copy(target, 0, offset, offset + target.length);
  }
}

function copyLarge(source: ContentSource, hash: Hash, wanted: Wanted): void {
  const stored = load(source, hash);
  if (!Buffer.isBuffer(stored)) copyRange(source, stored, wanted);
  else stored.copy(wanted.target, 0, wanted.offset, wanted.offset + wanted.target.length);
}

function copyChunk(source: ContentSource, hash: Hash, target: Buffer): void {
  const content = find(source, hash);
  if ("file" in content) source.readTo(content, target);
  else getContent(source, hash).copy(target);
}

/**
 * Where a run of zeros ends that can be told from the references alone; `offset` when there is none. Zeros inside of
 * other chunks are not seen. @throws MemfsError `damaged`
 */
export function holeEnd(source: ContentSource, hash: Hash, offset: number): number {
  const stored = load(source, hash);
  if (Buffer.isBuffer(stored)) return offset;
  let end = offset;
  for (let index = stored.indexAt(offset); index < stored.references.length; index++) {
    const part = stored.references[index];
    if (part === undefined) break;
    const start = stored.startOf(index);
    const within = Math.max(0, offset - start);
    const known = isZeroChunk(part)
      ? part.length
      : part.length > LARGEST_CHUNK
        ? holeEnd(source, part.hash, within)
        : 0;
    if (known > within) end = start + known;
    if (known < part.length) break;
  }
  return end;
}

/** Raw bytes, or how they are put together. */
function load(source: ContentSource, hash: Hash): Buffer | ContentMap {
  const kept = source.cache?.map(hash);
  if (kept !== undefined) return kept;
  const stored = fetch(source, hash);
  if (Buffer.isBuffer(stored)) return stored;
  // A note that grew: how it is put together takes as much memory as its bytes, and there are many of them.
  if (sizeOf(stored) <= INLINE_BYTES) return assemble(source, stored);
  const map = new ContentMap(stored);
  source.cache?.keepMap(hash, map);
  return map;
}

function fetch(source: ContentSource, hash: Hash): Buffer | Manifest {
  const content = find(source, hash);
  return "file" in content ? source.read(content) : content;
}

function find(source: ContentSource, hash: Hash): Buffer | Manifest | Place {
  if (hash === EMPTY_HASH) return Buffer.alloc(0);
  const stored = source.get(source.keyOfContent(hash));
  if (stored === undefined) throw new MemfsError("damaged", `content ${hex(hash).slice(0, 16)}… is missing`);
  return decodeContent(stored);
}
