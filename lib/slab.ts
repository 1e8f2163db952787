/**
 * Copies of many small batches in few large buffers. A small Buffer kept for long pins the 8 KiB pool it was cut from,
 * together with whatever short-lived bytes share that pool: what is kept would hold several times its size.
 */

const SLAB_BYTES = 256 * 1024;
/** What is this large gets a buffer of its own. */
const LARGE_BYTES = SLAB_BYTES / 8;

const EMPTY = Buffer.alloc(0);

export class Slab {
  #current = EMPTY;
  #used = 0;

  /** A copy that lives as long as anything kept near it. */
  keep(bytes: Uint8Array): Buffer {
    if (bytes.length === 0) return EMPTY;
    if (bytes.length >= LARGE_BYTES) return own(bytes);
    if (this.#used + bytes.length > this.#current.length) {
      this.#current = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const copy = this.#current.subarray(this.#used, this.#used + bytes.length);
    copy.set(bytes);
    this.#used += bytes.length;
    return copy;
  }
}

function own(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
