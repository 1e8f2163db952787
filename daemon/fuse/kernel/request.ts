/** Reading requests: the header, and the fields and names of the body. */

import { MemfsError } from "../../../lib/errors.ts";
import type { Caller, HandleRef, LockOwner, NodeRef } from "../../../lib/vfs/filesystem.ts";
import { IN_HEADER_SIZE } from "./abi.ts";

const TWO_32 = 2 ** 32;
const HEADER_WORDS = IN_HEADER_SIZE / 4;
const SLASH = 0x2f;

/** A node id from its two 32-bit halves: never a JS number, which would lose bits above 53. */
export function nodeRef(high: number, low: number): NodeRef {
  return { slot: high >>> 16, number: (high & 0xffff) * TWO_32 + low };
}

/** The header of one request. It outlives the buffer it came in, so that an answer can come later. */
export class Request implements Caller {
  readonly opcode: number;
  readonly uniqueHigh: number;
  readonly uniqueLow: number;
  readonly node: NodeRef;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;

  /** @param words the request from its first byte; at least {@link IN_HEADER_SIZE} bytes of it are valid */
  constructor(words: Uint32Array) {
    this.opcode = words[1] as number;
    this.uniqueLow = words[2] as number;
    this.uniqueHigh = words[3] as number;
    this.node = nodeRef(words[5] as number, words[4] as number);
    this.uid = words[6] as number;
    this.gid = words[7] as number;
    this.pid = words[8] as number;
  }
}

/**
 * Memory that requests are read into, used again for each: what outlives the call of a handler is copied out of it.
 * Field positions count 32-bit words from the start of the body; the dispatcher has checked that they are there.
 */
export class RequestBuffer {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  /** Bytes of the request that is in the buffer now. */
  length = 0;

  /** @param capacity bytes, a multiple of four */
  constructor(capacity: number) {
    const memory = new ArrayBuffer(capacity);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
  }

  /** Bytes behind the header. */
  get bodyLength(): number {
    return this.length - IN_HEADER_SIZE;
  }

  /** The length the kernel wrote into the header. */
  get declaredLength(): number {
    return this.words[0] as number;
  }

  header(): Request {
    return new Request(this.words);
  }

  u32(word: number): number {
    return this.words[HEADER_WORDS + word] as number;
  }

  /** An unsigned 64-bit field as a double: exact up to 2^53, which no size or offset here exceeds. */
  u64(word: number): number {
    return this.u32(word + 1) * TWO_32 + this.u32(word);
  }

  /** A signed 64-bit field as a double. */
  i64(word: number): number {
    return (this.u32(word + 1) | 0) * TWO_32 + this.u32(word);
  }

  /** An unsigned 64-bit field as it is. */
  big(word: number): bigint {
    return (BigInt(this.u32(word + 1)) << 32n) | BigInt(this.u32(word));
  }

  lockOwner(word: number): LockOwner {
    return { ownerHigh: this.u32(word + 1), ownerLow: this.u32(word) };
  }

  node(word: number): NodeRef {
    return nodeRef(this.u32(word + 1), this.u32(word));
  }

  handle(word: number): HandleRef {
    return { fhHigh: this.u32(word + 1), fhLow: this.u32(word) };
  }

  /**
   * A copy of the NUL-terminated string at `offset` of the body.
   * @throws MemfsError `invalid_data` when there is no NUL
   */
  text(offset: number): Buffer {
    const start = IN_HEADER_SIZE + offset;
    const end = this.bytes.indexOf(0, start);
    if (end < start || end >= this.length) throw new MemfsError("invalid_data", "a string of the request has no end");
    const copy = Buffer.allocUnsafe(end - start);
    this.bytes.copy(copy, 0, start, end);
    return copy;
  }

  /**
   * A copy of the name at `offset` of the body. Its length is for the filesystem to judge.
   * @throws MemfsError `invalid_data` when it is empty, has a slash, or has no NUL
   */
  name(offset: number): Buffer {
    const name = this.text(offset);
    if (name.length === 0 || name.includes(SLASH)) {
      throw new MemfsError("invalid_data", "a name of the request is empty or has a slash");
    }
    return name;
  }

  /**
   * A view of `size` bytes at `offset` of the body, valid until the next request is read.
   * @throws MemfsError `invalid_data` when the request is shorter
   */
  data(offset: number, size: number): Buffer {
    if (offset + size > this.bodyLength) throw new MemfsError("invalid_data", "the request is shorter than its data");
    const start = IN_HEADER_SIZE + offset;
    return this.bytes.subarray(start, start + size);
  }
}
