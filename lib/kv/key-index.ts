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
  /** First bytes of the keys (0 of one that is empty): what kind of key it is, for those who look for all of one kind. */
  #kinds = new Uint8Array(FIRST_SLOTS);
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
        this.#kinds[slot] = kindAt(page, offset);
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

  /** Those on keys that begin with the prefix. */
  withPrefix(prefix: Key): OperationPlace[] {
    const found: OperationPlace[] = [];
    const kind = prefix === "" ? null : prefix.charCodeAt(0);
    for (let slot = 0; slot < this.#kinds.length; slot++) {
      if (kind !== null && this.#kinds[slot] !== kind) continue;
      const address = this.#addresses[slot] ?? 0;
      if (address === 0) continue;
      const place = this.#find(address - 1);
      if (hasPrefix(place, prefix)) found.push(place);
    }
    return found;
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
    const [hashes, addresses, kinds] = [this.#hashes, this.#addresses, this.#kinds];
    this.#hashes = new Uint32Array(hashes.length * 2);
    this.#addresses = new Float64Array(hashes.length * 2);
    this.#kinds = new Uint8Array(hashes.length * 2);
    const mask = this.#hashes.length - 1;
    for (let old = 0; old < hashes.length; old++) {
      const hash = hashes[old] ?? 0;
      const address = addresses[old] ?? 0;
      if (address === 0) continue;
      let slot = hash & mask;
      while (this.#addresses[slot] !== 0) slot = (slot + 1) & mask;
      this.#hashes[slot] = hash;
      this.#addresses[slot] = address;
      this.#kinds[slot] = kinds[old] ?? 0;
    }
  }
}

function kindAt(page: Buffer, offset: number): number {
  return page.readUInt32BE(offset) === 0 ? 0 : (page[offset + OPERATION_HEADER_SIZE] ?? 0);
}

function isKey(place: OperationPlace, key: Key): boolean {
  return place.page.readUInt32BE(place.offset) === key.length && hasPrefix(place, key);
}

function hasPrefix({ page, offset }: OperationPlace, prefix: Key): boolean {
  if (page.readUInt32BE(offset) < prefix.length) return false;
  const start = offset + OPERATION_HEADER_SIZE;
  for (let at = 0; at < prefix.length; at++) if (page[start + at] !== prefix.charCodeAt(at)) return false;
  return true;
}
