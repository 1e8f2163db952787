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
/** Tables of so many slots or more are used again, two of them at most: the collector would have to be told of each. */
const LARGE_SLOTS = 4096;
const SPARE_TABLES = 2;

/** What an index is made of, slot by slot. */
interface Table {
  readonly hashes: Uint32Array<ArrayBuffer>;
  /** One more than the address; 0 in a slot that is free. */
  readonly addresses: Float64Array<ArrayBuffer>;
  /** First bytes of the keys (0 of one that is empty): what kind of key it is, for those who look for all of one kind. */
  readonly kinds: Uint8Array<ArrayBuffer>;
}

/** Of nobody. */
const spare: Table[] = [];

/** An empty table with that many slots, or more. */
function takeTable(slots: number): Table {
  const index = slots < LARGE_SLOTS ? -1 : spare.findIndex(({ hashes }) => hashes.length >= slots);
  const [table] = index < 0 ? [] : spare.splice(index, 1);
  if (table !== undefined) {
    table.addresses.fill(0);
    table.kinds.fill(0);
    return table;
  }
  return { hashes: new Uint32Array(slots), addresses: new Float64Array(slots), kinds: new Uint8Array(slots) };
}

/** FNV-1a, 32 bits. */
const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Hash of the key of an operation. */
function hashAt(page: Buffer, offset: number): number {
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
  #table = takeTable(FIRST_SLOTS);
  #size = 0;

  /** @param find the operation at an address */
  constructor(find: (address: number) => OperationPlace) {
    this.#find = find;
  }

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** The address for a key from now on is that of this operation, which stands at `offset` of `page`. */
  set(page: Buffer, offset: number, address: number): void {
    if (this.#size * 2 >= this.#table.hashes.length) this.#grow();
    const { hashes, addresses, kinds } = this.#table;
    const hash = hashAt(page, offset);
    const mask = hashes.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const known = addresses[slot] ?? 0;
      if (known === 0) {
        hashes[slot] = hash;
        kinds[slot] = kindAt(page, offset);
        this.#size++;
      } else if (hashes[slot] !== hash || !this.#isSameKey(known - 1, page, offset)) {
        continue;
      }
      addresses[slot] = address + 1;
      return;
    }
  }

  /** Undefined when there is no operation on the key. */
  get(key: Key): OperationPlace | undefined {
    const { hashes, addresses } = this.#table;
    const hash = hashOf(key);
    const mask = hashes.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const known = addresses[slot] ?? 0;
      if (known === 0) return undefined;
      if (hashes[slot] !== hash) continue;
      const place = this.#find(known - 1);
      if (isKey(place, key)) return place;
    }
  }

  /** How many there are to ask for with {@link addressAt}. */
  get slots(): number {
    return this.#table.hashes.length;
  }

  /** Address of the last operation on one of the keys; -1 for a slot that is free. */
  addressAt(slot: number): number {
    return (this.#table.addresses[slot] ?? 0) - 1;
  }

  /** Those on keys that begin with the prefix. */
  withPrefix(prefix: Key): OperationPlace[] {
    const found: OperationPlace[] = [];
    const { addresses, kinds } = this.#table;
    const kind = prefix === "" ? null : prefix.charCodeAt(0);
    for (let slot = 0; slot < kinds.length; slot++) {
      if (kind !== null && kinds[slot] !== kind) continue;
      const address = addresses[slot] ?? 0;
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

  /** Empty from now on; its table serves others. */
  free(): void {
    if (this.#table.hashes.length >= LARGE_SLOTS && spare.length < SPARE_TABLES) spare.push(this.#table);
    this.#table = takeTable(FIRST_SLOTS);
    this.#size = 0;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = takeTable(old.hashes.length * 2);
    const { hashes, addresses, kinds } = this.#table;
    const mask = hashes.length - 1;
    for (let from = 0; from < old.hashes.length; from++) {
      const hash = old.hashes[from] ?? 0;
      const address = old.addresses[from] ?? 0;
      if (address === 0) continue;
      let slot = hash & mask;
      while (addresses[slot] !== 0) slot = (slot + 1) & mask;
      hashes[slot] = hash;
      addresses[slot] = address;
      kinds[slot] = old.kinds[from] ?? 0;
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
