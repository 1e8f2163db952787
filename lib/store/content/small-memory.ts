/**
 * Memory for the bytes of small files while they are written: used again, since a file is written and closed within
 * microseconds, and new memory for each would keep the collector busy.
 */

/** Content up to this many bytes is stored as one value. */
export const INLINE_BYTES = 8 * 1024;
/** Pieces that are kept for the next who need one. */
const SPARE = 32;

const spare: Buffer[] = [];

/** {@link INLINE_BYTES} of memory, with anything in it. */
export function takeSmallMemory(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(INLINE_BYTES);
}

/** Nobody reads or writes it any more. To be called once at most; what is never given back the collector takes. */
export function giveBackSmallMemory(memory: Buffer): void {
  if (spare.length < SPARE) spare.push(memory);
}
