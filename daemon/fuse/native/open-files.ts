/** Open files by the number that libfuse is given for them. */

import { MemfsError } from "../../../lib/errors.ts";
import type { HandleRef, LockOwner, NodeRef, OpenedHandle } from "../../../lib/vfs/filesystem.ts";

const O_ACCMODE = 3;
/** The addon passes a signed 32-bit number, and 0 means that there is none. */
const MAX_FD = 0x7fff_ffff;

export interface OpenFile {
  readonly node: NodeRef;
  readonly handle: HandleRef;
  /** May be written. */
  readonly writable: boolean;
  /** Holds a lookup of the node. */
  readonly counted: boolean;
  /** Lock owner of the first write or flush, which as a rule is the opener's: the addon does not tell who opened. */
  opener: LockOwner | null;
}

export class OpenFiles {
  readonly #files = new Map<number, OpenFile>();
  #last = 0;

  /** Returns the number. */
  add({
    node,
    opened,
    flags,
    counted,
  }: {
    node: NodeRef;
    opened: OpenedHandle;
    flags: number;
    counted: boolean;
  }): number {
    do this.#last = this.#last === MAX_FD ? 1 : this.#last + 1;
    while (this.#files.has(this.#last));
    const handle = { fhHigh: opened.fhHigh, fhLow: opened.fhLow };
    this.#files.set(this.#last, { node, handle, writable: (flags & O_ACCMODE) !== 0, counted, opener: null });
    return this.#last;
  }

  /** @throws MemfsError `bad_handle` */
  get(fd: number): OpenFile {
    const file = this.#files.get(fd);
    if (file === undefined) throw new MemfsError("bad_handle", "the handle is not open");
    return file;
  }

  remove(fd: number): void {
    this.#files.delete(fd);
  }
}
