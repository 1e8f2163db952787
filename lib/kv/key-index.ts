/**
 * Where the last operation on each key is: a hash table of addresses, without the keys, which stand where the addresses
 * point to. A Map would keep a string for each, and half of what an entry takes would be the collector's to look at.
 */
import { OPERATION_HEADER_SIZE } from "./batch.ts";
import type { Key } from "./kv.ts";

/** The bytes of an operation, at an offset of a page. */
export interface OperationPlace {
  readonly page: Buffer;
  readonly offset: number;
}

const FIRST_SLOTS = 64;
/** FNV-1a, 32 bits. */
const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Hash of the key of an operation. */
export function hashAt(page: Buffer, offset: number): number {
  const start = offset + OPERATION_HEADER_SIZE;
  const end = start + page.readUInt32BE(offset);
  let hash = FNV_START;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (page[at] ?? 0), FNV_PRIME);
  return hash >>> 0;
}

function hashOf(key: Key): number {
  let hash = FNV_START;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), FNV_PRIME);
  return hash >>> 0;
}

export class KeyIndex {
  readonly #find: (address: number) => OperationPlace;
  #hashes = new Uint32Array(FIRST_SLOTS);
  /** One more than the address; 0 in a slot that is free. */
  #addresses = new Float64Array(FIRST_SLOTS);
  #size = 0;

  /** @param find the operation at an address */
  constructor(find: (address: number) => OperationPlace) {
    this.#find = find;
  }

  /** The address for a key from now on is that of this operation, which stands at `offset` of `page`. */
  set(page: Buffer, offset: number, address: number): void {
    if (this.#size * 2 >= this.#hashes.length) this.#grow();
    const hash = hashAt(page, offset);
    const mask = this.#hashes.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const known = this.#addresses[slot] ?? 0;
      if (known === 0) {
        this.#hashes[slot] = hash;
        this.#size++;
      } else if (this.#hashes[slot] !== hash || !this.#isSameKey(known - 1, page, offset)) {
        continue;
      }
      this.#addresses[slot] = address + 1;
      return;
    }
  }

  /** Undefined when there is no operation on the key. */
  get(key: Key): OperationPlace | undefined {
    const hash = hashOf(key);
    const mask = this.#hashes.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const known = this.#addresses[slot] ?? 0;
      if (known === 0) return undefined;
      if (this.#hashes[slot] !== hash) continue;
      const place = this.#find(known - 1);
      if (isKey(place, key)) return place;
    }
  }

  /** The last operation on each key, in no order. */
  *places(): Generator<OperationPlace> {
    for (const address of this.#addresses) if (address !== 0) yield this.#find(address - 1);
  }

  #isSameKey(address: number, page: Buffer, offset: number): boolean {
    const known = this.#find(address);
    const size = page.readUInt32BE(offset);
    if (known.page.readUInt32BE(known.offset) !== size) return false;
    const [from, to] = [offset + OPERATION_HEADER_SIZE, known.offset + OPERATION_HEADER_SIZE];
    for (let at = 0; at < size; at++) if (page[from + at] !== known.page[to + at]) return false;
    return true;
  }

  #grow(): void {
    const [hashes, addresses] = [this.#hashes, this.#addresses];
    this.#hashes = new Uint32Array(hashes.length * 2);
    this.#addresses = new Float64Array(hashes.length * 2);
    const mask = this.#hashes.length - 1;
    for (let old = 0; old < hashes.length; old++) {
      const hash = hashes[old] ?? 0;
      const address = addresses[old] ?? 0;
      if (address === 0) continue;
      let slot = hash & mask;
      while (this.#addresses[slot] !== 0) slot = (slot + 1) & mask;
      this.#hashes[slot] = hash;
      this.#addresses[slot] = address;
    }
  }
}

function isKey({ page, offset }: OperationPlace, key: Key): boolean {
  if (page.readUInt32BE(offset) !== key.length) return false;
  const start = offset + OPERATION_HEADER_SIZE;
  for (let at = 0; at < key.length; at++) if (page[start + at] !== key.charCodeAt(at)) return false;
  return true;
}
