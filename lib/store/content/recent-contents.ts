/**
 * Small contents that were read or written lately, plain: an agent that appends to a note it just read needs no digest
 * key, no database and no seal. They stand one behind the other in a ring of memory and are found by their digests, with
 * no object for any of them: as many as there are here, the collector would have to go through them again and again.
 * With each is how a store has it: a note that grows is stored as what was added to it, a few times in a row.
 */

import type { Hash } from "./hash.ts";
import { HASH_BYTES } from "../records/record.ts";

/** Contents up to this size (bytes) are kept: what is stored as one value, mostly. */
const LARGEST = 8 * 1024;
/** One ring for all stores of a home. What is not asked for while half of it fills is forgotten some time. */
const RING_BYTES = 8 * 1024 * 1024;
/** Places in which digests are looked up: two for each. More small contents than this are not kept. */
const SLOTS = 16 * 1024;

/** How a store, told by its space, has content. */
export interface StoredAs {
  readonly space: number;
  /** How many others must be read to read it; 0: it is stored as its bytes. */
  readonly depth: number;
}

/** No store has this space. */
const NOWHERE = 0;

export class RecentContents {
  /** Each digest with its content behind it. Null until there is something to keep. */
  #ring: Buffer | null = null;
  /** Where in the ring the next one comes. */
  #at = 0;
  /** Bytes put so far, those skipped at the ring's end included. */
  #total = 0;
  /** By slot: what the total was before the content was put, where in the ring its digest is, and its size. */
  readonly #starts = new Float64Array(SLOTS).fill(-Infinity);
  readonly #places = new Uint32Array(SLOTS);
  readonly #sizes = new Uint16Array(SLOTS);
  /** By slot: how one store has it, if that is known. */
  readonly #spaces = new Uint32Array(SLOTS).fill(NOWHERE);
  readonly #depths = new Uint8Array(SLOTS);

  /** A copy of the content; undefined when it is not here. */
  get(hash: Hash): Buffer | undefined {
    const slot = this.#find(hash);
    if (slot < 0) return undefined;
    const bytes = Buffer.from(this.#view(slot));
    if (this.#isOld(slot)) this.#add(slot, hash, bytes);
    return bytes;
  }

  /**
   * Copies the content to the start of `target`, if it is here; returns its size, else undefined. For content that
   * something else will soon take the place of: it is forgotten as if not asked for.
   */
  copyTo(hash: Hash, target: Buffer): number | undefined {
    const slot = this.#find(hash);
    if (slot < 0) return undefined;
    target.set(this.#view(slot));
    return this.#sizes[slot];
  }

  /**
   * How many others must be read to read content that the store of the space has; undefined when that is not known. More, where
   * what told of it failed, or a copy of it was forgotten before the content was written again.
   */
  depthOf(space: number, hash: Hash): number | undefined {
    const slot = this.#find(hash);
    return slot < 0 || this.#spaces[slot] !== space ? undefined : this.#depths[slot];
  }

  /** Copies the bytes in, unless they are too many. */
  put(hash: Hash, bytes: Buffer, stored?: StoredAs): void {
    if (bytes.length > LARGEST) return;
    const known = this.#find(hash);
    const slot = known >= 0 ? known : this.#slotFor(hash);
    if (known < 0 || this.#isOld(known)) this.#add(slot, hash, bytes);
    if (known < 0) this.#spaces[slot] = NOWHERE;
    if (stored === undefined) return;
    this.#spaces[slot] = stored.space;
    this.#depths[slot] = stored.depth;
  }

  #add(slot: number, hash: Hash, bytes: Buffer): void {
    const ring = (this.#ring ??= Buffer.allocUnsafeSlow(RING_BYTES));
    const size = HASH_BYTES + bytes.length;
    if (this.#at + size > RING_BYTES) {
      this.#total += RING_BYTES - this.#at;
      this.#at = 0;
    }
    const at = this.#at;
    for (let index = 0; index < HASH_BYTES; index++) ring[at + index] = hash.charCodeAt(index);
    ring.set(bytes, at + HASH_BYTES);
    this.#starts[slot] = this.#total;
    this.#places[slot] = at;
    this.#sizes[slot] = bytes.length;
    this.#at += size;
    this.#total += size;
  }

  /** The slot of a digest; -1 when it is not here. */
  #find(hash: Hash): number {
    const slot = slotOf(hash);
    if (this.#holds(slot, hash)) return slot;
    return this.#holds(slot ^ 1, hash) ? slot ^ 1 : -1;
  }

  #holds(slot: number, hash: Hash): boolean {
    // What was put since may have been written over it.
    if (this.#ring === null || this.#ageOf(slot) > RING_BYTES) return false;
    const at = this.#places[slot] ?? 0;
    for (let index = 0; index < HASH_BYTES; index++)
      if (this.#ring[at + index] !== hash.charCodeAt(index)) return false;
    return true;
  }

  /** Of the two slots of a digest the one that has waited longer. */
  #slotFor(hash: Hash): number {
    const slot = slotOf(hash);
    return this.#ageOf(slot) >= this.#ageOf(slot ^ 1) ? slot : slot ^ 1;
  }

  /** Bytes from the start of a slot's content to the end of the newest one. */
  #ageOf(slot: number): number {
    return this.#total - (this.#starts[slot] ?? -Infinity);
  }

  #isOld(slot: number): boolean {
    return this.#ageOf(slot) > RING_BYTES / 2;
  }

  /** Valid until something is put. */
  #view(slot: number): Buffer {
    const at = (this.#places[slot] ?? 0) + HASH_BYTES;
    return (this.#ring ?? Buffer.alloc(0)).subarray(at, at + (this.#sizes[slot] ?? 0));
  }
}

/** The bytes of a digest are as good as random. */
function slotOf(hash: Hash): number {
  return (hash.charCodeAt(0) | (hash.charCodeAt(1) << 8)) % SLOTS;
}
