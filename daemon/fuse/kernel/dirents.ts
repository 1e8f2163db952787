/** The answer of READDIR and READDIRPLUS, filled entry by entry. */

import type { Attributes, DirectorySink, NodeRef } from "../../../lib/vfs/filesystem.ts";
import { DIRENT_SIZE, ENTRY_OUT_SIZE } from "./abi.ts";
import { put64, putEntry, putNode } from "./encode.ts";

const DOT = 0x2e;

function isSelfOrParent(name: Buffer): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

/** Directory entries as the kernel wants them. It has memory of its own, because a cold listing may take a while. */
export class Dirents implements DirectorySink {
  readonly plus: boolean;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #capacity: number;
  readonly #nameSeconds: number;
  #length = 0;

  /** @param capacity bytes the kernel asked for; `nameSeconds`: how long the names may be believed (READDIRPLUS) */
  constructor(capacity: number, plus: boolean, nameSeconds: number) {
    this.plus = plus;
    this.#capacity = capacity;
    this.#nameSeconds = nameSeconds;
    const memory = new ArrayBuffer(Math.ceil(capacity / 8) * 8);
    this.#bytes = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
  }

  /** What was taken so far; empty means the end of the directory. */
  get taken(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  add(name: Buffer, cookie: number, node: NodeRef, mode: number, attributes: Attributes | null): boolean {
    const prefix = this.plus ? ENTRY_OUT_SIZE : 0;
    const size = prefix + Math.ceil((DIRENT_SIZE + name.length) / 8) * 8;
    if (this.#length + size > this.#capacity) return false;
    let at = this.#length / 4;
    if (this.plus) {
      this.#putEntry(at, name, node, attributes);
      at += prefix / 4;
    }
    putNode(this.#words, at, node);
    put64(this.#words, at + 2, cookie);
    this.#words[at + 4] = name.length;
    this.#words[at + 5] = (mode >>> 12) & 0xf;
    name.copy(this.#bytes, at * 4 + DIRENT_SIZE);
    this.#length += size;
    return true;
  }

  /** Node id 0 tells the kernel to make no node of it, and so to count no lookup. */
  #putEntry(at: number, name: Buffer, node: NodeRef, attributes: Attributes | null): void {
    if (attributes === null || isSelfOrParent(name)) return putEntry(this.#words, at, null, 0);
    putEntry(this.#words, at, { node, attributes }, this.#nameSeconds);
  }
}
