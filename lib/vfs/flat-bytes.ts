/** Bytes that can be written anywhere. Grows by doubling; holes are zero. */

export class FlatBytes {
  #buffer: Buffer;
  #size: number;

  /** Copies the bytes in. */
  constructor(bytes: Buffer) {
    this.#buffer = Buffer.from(bytes);
    this.#size = bytes.length;
  }

  write(offset: number, data: Buffer): void {
    const end = offset + data.length;
    this.#reserve(end);
    if (offset > this.#size) this.#buffer.fill(0, this.#size, offset);
    data.copy(this.#buffer, offset);
    this.#size = Math.max(this.#size, end);
  }

  truncate(size: number): void {
    this.#reserve(size);
    if (size > this.#size) this.#buffer.fill(0, this.#size, size);
    this.#size = size;
  }

  /** A copy: the bytes may change before the answer is read. */
  read(offset: number, length: number): Buffer {
    return Buffer.from(this.#buffer.subarray(Math.min(offset, this.#size), Math.min(offset + length, this.#size)));
  }

  /** A view of everything, valid until the next change. */
  all(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(size, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#size);
    this.#buffer = grown;
  }
}
