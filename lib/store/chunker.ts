/**
 * Content-defined chunking with a gear hash: a cut depends only on the 32 bytes before it, so an insertion moves the cuts
 * near it and leaves all others, and equal stretches of two versions become equal chunks.
 * The sizes and the table below are part of the storage format: changing them stores old content again, it loses nothing.
 */

/** Content up to this many bytes is stored as one value. */
export const INLINE_BYTES = 8 * 1024;
/** Content up to this size is cut into small chunks (4 KiB on average), larger content into large ones (64 KiB). */
const SMALL_LIMIT = 1024 * 1024;

interface ChunkSizes {
  readonly min: number;
  readonly max: number;
  /** A cut is where these bits of the hash are zero: the upper bits, which depend on the most bytes. */
  readonly mask: number;
}

const SMALL: ChunkSizes = { min: 1024, max: 16 * 1024, mask: 0xfff00000 | 0 };
const LARGE: ChunkSizes = { min: 16 * 1024, max: 256 * 1024, mask: 0xffff0000 | 0 };

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

/** Views of consecutive chunks that make up `content`. */
export function* chunksOf(content: Buffer): Generator<Buffer> {
  const sizes = content.length <= SMALL_LIMIT ? SMALL : LARGE;
  for (let start = 0; start < content.length; ) {
    const end = cut(content, start, sizes);
    yield content.subarray(start, end);
    start = end;
  }
}

function cut(content: Buffer, start: number, sizes: ChunkSizes): number {
  const end = Math.min(start + sizes.max, content.length);
  let hash = 0;
  for (let at = start + sizes.min; at < end; at++) {
    hash = ((hash << 1) + (GEAR[content[at] ?? 0] ?? 0)) | 0;
    if ((hash & sizes.mask) === 0) return at + 1;
  }
  return end;
}
