/** Reads and writes the binary fields of records: varints, bytes, text. Nothing here knows a record. */

import { MemfsError } from "../../errors.ts";

const INITIAL_BYTES = 256;
/** What an integer is cut into, so that integer operations do, which are many times faster: four times seven bits. */
const LOW_BITS = 2 ** 28;
/** Strings up to this length are written faster by a loop than by a call into native code. */
const SHORT = 64;
/** Views up to this length are kept. */
const MOST_VIEWS = 512;

/** Appends fields to a buffer that is reused: {@link take} copies the result out. One record at a time. */
export class Writer {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #length = 0;
  /** Views of the buffer by their length, made once: records of a kind are mostly as long as each other. */
  #views: Buffer[] = [];

  reset(): this {
    this.#length = 0;
    return this;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
    return this;
  }

  /**
   * An integer from 0 to 2^53 − 1, seven bits a byte, low bits first.
   * @throws MemfsError `internal` for any other: what cannot be read again must not be written
   */
  varint(value: number): this {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) {
      throw new MemfsError("internal", `${value} cannot be stored as an integer`);
    }
    this.#reserve(8);
    if (value < LOW_BITS) return this.#bits(value);
    const high = Math.floor(value / LOW_BITS);
    let low = value - high * LOW_BITS;
    for (let byte = 0; byte < 4; byte++) {
      this.#buffer[this.#length++] = (low & 127) | 128;
      low >>>= 7;
    }
    return this.#bits(high);
  }

  /** At most 28 bits, in the room that was reserved. */
  #bits(value: number): this {
    let bits = value;
    while (bits >= 128) {
      this.#buffer[this.#length++] = (bits & 127) | 128;
      bits >>>= 7;
    }
    this.#buffer[this.#length++] = bits;
    return this;
  }

  /** A signed integer, zigzag: times before 1970 exist. */
  signed(value: number): this {
    return this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Bytes of known length. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A latin1 string (bytes) of known length: an id or a digest. */
  fixed(bytes: string): this {
    const { length } = bytes;
    this.#reserve(length);
    if (length > SHORT) this.#buffer.write(bytes, this.#length, "latin1");
    else for (let index = 0; index < length; index++) this.#buffer[this.#length + index] = bytes.charCodeAt(index);
    this.#length += length;
    return this;
  }

  /** A latin1 string of known length that may be absent. */
  optional(bytes: string | null): this {
    return bytes === null ? this.u8(0) : this.u8(1).fixed(bytes);
  }

  /** Bytes of any length, as a latin1 string. */
  bytes(bytes: string): this {
    return this.varint(bytes.length).fixed(bytes);
  }

  text(text: string): this {
    const before = this.#length;
    if (text.length <= SHORT && this.varint(text.length).#ascii(text)) return this;
    this.#length = before;
    const length = Buffer.byteLength(text);
    this.varint(length);
    this.#reserve(length);
    this.#length += this.#buffer.write(text, this.#length, "utf8");
    return this;
  }

  /** False when it is not ASCII, whose bytes are its characters. */
  #ascii(text: string): boolean {
    this.#reserve(text.length);
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 127) return false;
      this.#buffer[this.#length++] = code;
    }
    return true;
  }

  /** What was written: a view, valid until the next write. */
  view(): Buffer {
    if (this.#length > MOST_VIEWS) return this.#buffer.subarray(0, this.#length);
    return (this.#views[this.#length] ??= this.#buffer.subarray(0, this.#length));
  }

  /** A copy of what was written. */
  take(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#views = [];
  }
}

/** Reads fields in the order they were written. Every read throws `damaged` past the end. */
export class Reader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get ended(): boolean {
    return this.#at === this.#buffer.length;
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] ?? 0;
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#advance(4));
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 53; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new MemfsError("damaged", "a stored record holds a number out of range");
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    const start = this.#advance(length);
    return this.#buffer.subarray(start, start + length);
  }

  fixed(length: number): string {
    const start = this.#advance(length);
    return this.#buffer.toString("latin1", start, start + length);
  }

  optional(length: number): string | null {
    return this.u8() === 0 ? null : this.fixed(length);
  }

  bytes(): string {
    return this.fixed(this.varint());
  }

  text(): string {
    return this.raw(this.varint()).toString("utf8");
  }

  /** The bytes read so far: what a digest is taken over. */
  consumed(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  #advance(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#buffer.length) throw new MemfsError("damaged", "a stored record ends too early");
    this.#at = start + bytes;
    return start;
  }
}
