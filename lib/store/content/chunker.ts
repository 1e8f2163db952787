/**
 * Content-defined chunking with a gear hash: a cut depends only on the 32 bytes before it, so an insertion moves the cuts
 * near it and leaves all others, and equal stretches of two versions become equal chunks.
 * The sizes and the table below are part of the storage format: changing them stores old content again, it loses nothing.
 */

import type { ContentReference } from "./chunk.ts";
import { type Hash, sha256 } from "./hash.ts";

/** Chunks that start below this offset are small (about 4 KiB on average), later ones large (about 64 KiB). */
const SMALL_UNTIL = 1024 * 1024;

interface ChunkSizes {
  readonly min: number;
  readonly max: number;
  /** A cut is where these bits of the hash are zero: the upper bits, which depend on the most bytes. */
  readonly mask: number;
}

const SMALL: ChunkSizes = { min: 1024, max: 16 * 1024, mask: 0xfff00000 | 0 };
const LARGE: ChunkSizes = { min: 16 * 1024, max: 256 * 1024, mask: 0xffff0000 | 0 };

/** No chunk has more bytes. */
export const LARGEST_CHUNK = LARGE.max;

const ZEROS = Buffer.alloc(LARGEST_CHUNK);
/** The chunks that runs of zeros become: no cut is found in them, so they are the largest. Digests by length. */
const ZERO_CHUNKS: ReadonlyMap<number, Hash> = new Map(
  [SMALL.max, LARGE.max].map((length) => [length, sha256(ZEROS.subarray(0, length))]),
);

/** True for a chunk within a run of zeros. */
export function isZeroChunk({ hash, length }: ContentReference): boolean {
  return ZERO_CHUNKS.get(length) === hash;
}

const GEAR = gearTable();

/** 256 pseudo-random 32-bit words, from the splitmix32 sequence: a fixed table without 256 literals. */
function gearTable(): Int32Array {
  const table = new Int32Array(256);
  let state = 0x6d656d66;
  for (let index = 0; index < table.length; index++) {
    state = (state + 0x9e3779b9) | 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word, 0x21f0aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a2d97);
    table[index] = word ^ (word >>> 15);
  }
  return table;
}

/** The hash with one more byte. */
function step(hash: number, byte: number | undefined): number {
  return ((hash << 1) + (GEAR[byte as number] as number)) | 0;
}

/** Bytes that large chunks are cut from: each is copied in once, and a chunk is a view of it. */
const SLAB_BYTES = 1024 * 1024;
/** Slabs that wait to be used again. */
const FREE_SLABS = 6;

/** A chunk and its digest. */
export type OnCut = (chunk: Buffer, hash: Hash) => void;

/** Cuts a stream into chunks. Bytes are copied in; a chunk handed out stays as it is until it is given back. */
export class Chunker {
  #start: number;
  #slab: Buffer = Buffer.allocUnsafeSlow(SMALL.max);
  /** Where the bytes after the last cut begin in the slab, and their number. */
  #from = 0;
  #length = 0;
  #scanned = 0;
  #hash = 0;
  readonly #free: ArrayBufferLike[] = [];
  /** The slab of the chunk that was given back last. */
  #returning: ArrayBufferLike | null = null;

  /** @param start offset in the content at which the next chunk begins */
  constructor(start: number) {
    this.#start = start;
  }

  /** Bytes after the last cut: a view, valid until the next call of {@link push}. */
  get tail(): Buffer {
    return this.#slab.subarray(this.#from, this.#from + this.#length);
  }

