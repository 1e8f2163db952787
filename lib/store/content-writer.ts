/**
 * Builds content by appending: cut and hashed as bytes arrive, so that finishing costs little whatever the size.
 * What was stored before (the chunks of the content it goes on from) is not stored again.
 */

import { createHash, type Hash as RunningHash } from "node:crypto";
import { Chunker } from "./chunker.ts";
import { type Hash, sha256 } from "./hash.ts";
import type { Chunk, FinishedContent, StoredContent } from "./chunk.ts";
import { ManifestWriter } from "./manifest.ts";

/** Content up to this many bytes is stored as one value. */
export const INLINE_BYTES = 8 * 1024;

export class ContentWriter {
  #size = 0;
  /** All bytes while they are few; null after that. */
  #small: Buffer | null = Buffer.alloc(0);
  readonly #chunks: Chunk[] = [];
  readonly #starts: number[] = [];
  /** The manifest of the chunks so far: it only grows, so that appending to a long log does not write it anew. */
  #manifest: ManifestWriter | null = null;
  #chunker: Chunker | null = null;
  #running: RunningHash | null = null;

  get size(): number {
    return this.#size;
  }

  /** Goes on from stored content: its last chunk is cut anew, the others stay. */
  static resume(stored: StoredContent): ContentWriter {
    const writer = new ContentWriter();
    const bytes = stored.read();
    if (stored.chunks === null || bytes.length <= INLINE_BYTES) {
      writer.append(bytes);
      return writer;
    }
    const kept = stored.chunks.slice(0, -1);
    const start = kept.reduce((sum, chunk) => sum + chunk.length, 0);
    writer.#small = null;
    writer.#size = start;
    for (const chunk of kept) writer.#keep({ ...chunk, bytes: null });
    writer.#running = createHash("sha256").update(bytes.subarray(0, start));
    writer.#chunker = new Chunker(start);
    writer.#appendLarge(bytes.subarray(start));
    return writer;
  }

  /** Everything in it is stored now: its bytes need not be kept. */
  stored(): void {
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
    const chunks = this.#unstored();
    const tail = this.#chunker?.tail ?? Buffer.alloc(0);
    const last: Chunk | null =
      tail.length === 0 ? null : { hash: sha256(tail), length: tail.length, bytes: Buffer.from(tail) };
    if (last !== null) chunks.push(last);
    const isOne = this.#chunks.length + (last === null ? 0 : 1) === 1;
    return { hash, size: this.#size, chunks, manifest: isOne ? null : (this.#manifest?.finish(last) ?? null) };
  }

  #unstored(): Chunk[] {
    let first = this.#chunks.length;
    while (first > 0 && this.#chunks[first - 1]?.bytes !== null) first -= 1;
    return this.#chunks.slice(first);
  }

  /** Bytes of what was appended. `stored` reads a chunk that the store has. */
  read(offset: number, length: number, stored: (chunk: Hash) => Buffer): Buffer {
    const end = Math.min(offset + length, this.#size);
    if (offset >= end) return Buffer.alloc(0);
    if (this.#small !== null) return this.#small.subarray(offset, end);
    const parts: Buffer[] = [];
    for (let index = this.#chunkAt(offset); index < this.#chunks.length; index++) {
      const start = this.#starts[index] ?? 0;
      const chunk = this.#chunks[index];
      if (chunk === undefined || start >= end) break;
      const bytes = chunk.bytes ?? stored(chunk.hash);
      parts.push(bytes.subarray(Math.max(0, offset - start), end - start));
    }
    const tail = this.#chunker?.tail ?? Buffer.alloc(0);
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
  return { hash, size: bytes.length, chunks, manifest: null };
}

/** Content that is there as a whole. */
export function finishedContent(bytes: Buffer): FinishedContent {
  const writer = new ContentWriter();
  writer.append(bytes);
  return writer.finish();
}
