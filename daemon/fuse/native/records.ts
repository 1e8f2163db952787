/** Attributes and statistics as the addon's C code reads them: arrays of 32-bit numbers, 64-bit ones low half first. */

import type { Attributes, FilesystemStatistics, NodeRef } from "../../../lib/vfs/filesystem.ts";

const TWO_32 = 0x1_0000_0000;
const STAT_WORDS = 18;
const STATFS_WORDS = 11;
/** Odd, and far from any small multiple of 2^32: spreads the stores of a mount over the inode numbers. */
const SLOT_STRIDE = 0x9e37_79b1;
const BLOCK_SHIFT = 9;
const IO_BLOCK = 4096;

/** What `getattr` answers when it refuses. */
export const NO_STAT: Uint32Array = new Uint32Array(STAT_WORDS);
/** What `statfs` answers when it refuses. */
export const NO_STATFS: Uint32Array = new Uint32Array(STATFS_WORDS);

/** Node number as an inode number. The addon has 32 bits: nodes of one store differ up to 2^32 of them. */
function inode({ slot, number }: NodeRef): number {
  return (number + Math.imul(slot, SLOT_STRIDE)) >>> 0;
}

function put64(words: Uint32Array, index: number, value: number): void {
  words[index] = value % TWO_32;
  words[index + 1] = Math.floor(value / TWO_32);
}

/** Milliseconds since the epoch, which is all that the addon carries; nothing before it. */
function milliseconds(seconds: number, nanoseconds: number): number {
  return Math.max(0, seconds * 1000 + Math.floor(nanoseconds / 1e6));
}

/** Attributes of a node. */
export function statWords(node: NodeRef, attributes: Attributes): Uint32Array {
  const words = new Uint32Array(STAT_WORDS);
  words[0] = attributes.mode;
  words[1] = attributes.uid;
  words[2] = attributes.gid;
  put64(words, 3, attributes.size);
  words[6] = attributes.links;
  words[7] = inode(node);
  words[8] = attributes.rdev;
  words[9] = IO_BLOCK;
  put64(words, 10, Math.ceil(attributes.size / (1 << BLOCK_SHIFT)));
  put64(words, 12, milliseconds(attributes.atime, attributes.atimeNsec));
  put64(words, 14, milliseconds(attributes.mtime, attributes.mtimeNsec));
  put64(words, 16, milliseconds(attributes.ctime, attributes.ctimeNsec));
  return words;
}

/** Type and inode number for a directory entry. */
export function entryWords(node: NodeRef, mode: number): Uint32Array {
  const words = new Uint32Array(STAT_WORDS);
  words[0] = mode;
  words[7] = inode(node);
  return words;
}

/** Statistics of a store. The addon has 32 bits for each number. */
export function statfsWords(statistics: FilesystemStatistics): Uint32Array {
  const { blockSize, blocks, blocksFree, files, filesFree, nameMax } = statistics;
  const numbers = [blockSize, blockSize, blocks, blocksFree, blocksFree, files, filesFree, filesFree, 0, 0, nameMax];
  return Uint32Array.from(numbers, (number) => Math.min(number, TWO_32 - 1));
}
