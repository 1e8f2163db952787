/**
 * Small contents that were read or written lately, plain: an agent that appends to a note it just read needs no digest
 * key, no database and no seal. In two generations: what is not asked for while a whole one fills is forgotten.
 */

import { Slab } from "../slab.ts";
import type { Hash } from "./hash.ts";

/** Contents up to this size (bytes) are kept: what is stored as one value, mostly. */
const LARGEST = 8 * 1024;
/** Bytes per generation; twice as many are held. One for all stores of a home. */
const GENERATION_BYTES = 4 * 1024 * 1024;

export class RecentContents {
  #young = new Map<Hash, Buffer>();
  #old = new Map<Hash, Buffer>();
  #slab = new Slab();
  #bytes = 0;

  /** The content, not to be modified; undefined when it is not here. */
  get(hash: Hash): Buffer | undefined {
    const young = this.#young.get(hash);
    if (young !== undefined) return young;
    const old = this.#old.get(hash);
    if (old !== undefined) this.put(hash, old);
    return old;
  }

  /** Copies the bytes in, unless they are too many. */
  put(hash: Hash, bytes: Buffer): void {
    if (bytes.length > LARGEST || this.#young.has(hash)) return;
    if (this.#bytes + bytes.length > GENERATION_BYTES) this.#turn();
    this.#young.set(hash, this.#slab.keep(bytes));
    this.#bytes += bytes.length;
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#slab = new Slab();
    this.#bytes = 0;
  }
}
