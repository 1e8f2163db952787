/**
 * Views of one memory that is used again and again. A Buffer object is over a hundred bytes of garbage, so that of each length
 * is made once.
 */

/** Of longer ones none is kept: there are few, and many lengths. */
const LONGEST_KEPT = 2048;

export class Views {
  readonly bytes: Buffer;
  readonly #kept = new Array<Buffer | null>(LONGEST_KEPT + 1).fill(null);

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The first bytes, which may be asked for again before they are read. @throws RangeError when there are not so many */
  first(length: number): Buffer {
    const kept = this.#kept[length] ?? null;
    if (kept !== null) return kept;
    if (length > this.bytes.length) throw new RangeError(`${length} bytes of ${this.bytes.length}`);
    const view = this.bytes.subarray(0, length);
    if (length <= LONGEST_KEPT) this.#kept[length] = view;
    return view;
  }
}
