/** An atomic set of writes, held as the bytes that the redo log records: built once, sealed and kept as they are. */

/** Bytes, one per char code (a latin1 string), so that keys concatenate, compare and hash at string speed. */
export type Key = string;

/** An operation is u32 key length, u32 value length (all ones: delete), key, value. All integers are big-endian. */
export const OPERATION_HEADER_SIZE = 8;
export const DELETE = 0xffff_ffff;

const SCRATCH_BYTES = 256 * 1024;
const DELETED = -1;
const EMPTY = Buffer.alloc(0);

/** For the batch that is built next. Transactions do not overlap, so one is enough; a batch that is lost takes it along. */
let scratch: Buffer = EMPTY;

function takeScratch(): Buffer {
  const taken = scratch;
  scratch = EMPTY;
  return taken.length === 0 ? Buffer.allocUnsafeSlow(SCRATCH_BYTES) : taken;
}

/** The value of the operation that begins at `offset`, a view of the bytes; null when it deletes. */
export function operationAt(bytes: Buffer, offset: number): Buffer | null {
  const size = bytes.readUInt32BE(offset + 4);
  if (size === DELETE) return null;
  const start = offset + OPERATION_HEADER_SIZE + bytes.readUInt32BE(offset);
  return size === 0 ? EMPTY : bytes.subarray(start, start + size);
}

/** The key of the operation that begins at `offset`. */
export function keyAt(bytes: Buffer, offset: number): Key {
  const start = offset + OPERATION_HEADER_SIZE;
  return bytes.toString("latin1", start, start + bytes.readUInt32BE(offset));
}

/** The same as a view of the bytes. */
export function keyBytesAt(bytes: Buffer, offset: number): Buffer {
  const start = offset + OPERATION_HEADER_SIZE;
  return bytes.subarray(start, start + bytes.readUInt32BE(offset));
}

/** Later writes to a key count. Values are copied in. */
export class Batch {
  readonly keys: Key[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #buffer: Buffer = EMPTY;
  #length = 0;

  /** A batch of what is iterated; null deletes. */
  static from(changes: Iterable<readonly [Key, Uint8Array | null]>): Batch {
    const batch = new Batch();
    for (const [key, value] of changes) batch.put(key, value);
    return batch;
  }

  /** Number of operations. */
  get size(): number {
    return this.keys.length;
  }

  /** All operations: a view, valid until the next change. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Null deletes. */
  put(key: Key, value: Uint8Array | null): void {
    if (this.#buffer.length === 0) this.#buffer = takeScratch();
    const size = value === null ? 0 : value.length;
    this.#reserve(OPERATION_HEADER_SIZE + key.length + size);
    const buffer = this.#buffer;
    let at = buffer.writeUInt32BE(key.length, this.#length);
    at = buffer.writeUInt32BE(value === null ? DELETE : size, at);
    // A loop: for so few bytes the call into native code would take longer.
    for (let index = 0; index < key.length; index++) buffer[at++] = key.charCodeAt(index);
    if (size > 0 && value !== null) buffer.set(value, at);
    this.#length = at + size;
    this.keys.push(key);
    this.#starts.push(at);
    this.#ends.push(value === null ? DELETED : at + size);
  }

  /** Where an operation begins in {@link bytes}. */
  offsetOf(operation: number): number {
    return (this.#starts[operation] ?? 0) - (this.keys[operation] ?? "").length - OPERATION_HEADER_SIZE;
  }

  #valueOf(operation: number): Buffer | null {
    const start = this.#starts[operation] ?? 0;
    const end = this.#ends[operation] ?? 0;
    if (end === DELETED) return null;
    return start === end ? EMPTY : this.#buffer.subarray(start, end);
  }

  /** Undefined: no operation names the key; null: the last one deletes it. */
  get(key: Key): Buffer | null | undefined {
    const operation = this.keys.lastIndexOf(key);
    return operation < 0 ? undefined : this.#valueOf(operation);
  }

  /** The operations of another batch come behind those of this one. */
  append(other: Batch): void {
    const { bytes } = other;
    const shift = this.#length;
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, shift);
    this.#length += bytes.length;
    for (let operation = 0; operation < other.keys.length; operation++) {
      const end = other.#ends[operation] ?? 0;
      this.keys.push(other.keys[operation] ?? "");
      this.#starts.push((other.#starts[operation] ?? 0) + shift);
      this.#ends.push(end === DELETED ? DELETED : end + shift);
    }
  }

  /** Takes back all but the first operations. */
  truncate(operations: number): void {
    const last = operations - 1;
    this.keys.length = operations;
    this.#starts.length = operations;
    this.#ends.length = operations;
    const end = this.#ends[last] ?? 0;
    this.#length = end === DELETED ? (this.#starts[last] ?? 0) : end;
  }

  *[Symbol.iterator](): Generator<readonly [Key, Buffer | null]> {
    for (let index = 0; index < this.keys.length; index++) {
      yield [this.keys[index] ?? "", this.#valueOf(index)];
    }
  }

  /** The batch is not used any more: its buffer serves the next one. */
  done(): void {
    if (this.#buffer.length === SCRATCH_BYTES) scratch = this.#buffer;
    this.#buffer = EMPTY;
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
