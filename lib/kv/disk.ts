/** The system calls the redo log makes on an open file; a seam, so that tests can make each of them fail. */
import { fdatasync, ftruncateSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { MemfsError } from "../errors.ts";

export interface Disk {
  /** Writes at `position`; returns the bytes written, fewer than asked when the disk is full. */
  write(fd: number, bytes: Uint8Array, position: number): number;
  truncate(fd: number, size: number): void;
  /** In the thread pool: may take as long as the disk does. */
  datasync(fd: number): Promise<void>;
}

// fs.writeSync with a position costs ~1.4 µs for 300 bytes; a koffi call is no faster, so nothing native is needed here.
export const systemDisk: Disk = Object.freeze({
  write: (fd: number, bytes: Uint8Array, position: number) => writeSync(fd, bytes, 0, bytes.length, position),
  truncate: (fd: number, size: number) => ftruncateSync(fd, size),
  datasync: promisify(fdatasync),
});

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** `no_space` when the system says the disk, quota or file size limit is reached, else `io`. */
export function diskError(what: string, cause: unknown): MemfsError {
  const errno = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
  return FULL.has(errno)
    ? fullError(what, cause)
    : new MemfsError("io", `${what}: ${errno}; check the disk`, { cause });
}

export function fullError(what: string, cause?: unknown): MemfsError {
  return new MemfsError("no_space", `${what}: no space left; free some space on the disk`, { cause });
}
