/** How much content an answer in JSON may hold: it is built in memory, several times over. */

import { JSON_CONTENT_BYTES } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";

/** The contents of one answer. */
export class JsonContents {
  #left = JSON_CONTENT_BYTES;

  /** Reads one more content of `size` bytes. @throws MemfsError `too_large` when they are too many together, and what `read` throws */
  take(size: number, read: () => Buffer): Buffer {
    if (size > JSON_CONTENT_BYTES)
      throw new MemfsError(
        "too_large",
        `the content has ${size} bytes, and JSON holds at most ${JSON_CONTENT_BYTES}; use view=basic, and for the ` +
          "bytes /files/PATH or memfs cat",
      );
    if (size > this.#left)
      throw new MemfsError(
        "too_large",
        `the contents of this page have more than ${JSON_CONTENT_BYTES} bytes; use a smaller limit, or view=basic`,
      );
    this.#left -= size;
    return read();
  }
}
