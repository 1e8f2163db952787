/**
 * A map of whole numbers for entries that come and go within microseconds. A `Map` that becomes empty, or is used up by what
 * was deleted, gets a new table each time, and once it is old, each is garbage that only a full collection finds. Here it is
 * the listing that costs something.
 */

/** Room at first; doubled when half of it is used, and halved when hardly any is: listing goes through all of it. */
const FIRST_SLOTS = 64;
const LEAST_USED = 1 / 16;
const FREE = -1;

export class NumberMap<V extends object> {
  /** A hash table with linear probing: {@link FREE}, or the key. */
  #keys = new Float64Array(FIRST_SLOTS).fill(FREE);
  #values: (V | undefined)[] = new Array<V | undefined>(FIRST_SLOTS).fill(undefined);
  /** By slot: how many were set before. */
  #ages = new Float64Array(FIRST_SLOTS);
  #set = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): V | undefined {
    return this.#values[this.#slotOf(key)];
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  /** @param key from 0 to 2^53 − 1 */
  set(key: number, value: V): void {
    if (!Number.isSafeInteger(key) || key < 0) throw new RangeError(`${key} is no whole number`);
    let slot = this.#slotOf(key);
    if (this.#keys[slot] === FREE) {
      if (2 * (this.#size + 1) > this.#keys.length) {
        this.#resize(2 * this.#keys.length);
        slot = this.#slotOf(key);
      }
      this.#keys[slot] = key;
      this.#ages[slot] = this.#set++;
      this.#size++;
    }
    this.#values[slot] = value;
  }

  /** False when there was none. */
  delete(key: number): boolean {
    let hole = this.#slotOf(key);
    const keys = this.#keys;
    if (keys[hole] === FREE) return false;
    const mask = keys.length - 1;
    this.#size--;
    // What was put behind it because it was in the way moves up, so that it is still found.
    for (let slot = (hole + 1) & mask; keys[slot] !== FREE; slot = (slot + 1) & mask) {
      const wanted = first(keys[slot] ?? FREE, mask);
      if (((slot - wanted) & mask) < ((slot - hole) & mask)) continue;
      keys[hole] = keys[slot] ?? FREE;
      this.#values[hole] = this.#values[slot];
      this.#ages[hole] = this.#ages[slot] ?? 0;
      hole = slot;
    }
    keys[hole] = FREE;
    this.#values[hole] = undefined;
    if (keys.length > FIRST_SLOTS && this.#size < LEAST_USED * keys.length) this.#resize(keys.length / 2);
    return true;
  }

  /** Those there are, in the order in which their keys came. */
  values(): V[] {
    return this.#slots().map((slot) => this.#values[slot] as V);
  }

  /** As {@link values}. */
  keys(): number[] {
    return this.#slots().map((slot) => this.#keys[slot] ?? FREE);
  }

  /** True when one of them is what is asked for. */
  some(asked: (value: V) => boolean): boolean {
    if (this.#size === 0) return false;
    for (const value of this.#values) if (value !== undefined && asked(value)) return true;
    return false;
  }

  #slots(): number[] {
    const used: number[] = [];
    for (const [slot, key] of this.#keys.entries()) if (key !== FREE) used.push(slot);
    return used.sort((a, b) => (this.#ages[a] ?? 0) - (this.#ages[b] ?? 0));
  }

  /** Where the key is, or the free slot where it would be. */
  #slotOf(key: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let slot = first(key, mask); ; slot = (slot + 1) & mask) {
      const found = keys[slot];
      if (found === key || found === FREE) return slot;
    }
  }

  #resize(slots: number): void {
    const [keys, values, ages] = [this.#keys, this.#values, this.#ages];
    this.#keys = new Float64Array(slots).fill(FREE);
    this.#values = new Array<V | undefined>(slots).fill(undefined);
    this.#ages = new Float64Array(slots);
    for (const [old, key] of keys.entries()) {
      if (key === FREE) continue;
      const slot = this.#slotOf(key);
      this.#keys[slot] = key;
      this.#values[slot] = values[old];
      this.#ages[slot] = ages[old] ?? 0;
    }
  }
}

/** Numbers that are given one after the other stand one after the other. */
function first(key: number, mask: number): number {
  return (key % 2 ** 31) & mask;
}
