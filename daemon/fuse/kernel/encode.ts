/** Writing the structures that several answers share. Positions count 32-bit words. */

import { type Attributes, FIRST_VOLATILE_NODE, type NodeEntry, type NodeRef } from "../../../lib/vfs/filesystem.ts";
import { ATTR_SIZE, STATX_ALL } from "./abi.ts";

const TWO_32 = 2 ** 32;

/**
 * Seconds the kernel may believe what it was told: 68 years, since every change is announced (`invalidator.ts`).
 * The kernel caps it at what its jiffies can hold.
 */
export const FOREVER = 0x7fffffff;

/** Seconds the kernel may believe the attributes of a node. */
export function attributeSeconds(node: NodeRef): number {
  return node.number < FIRST_VOLATILE_NODE ? FOREVER : 0;
}

/** `st_blksize`: what programs read and write at once when they ask. */
const BLOCK_SIZE = 4096;

/** Writes a whole number of at most 53 bits, negative ones as two's complement. */
export function put64(words: Uint32Array, at: number, value: number): void {
  words[at] = value >>> 0;
  words[at + 1] = Math.floor(value / TWO_32);
}

/** Writes a node id: slot in the upper 16 bits, number in the lower 48. */
export function putNode(words: Uint32Array, at: number, node: NodeRef): void {
  words[at] = node.number >>> 0;
  words[at + 1] = ((node.slot << 16) | Math.floor(node.number / TWO_32)) >>> 0;
}

/** Writes `struct fuse_attr`. The inode number that programs see is the node id. */
export function putAttributes(words: Uint32Array, at: number, node: NodeRef, attributes: Attributes): void {
  putNode(words, at, node);
  put64(words, at + 2, attributes.size);
  put64(words, at + 4, Math.ceil(attributes.size / 512));
  put64(words, at + 6, attributes.atime);
  put64(words, at + 8, attributes.mtime);
  put64(words, at + 10, attributes.ctime);
  words[at + 12] = attributes.atimeNsec;
  words[at + 13] = attributes.mtimeNsec;
  words[at + 14] = attributes.ctimeNsec;
  words[at + 15] = attributes.mode;
  words[at + 16] = attributes.links;
  words[at + 17] = attributes.uid;
  words[at + 18] = attributes.gid;
  words[at + 19] = attributes.rdev;
  words[at + 20] = BLOCK_SIZE;
  words[at + 21] = 0;
}

/** Writes `struct fuse_statx` into words that are zero. */
export function putStatx(words: Uint32Array, at: number, node: NodeRef, attributes: Attributes): void {
  words[at] = STATX_ALL;
  words[at + 1] = BLOCK_SIZE;
  words[at + 4] = attributes.links;
  words[at + 5] = attributes.uid;
  words[at + 6] = attributes.gid;
  words[at + 7] = attributes.mode;
  putNode(words, at + 8, node);
  put64(words, at + 10, attributes.size);
  put64(words, at + 12, Math.ceil(attributes.size / 512));
  putTime(words, at + 16, attributes.atime, attributes.atimeNsec);
  putTime(words, at + 20, attributes.btime, attributes.btimeNsec);
  putTime(words, at + 24, attributes.ctime, attributes.ctimeNsec);
  putTime(words, at + 28, attributes.mtime, attributes.mtimeNsec);
  // Elsewhere device numbers are packed as the kernel's new_encode_dev() does it: minor, major, rest of minor.
  words[at + 32] = (attributes.rdev >>> 8) & 0xfff;
  words[at + 33] = (attributes.rdev & 0xff) | ((attributes.rdev >>> 12) & 0xfff00);
}

function putTime(words: Uint32Array, at: number, seconds: number, nanoseconds: number): void {
  put64(words, at, seconds);
  words[at + 2] = nanoseconds;
}

/**
 * Writes `struct fuse_entry_out`. Null is a name that does not exist: node id 0, which the kernel remembers as long as
 * any other name. `nameSeconds` is how long the name may be believed. The generation stays 0: node numbers are never
 * used again.
 */
export function putEntry(words: Uint32Array, at: number, entry: NodeEntry | null, nameSeconds: number): void {
  words.fill(0, at, at + 10);
  if (entry === null) {
    put64(words, at + 4, nameSeconds);
    words.fill(0, at + 10, at + 10 + ATTR_SIZE / 4);
    return;
  }
  const seconds = attributeSeconds(entry.node);
  putNode(words, at, entry.node);
  put64(words, at + 4, Math.min(nameSeconds, seconds));
  put64(words, at + 6, seconds);
  putAttributes(words, at + 10, entry.node, entry.attributes);
}
