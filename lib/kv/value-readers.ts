/** Value files open for reading: few of them, however many there are. */
import { closeSync, openSync } from "node:fs";
import { MemfsError } from "../errors.ts";
import { diskError } from "./disk.ts";
import { hasValueHeader, valueFilePath, type ValueFileId } from "./value-file.ts";

/** Files kept open. */
const KEPT = 16;

export class ValueReaders {
  readonly #dir: string;
  /** Descriptors by path, the one used last at the end. */
  readonly #open = new Map<string, ValueFileId & { readonly fd: number }>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** A descriptor of the file, valid until the next call. @throws MemfsError `damaged`, `format_newer`, `io` */
  get(id: ValueFileId): { readonly fd: number; readonly path: string } {
    const path = valueFilePath(this.#dir, id);
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return { fd: known.fd, path };
    }
    const fd = openFile(path, id);
    this.#open.set(path, { space: id.space, number: id.number, fd });
    for (const [oldest, { fd: oldestFd }] of this.#open) {
      if (this.#open.size <= KEPT) break;
      closeSync(oldestFd);
      this.#open.delete(oldest);
    }
    return { fd, path };
  }

  /** Closes the files of a space, or all. */
  close(space?: number): void {
    for (const [path, file] of this.#open) {
      if (space !== undefined && file.space !== space) continue;
      closeSync(file.fd);
      this.#open.delete(path);
    }
  }
}

function openFile(path: string, id: ValueFileId): number {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw damagedValues(path, "is missing");
    }
    throw diskError(`cannot open value file ${path}`, error);
  }
  try {
    if (hasValueHeader(fd, path, id)) return fd;
    throw damagedValues(path, "has a bad header");
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** `damaged`, with the place and the way out. */
export function damagedValues(path: string, what: string, cause?: unknown): MemfsError {
  return new MemfsError("damaged", `value file ${path} ${what}; restore it or the home from a backup`, {
    cause,
    detail: { file: path },
  });
}
