/** The system calls the redo log and the value files make on an open file, and for its name; a seam, so that tests can make each of them fail. */
import { fdatasync, ftruncateSync, write, writeSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { promisify } from "node:util";
import { syncDirectory } from "../atomic-file.ts";
import { MemfsError } from "../errors.ts";

export interface Disk {
  /** Writes at `position`; returns the bytes written, fewer than asked when the disk is full. */
  write(fd: number, bytes: Uint8Array, position: number): number;
  /** The same in the thread pool: for so many bytes that the kernel may make the writer wait. */
  writeInPool(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  truncate(fd: number, size: number): void;
  /** In the thread pool: may take as long as the disk does. */
  datasync(fd: number): Promise<void>;
  /** Makes the entries of a directory survive power loss. */
  syncDirectory(path: string): Promise<void>;
}

// fs.writeSync with a position costs ~1.4 µs for 300 bytes; a koffi call is no faster, so nothing native is needed here.
export const systemDisk: Disk = Object.freeze({
  write: (fd: number, bytes: Uint8Array, position: number) => writeSync(fd, bytes, 0, bytes.length, position),
  writeInPool: (fd: number, bytes: Uint8Array, position: number) =>
    new Promise<number>((resolve, reject) => {
      write(fd, bytes, 0, bytes.length, position, (error, written) =>
        error === null ? resolve(written) : reject(error),
      );
    }),
  truncate: (fd: number, size: number) => ftruncateSync(fd, size),
  datasync: promisify(fdatasync),
  syncDirectory,
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

/** Free bytes below which LevelDB is not given anything: it must not meet a full disk, see {@link LevelDb.write}. */
export const RESERVE = 16 * 1024 * 1024;
/** On a small disk the reserve is this part of it. */
const RESERVE_PART = 16;

/** @throws MemfsError `no_space` when writing `bytes` would leave less than `reserve` free */
export async function requireFree(dir: string, { reserve, bytes }: { reserve: number; bytes: number }): Promise<void> {
  const disk = await statfs(dir);
  const free = disk.bavail * disk.bsize;
  const total = disk.blocks * disk.bsize;
  // A filesystem that reports no size at all cannot be asked.
  if (total > 0 && free < bytes + Math.min(reserve, total / RESERVE_PART)) throw fullError(`cannot write to ${dir}`);
}
