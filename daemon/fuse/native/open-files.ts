/** Open files by the number that libfuse is given for them. */

import { MemfsError } from "../../../lib/errors.ts";
import type { HandleRef, LockOwner, NodeRef, OpenedHandle } from "../../../lib/vfs/filesystem.ts";

const O_ACCMODE = 3;
/** The addon passes a signed 32-bit number, and 0 means that there is none. */
const MAX_FD = 0x7fff_ffff;

export interface OpenFile {
  readonly node: NodeRef;
  /** The path that libfuse has for it, whatever other mounts did. */
  path: string;
  readonly handle: HandleRef;
  /** May be written. */
  readonly writable: boolean;
  /** Holds a lookup of the node. */
  readonly counted: boolean;
  /** Lock owner of the first write or flush, which as a rule is the opener's: the addon does not tell who opened. */
  opener: LockOwner | null;
}

/** A file that was just opened. */
export interface Opened extends Pick<OpenFile, "node" | "path" | "counted"> {
  readonly opened: OpenedHandle;
  readonly flags: number;
}

export class OpenFiles {
  readonly #files = new Map<number, OpenFile>();
  #last = 0;

  /** Returns the number. */
  add({ node, path, opened, flags, counted }: Opened): number {
    do this.#last = this.#last === MAX_FD ? 1 : this.#last + 1;
    while (this.#files.has(this.#last));
    const handle = { fhHigh: opened.fhHigh, fhLow: opened.fhLow };
    this.#files.set(this.#last, { node, path, handle, writable: (flags & O_ACCMODE) !== 0, counted, opener: null });
    return this.#last;
  }

  /** libfuse has renamed a file or directory. */
  renamed(from: string, to: string): void {
    for (const file of this.#files.values()) {
      if (file.path === from) file.path = to;
      else if (file.path.startsWith(`${from}/`)) file.path = to + file.path.slice(from.length);
    }
  }

  /**
   * A directory is about to lose its name. libfuse would have no path any more for the open files below it, and the
   * addon, when libfuse has none, hands over what happens to be on its stack.
   * @throws MemfsError `busy` when there are open files
   */
  refuseBelow(directory: string): void {
    for (const { path } of this.#files.values()) {
      if (path.startsWith(`${directory}/`)) throw new MemfsError("busy", "files below the directory are open");
    }
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
