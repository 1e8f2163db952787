/** What reading large content uses again and again: how it is put together, and the chunk that was read in part. */

import type { ContentReference } from "./chunk.ts";
import type { Hash } from "./hash.ts";
import type { Manifest } from "./manifest.ts";

/** References of manifests that are kept: some 20 MB. A content of 1 GiB has 16,000. */
const KEPT_REFERENCES = 200_000;
/** Chunks that are kept, of up to 256 KiB: one for each file that is read from beginning to end at the same time. */
const KEPT_CHUNKS = 8;

/** A manifest whose references can be found by offset. */
export class ContentMap {
  readonly references: readonly ContentReference[];
  readonly end: Buffer;
  /** Offset of each reference, and at last of the end. */
  readonly starts: Float64Array;

  constructor({ references, end }: Manifest) {
    this.references = references;
    // What is kept must not hold on to the whole value it was cut from.
    this.end = Buffer.from(end);
    this.starts = new Float64Array(references.length + 1);
    let start = 0;
    for (const [index, { length }] of references.entries()) {
      start += length;
      this.starts[index + 1] = start;
    }
  }

  get size(): number {
    return this.startOf(this.references.length) + this.end.length;
  }

  startOf(index: number): number {
    return this.starts[index] ?? 0;
  }

  /** Index of the reference that an offset is in; their number when it is behind them. */
  indexAt(offset: number): number {
    let low = 0;
    let high = this.references.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.startOf(middle + 1) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class ContentCache {
  readonly #maps = new Map<Hash, ContentMap>();
  readonly #chunks = new Map<Hash, Buffer>();
  #references = 0;

  map(hash: Hash): ContentMap | undefined {
    return this.#maps.size === 0 ? undefined : this.#maps.get(hash);
  }

  keepMap(hash: Hash, map: ContentMap): void {
    this.#maps.set(hash, map);
    this.#references += map.references.length;
    for (const [oldest, { references }] of this.#maps) {
      if (this.#references <= KEPT_REFERENCES || oldest === hash) break;
      this.#maps.delete(oldest);
      this.#references -= references.length;
    }
  }

  /** Valid until the next call of {@link room}. */
  chunk(hash: Hash): Buffer | undefined {
    return this.#chunks.size === 0 ? undefined : this.#chunks.get(hash);
  }

  /** Memory for a chunk, to be filled and kept; it is that of the chunk that was kept longest. */
  room(size: number): Buffer {
    const oldest = this.#chunks.size < KEPT_CHUNKS ? undefined : this.#chunks.entries().next().value;
    if (oldest !== undefined) this.#chunks.delete(oldest[0]);
    const memory = oldest?.[1].buffer;
    return memory !== undefined && memory.byteLength >= size
      ? Buffer.from(memory, 0, size)
      : Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size))).subarray(0, size);
  }

  /** Keeps a chunk in memory of {@link room}. Nobody else may hold on to it. */
  keepChunk(hash: Hash, bytes: Buffer): void {
    this.#chunks.set(hash, bytes);
  }
}
