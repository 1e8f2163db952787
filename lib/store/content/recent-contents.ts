/**
 * Small contents that were read or written lately, plain: an agent that appends to a note it just read needs no digest
 * key, no database and no seal. In two generations: what is not asked for while a whole one fills is forgotten.
 */

import { Pages } from "../../pages.ts";
import type { Hash } from "./hash.ts";

/** Contents up to this size (bytes) are kept: what is stored as one value, mostly. */
const LARGEST = 8 * 1024;
/** Bytes per generation; twice as many are held. One for all stores of a home. */
const GENERATION_BYTES = 4 * 1024 * 1024;

interface Place {
  readonly address: number;
  readonly length: number;
}

export class RecentContents {
  #young = new Map<Hash, Place>();
  #old = new Map<Hash, Place>();
  #youngPages = new Pages();
  #oldPages = new Pages();
  #bytes = 0;

  /** A copy of the content; undefined when it is not here. */
  get(hash: Hash): Buffer | undefined {
    const view = this.#view(hash);
    if (view === undefined) return undefined;
    const bytes = Buffer.from(view);
    this.put(hash, bytes);
    return bytes;
  }

  /**
   * Copies the content to the start of `target`, if it is here; returns its size, else undefined. For content that
   * something else will soon take the place of: it is forgotten as if not asked for.
   */
  copyTo(hash: Hash, target: Buffer): number | undefined {
    const view = this.#view(hash);
    if (view === undefined) return undefined;
    target.set(view);
    return view.length;
  }

  /** Valid until something is put. */
  #view(hash: Hash): Buffer | undefined {
    const young = this.#young.get(hash);
    if (young !== undefined) return viewOf(this.#youngPages, young);
    const old = this.#old.get(hash);
    return old === undefined ? undefined : viewOf(this.#oldPages, old);
  }

  /** Copies the bytes in, unless they are too many. */
  put(hash: Hash, bytes: Buffer): void {
    if (bytes.length > LARGEST || this.#young.has(hash)) return;
    if (this.#bytes + bytes.length > GENERATION_BYTES) this.#turn();
    this.#young.set(hash, { address: this.#youngPages.add(bytes), length: bytes.length });
    this.#bytes += bytes.length;
  }

  #turn(): void {
    const pages = this.#oldPages;
    pages.free();
    this.#old.clear();
    [this.#young, this.#old] = [this.#old, this.#young];
    [this.#youngPages, this.#oldPages] = [pages, this.#youngPages];
    this.#bytes = 0;
  }
}

function viewOf(pages: Pages, { address, length }: Place): Buffer {
  const { page, offset } = pages.find(address);
  return page.subarray(offset, offset + length);
}