  /** Takes all of `bytes` and hands every finished chunk to `cut`. */
  push(bytes: Buffer, cut: OnCut): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#length === 0 && this.#takeZeros(bytes, at, cut)) {
        at += LARGEST_CHUNK;
        continue;
      }
      const sizes = this.#sizes();
      const take = Math.min(bytes.length - at, sizes.max - this.#length);
      this.#reserve(take);
      bytes.copy(this.#slab, this.#from + this.#length, at, at + take);
      this.#length += take;
      at += take;
      for (let end = this.#scan(); end > 0; end = this.#scan()) {
        const chunk = this.#take(end);
        cut(chunk, sha256(chunk));
      }
    }
  }

  /**
   * A chunk that was handed out is not used any more, and so none before it. Their memory serves later ones: it would be as
   * much garbage as there is content.
   */
  giveBack(chunk: Buffer): void {
    const slab = chunk.buffer;
    if (slab.byteLength !== SLAB_BYTES || slab === this.#returning) return;
    if (this.#returning !== null && this.#free.length < FREE_SLABS) this.#free.push(this.#returning);
    this.#returning = slab;
  }

  /** Holds no more memory than the tail needs. */
  shrink(): void {
    this.#free.length = 0;
    this.#returning = null;
    if (this.#slab.length <= LARGEST_CHUNK) return;
    this.#slab = copyOf(this.tail, Buffer.allocUnsafeSlow(Math.max(this.#length, SMALL.max)));
    this.#from = 0;
  }

  /** A hole of a gigabyte is neither scanned nor hashed chunk by chunk. */
  #takeZeros(bytes: Buffer, at: number, cut: OnCut): boolean {
    if (this.#start < SMALL_UNTIL || at + LARGEST_CHUNK > bytes.length) return false;
    if (bytes[at] !== 0 || !bytes.subarray(at, at + LARGEST_CHUNK).equals(ZEROS)) return false;
    this.#start += LARGEST_CHUNK;
    cut(ZEROS, ZERO_CHUNKS.get(LARGEST_CHUNK) ?? sha256(ZEROS));
    return true;
  }

  #sizes(): ChunkSizes {
    return this.#start < SMALL_UNTIL ? SMALL : LARGE;
  }

  /** Length of the next chunk, or 0 when the tail holds no cut yet. */
  #scan(): number {
    const { min, max, mask } = this.#sizes();
    const tail = this.tail;
    const length = this.#length;
    let hash = this.#hash;
    let at = Math.max(this.#scanned, min);
    // Four at a time: a quarter less time, and this is a sixth of what writing a large file costs.
    for (const last = length - 3; at < last; at += 4) {
      const first = step(hash, tail[at]);
      const second = step(first, tail[at + 1]);
      const third = step(second, tail[at + 2]);
      hash = step(third, tail[at + 3]);
      if ((first & mask) === 0) return at + 1;
      if ((second & mask) === 0) return at + 2;
      if ((third & mask) === 0) return at + 3;
      if ((hash & mask) === 0) return at + 4;
    }
    for (; at < length; at++) {
      hash = step(hash, tail[at]);
      if ((hash & mask) === 0) return at + 1;
    }
    this.#hash = hash;
    this.#scanned = length;
    return length >= max ? max : 0;
  }

  #take(end: number): Buffer {
    const small = this.#start < SMALL_UNTIL;
    const chunk = small ? Buffer.from(this.tail.subarray(0, end)) : this.tail.subarray(0, end);
    if (small) this.#slab.copyWithin(0, end, this.#length);
    else this.#from += end;
    this.#start += end;
    this.#length -= end;
    this.#scanned = 0;
    this.#hash = 0;
    return chunk;
  }

  /** Makes room behind the tail. A slab of which chunks were handed out is left to them. */
  #reserve(more: number): void {
    const needed = this.#length + more;
    if (this.#from + needed <= this.#slab.length) return;
    const free = this.#slab.length === SLAB_BYTES ? this.#free.pop() : undefined;
    const size = Math.max(needed, Math.min(SLAB_BYTES, this.#slab.length * 2));
    this.#slab = copyOf(this.tail, free === undefined ? Buffer.allocUnsafeSlow(size) : Buffer.from(free));
    this.#from = 0;
  }
}

function copyOf(bytes: Buffer, to: Buffer): Buffer {
  to.set(bytes);
  return to;
}
