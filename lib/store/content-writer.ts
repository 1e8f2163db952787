/**
 * Builds content by appending: cut and hashed as bytes arrive, so that finishing costs little whatever the size.
 * What was stored before (the chunks of the content it goes on from) is not stored again.
 */

import { createHash, type Hash as RunningHash } from "node:crypto";
import { Chunker } from "./chunker.ts";
import { type Hash, sha256 } from "./hash.ts";
import type { Chunk, ContentReference, FinishedContent, StoredContent } from "./chunk.ts";
import { encodeExtension, ManifestWriter } from "./manifest.ts";

/** Content up to this many bytes is stored as one value. */
export const INLINE_BYTES = 8 * 1024;
/** Up to this many added bytes are stored with a reference to what they were added to. */
const EXTENSION_BYTES = 2 * 1024;

const NOTHING = Buffer.alloc(0);

export class ContentWriter {
  #size = 0;
  /** All bytes while they are few; null after that. */
  #small: Buffer | null = NOTHING;
  readonly #chunks: Chunk[] = [];
  readonly #starts: number[] = [];
  /** Made anew for each chunk it would cost more than the rest of an append to a long log. */
  #manifest: ManifestWriter | null = null;
  #chunker: Chunker | null = null;
  #running: RunningHash | null = null;
  /** What the store has of it, stored for itself and not as an extension. */
  #extendable: ContentReference | null = null;

  get size(): number {
    return this.#size;
  }

  /** Goes on from stored content: what follows its last chunk is cut anew. */
  static resume(stored: StoredContent): ContentWriter {
    const writer = new ContentWriter();
    const bytes = stored.read();
    if (stored.chunks === null || bytes.length <= INLINE_BYTES) {
      writer.append(bytes);
      return writer;
    }
    const start = stored.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    writer.#small = null;
    writer.#size = start;
    for (const { hash, length } of stored.chunks) writer.#keep({ hash, length, bytes: null });
    writer.#running = createHash("sha256").update(bytes.subarray(0, start));
    writer.#chunker = new Chunker(start);
    writer.#appendLarge(bytes.subarray(start));
    writer.#extendable = stored.extendable;
    return writer;
  }

  /** What was finished is stored now: its bytes need not be kept. */
  stored(finished: FinishedContent): void {
    if (finished.extends || this.#small !== null) return;
    this.#extendable = { hash: finished.hash, length: finished.size };
    for (let index = this.#chunks.length - 1; index >= 0; index--) {
      const chunk = this.#chunks[index];
      if (chunk === undefined || chunk.bytes === null) break;
      this.#chunks[index] = { ...chunk, bytes: null };
    }
  }

  /** Copies the bytes in. */
  append(bytes: Buffer): void {
    if (this.#small === null) this.#appendLarge(bytes);
    else if (this.#size + bytes.length <= INLINE_BYTES) this.#appendSmall(this.#small, bytes);
    else this.#outgrow(this.#small, bytes);
  }

  #appendSmall(small: Buffer, bytes: Buffer): void {
    this.#small = small.length === 0 ? Buffer.from(bytes) : Buffer.concat([small, bytes]);
    this.#size += bytes.length;
  }

  #outgrow(small: Buffer, bytes: Buffer): void {
    this.#small = null;
    this.#size = 0;
    this.#running = createHash("sha256");
    this.#chunker = new Chunker(0);
    this.#appendLarge(small);
    this.#appendLarge(bytes);
  }

  #appendLarge(bytes: Buffer): void {
    this.#running?.update(bytes);
    this.#size += bytes.length;
    this.#chunker?.push(bytes, (chunk) => this.#keep({ hash: sha256(chunk), length: chunk.length, bytes: chunk }));
  }

  #keep(chunk: Chunk): void {
    const last = this.#chunks.length - 1;
    this.#starts.push(last < 0 ? 0 : (this.#starts[last] ?? 0) + (this.#chunks[last]?.length ?? 0));
    this.#chunks.push(chunk);
    this.#manifest ??= new ManifestWriter();
    this.#manifest.add(chunk);
  }

  /** The content so far; the writer can go on. */
  finish(): FinishedContent {
    if (this.#small !== null) return inlineContent(this.#small);
    const hash = this.#running?.copy().digest("binary") ?? "";
    const base = this.#extendable;
    if (base !== null && this.#size - base.length <= EXTENSION_BYTES) return this.#extension(hash, base);
    const end = this.#chunker?.tail ?? NOTHING;
    // One chunk is stored under the digest of the whole already.
    const isOneChunk = this.#chunks.length === 1 && end.length === 0;
    const manifest = isOneChunk ? null : (this.#manifest ?? new ManifestWriter()).finish(end);
    return { hash, size: this.#size, chunks: this.#unstored(), manifest, extends: false };
  }

  #extension(hash: Hash, base: ContentReference): FinishedContent {
    const added = this.read(base.length, this.#size - base.length, () => {
      throw new RangeError("bytes added to stored content are kept until they are stored");
    });
    return { hash, size: this.#size, chunks: [], manifest: encodeExtension(base, added), extends: true };
  }

  #unstored(): Chunk[] {
    let first = this.#chunks.length;
    while (first > 0 && this.#chunks[first - 1]?.bytes !== null) first -= 1;
    return this.#chunks.slice(first);
  }

  /** Bytes of what was appended. `stored` reads a chunk that the store has. */
  read(offset: number, length: number, stored: (chunk: Hash) => Buffer): Buffer {
    const end = Math.min(offset + length, this.#size);
    if (offset >= end) return NOTHING;
    if (this.#small !== null) return this.#small.subarray(offset, end);
    const parts: Buffer[] = [];
    for (let index = this.#chunkAt(offset); index < this.#chunks.length; index++) {
      const start = this.#starts[index] ?? 0;
      const chunk = this.#chunks[index];
      if (chunk === undefined || start >= end) break;
      const bytes = chunk.bytes ?? stored(chunk.hash);
      parts.push(bytes.subarray(Math.max(0, offset - start), end - start));
    }
    const tail = this.#chunker?.tail ?? NOTHING;
    const tailStart = this.#size - tail.length;
    if (end > tailStart) parts.push(tail.subarray(Math.max(0, offset - tailStart), end - tailStart));
    return Buffer.concat(parts);
  }

  /** Index of the chunk that holds the offset, or the number of chunks. */
  #chunkAt(offset: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const end = (this.#starts[middle] ?? 0) + (this.#chunks[middle]?.length ?? 0);
      if (end <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function inlineContent(bytes: Buffer): FinishedContent {
  const hash = sha256(bytes);
  const chunks = bytes.length === 0 ? [] : [{ hash, length: bytes.length, bytes }];
  return { hash, size: bytes.length, chunks, manifest: null, extends: false };
}

/** Content that is there as a whole. */
export function finishedContent(bytes: Buffer): FinishedContent {
  const writer = new ContentWriter();
  writer.append(bytes);
  return writer.finish();
}
