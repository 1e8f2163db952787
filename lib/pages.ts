/**
 * Copies of many small pieces of bytes, one behind the other in few large buffers, addressed by number. A Buffer for
 * each would cost the collector as much as the bytes, and it would have to be told of every page that is dropped: the
 * memory of pages counts when it decides when to collect. So pages are used again.
 */

const PAGE_BYTES = 256 * 1024;
/** What is this large gets a buffer of its own, which is not used again. */
const LARGE_BYTES = PAGE_BYTES / 8;
/** Pages that are kept for the next ones who need some. */
const SPARE_PAGES = 32;

/** Of nobody. */
const spare: Buffer[] = [];

export class Pages {
  readonly #pages: Buffer[] = [];
  /** Address of the first byte of each page. */
  readonly #starts: number[] = [];
  /** Bytes in use of the page that is being filled, and which that is. */
  #used = 0;
  #filling = -1;
  #end = 0;

  /** Copies the bytes in; returns the address of the first one. */
  add(bytes: Uint8Array): number {
    if (bytes.length >= LARGE_BYTES) return this.#addLarge(bytes);
    let page = this.#pages[this.#filling];
    if (page === undefined || this.#used + bytes.length > PAGE_BYTES) {
      page = spare.pop() ?? Buffer.allocUnsafeSlow(PAGE_BYTES);
      this.#filling = this.#append(page);
      this.#used = 0;
    }
    page.set(bytes, this.#used);
    this.#used += bytes.length;
    return (this.#starts[this.#filling] ?? 0) + this.#used - bytes.length;
  }

  #addLarge(bytes: Uint8Array): number {
    const page = Buffer.allocUnsafeSlow(bytes.length);
    page.set(bytes);
    return this.#starts[this.#append(page)] ?? 0;
  }

  /** Returns the index of the page. */
  #append(page: Buffer): number {
    this.#starts.push(this.#end);
    this.#end += page.length;
    return this.#pages.push(page) - 1;
  }

  /** The page that an address is in, and the offset in it: valid until {@link free}. */
  find(address: number): { readonly page: Buffer; readonly offset: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#starts[middle] ?? 0) <= address) low = middle;
      else high = middle - 1;
    }
    const page = this.#pages[low];
    const offset = address - (this.#starts[low] ?? 0);
    if (page === undefined || offset >= page.length) throw new RangeError(`no bytes at address ${address}`);
    return { page, offset };
  }

  /** Nothing in here is used any more. */
  free(): void {
    for (const page of this.#pages) if (page.length === PAGE_BYTES && spare.length < SPARE_PAGES) spare.push(page);
    this.#pages.length = 0;
    this.#starts.length = 0;
    this.#filling = -1;
  }
}
