/** Some changes on their way to LevelDB, as numbers: an object for each would outlive the next collections. */
import { DELETE, keyBytesAt, operationAt } from "./batch.ts";
import type { OperationPlace } from "./key-index.ts";

/** LevelDB has it already. */
const DROPPED = Symbol("dropped");

export class Piece {
  readonly #find: (address: number) => OperationPlace;
  readonly #spaces: Uint32Array;
  readonly #addresses: Float64Array;
  /** By change: what goes to LevelDB in the place of its own value. */
  readonly #instead: (Buffer | typeof DROPPED | null)[] = [];
  #size = 0;
  #bytes = 0;

  /** @param find the operation at an address */
  constructor(most: number, find: (address: number) => OperationPlace) {
    this.#find = find;
    this.#spaces = new Uint32Array(most);
    this.#addresses = new Float64Array(most);
  }

  /** Number of changes. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size === this.#spaces.length;
  }

  /** Bytes of all their values. */
  get bytes(): number {
    return this.#bytes;
  }

  clear(): void {
    this.#size = 0;
    this.#bytes = 0;
    this.#instead.length = 0;
  }

  /** @throws RangeError when it is full */
  add(space: number, address: number): void {
    if (this.isFull) throw new RangeError(`no more than ${this.#size} changes at a time`);
    this.#spaces[this.#size] = space;
    this.#addresses[this.#size] = address;
    this.#instead.push(null);
    this.#size++;
    const { page, offset } = this.#find(address);
    this.#bytes += valueSizeAt(page, offset);
  }

  spaceOf(change: number): number {
    return this.#spaces[change] ?? 0;
  }

  /** Where its operation is, with the key. */
  placeOf(change: number): OperationPlace {
    return this.#find(this.#addresses[change] ?? 0);
  }

  keyOf(change: number): Buffer {
    const { page, offset } = this.placeOf(change);
    return keyBytesAt(page, offset);
  }

  /** Bytes of its own value; 0 when it deletes. */
  valueSizeOf(change: number): number {
    const { page, offset } = this.placeOf(change);
    return valueSizeAt(page, offset);
  }

  /** What LevelDB is given; null: deletes. A view. */
  valueOf(change: number): Buffer | null {
    const instead = this.#instead[change] ?? null;
    if (instead !== null && instead !== DROPPED) return instead;
    const { page, offset } = this.placeOf(change);
    return operationAt(page, offset);
  }

  /** This value goes to LevelDB instead of its own. */
  replace(change: number, value: Buffer): void {
    this.#instead[change] = value;
  }

  /** It does not go to LevelDB. */
  drop(change: number): void {
    this.#instead[change] = DROPPED;
  }

  isDropped(change: number): boolean {
    return this.#instead[change] === DROPPED;
  }
}

function valueSizeAt(page: Buffer, offset: number): number {
  const size = page.readUInt32BE(offset + 4);
  return size === DELETE ? 0 : size;
}
