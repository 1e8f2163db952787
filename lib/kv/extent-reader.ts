/** Reads extents one after the other, and tells whether they are what was appended, in memory that is used for all of them. */
import { type Extent, fingerprint } from "./extent.ts";
import type { Sealer } from "./kv.ts";
import { LENGTH_SIZE, readFully, valueContext } from "./value-bytes.ts";

export class ExtentReader {
  #bytes: Buffer = Buffer.alloc(0);
  #opened: Buffer = Buffer.alloc(0);

  /**
   * The bytes of an extent, valid until the next call; null unless they are those that were appended. Without a sealer only
   * the beginning of each value is looked at. @throws MemfsError `io`
   */
  read(fd: number, path: string, { extent, sealer }: { extent: Extent; sealer: Sealer | null }): Buffer | null {
    this.#bytes = grown(this.#bytes, extent.end - extent.start);
    const bytes = this.#bytes.subarray(0, extent.end - extent.start);
    if (readFully(fd, path, bytes, extent.start) < bytes.length) return null;
    let found = 0;
    for (let at = 0; at < bytes.length;) {
      const from = at + LENGTH_SIZE;
      const end = from > bytes.length ? 0 : from + bytes.readUInt32BE(at);
      if (end <= from || end > bytes.length) return null;
      const sealed = bytes.subarray(from, end);
      found = fingerprint(found, sealed);
      if (sealer !== null && !this.#opens(sealer, valueContext(extent.file, extent.start + from), sealed)) return null;
      at = end;
    }
    return found === extent.fingerprint ? bytes : null;
  }

  #opens(sealer: Sealer, context: Buffer, sealed: Buffer): boolean {
    const size = sealer.openedSize(sealed.length);
    this.#opened = grown(this.#opened, size);
    try {
      sealer.openTo(context, sealed, this.#opened.subarray(0, size));
      return true;
    } catch {
      return false;
    }
  }
}

function grown(memory: Buffer, size: number): Buffer {
  return memory.length >= size ? memory : Buffer.allocUnsafeSlow(size);
}
