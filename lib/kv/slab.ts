/**
 * Copies of many small values in few large buffers. A small Buffer kept for long pins the 8 KiB pool it was cut from,
 * together with whatever short-lived bytes share that pool: kept values would hold several times their size.
 */

const SLAB_BYTES = 256 * 1024;
/** A value this large gets a buffer of its own. */
const LARGE_BYTES = SLAB_BYTES / 8;

const EMPTY = Buffer.alloc(0);

export class Slab {
  #current = EMPTY;
  #used = 0;

  /** A copy that lives as long as anything kept near it. */
  keep(value: Uint8Array): Buffer {
    if (value.length === 0) return EMPTY;
    if (value.length >= LARGE_BYTES) return own(value);
    if (this.#used + value.length > this.#current.length) {
      this.#current = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const copy = this.#current.subarray(this.#used, this.#used + value.length);
    copy.set(value);
    this.#used += value.length;
    return copy;
  }
}

function own(value: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length);
  copy.set(value);
  return copy;
}
