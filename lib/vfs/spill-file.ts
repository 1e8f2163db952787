/**
 * Blocks of drafts that do not fit in memory. The file is unlinked as soon as it is open and its key is never stored:
 * whatever ends the daemon, nothing of it can be found or read afterwards. Reads and writes are synchronous; they go to
 * the page cache.
 */

import { randomBytes } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { MemfsError } from "../errors.ts";
import { AesSealer } from "../store/crypto/seal.ts";

/** Bytes of a block. */
export const BLOCK = 64 * 1024;
/** What sealing adds to a block, at most. */
const SEAL_BYTES = 32;
const SLOT_BYTES = BLOCK + SEAL_BYTES;
/** In front of the sealed block: its length. */
const LENGTH_BYTES = 4;

/** The system calls that a test can make fail. */
export interface SpillDisk {
  write(fd: number, bytes: Uint8Array, position: number): number;
}

const DISK: SpillDisk = Object.freeze({
  write: (fd: number, bytes: Uint8Array, position: number) => writeSync(fd, bytes, 0, bytes.length, position),
});

export class SpillFile {
  readonly #directory: string;
  readonly #disk: SpillDisk;
  readonly #sealer = new AesSealer(randomBytes(32));
  readonly #free: number[] = [];
  #fd = -1;
  #slots = 0;

  /** Nothing is opened before the first block comes. */
  constructor(directory: string, disk: SpillDisk = DISK) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** Blocks that are held. */
  get used(): number {
    return this.#slots - this.#free.length;
  }

  /**
   * Keeps a block (at most {@link BLOCK} bytes) in a slot: the one given, or a free one. Returns the slot.
   * @throws MemfsError `no_space`, `io`; the slot then holds nothing of use
   */
  write(slot: number | null, bytes: Buffer): number {
    const at = slot ?? this.#take();
    try {
      this.#write(at, bytes);
      return at;
    } catch (error) {
      if (slot === null) this.release(at);
      throw error;
    }
  }

  /** @throws MemfsError `io`, `damaged` */
  read(slot: number): Buffer {
    const stored = Buffer.allocUnsafe(LENGTH_BYTES + SLOT_BYTES);
    let got: number;
    try {
      got = readSync(this.#fd, stored, 0, stored.length, slot * (LENGTH_BYTES + SLOT_BYTES));
    } catch (cause) {
      throw spillError(cause);
    }
    const end = got < LENGTH_BYTES ? 0 : LENGTH_BYTES + stored.readUInt32BE(0);
    if (end === 0 || end > got) throw new MemfsError("damaged", "a block of an open file was cut on disk");
    return this.#sealer.open(contextOf(slot), stored.subarray(LENGTH_BYTES, end));
  }

  /** The slot is free. With the last one the space on disk goes, too. */
  release(slot: number): void {
    this.#free.push(slot);
    if (this.#free.length < this.#slots) return;
    this.#free.length = 0;
    this.#slots = 0;
    if (this.#fd >= 0) ftruncateSync(this.#fd, 0);
  }

  /** Idempotent. What is held is gone. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #take(): number {
    return this.#free.pop() ?? this.#slots++;
  }

  #write(slot: number, bytes: Buffer): void {
    const sealed = this.#sealer.seal(contextOf(slot), bytes);
    const stored = Buffer.allocUnsafe(LENGTH_BYTES + sealed.length);
    stored.writeUInt32BE(sealed.length, 0);
    sealed.copy(stored, LENGTH_BYTES);
    let written: number;
    try {
      if (this.#fd < 0) this.#fd = this.#open();
      written = this.#disk.write(this.#fd, stored, slot * (LENGTH_BYTES + SLOT_BYTES));
    } catch (cause) {
      throw spillError(cause);
    }
    if (written !== stored.length) throw spillError(Object.assign(new Error("short write"), { code: "ENOSPC" }));
  }

  #open(): number {
    const path = join(this.#directory, `spill-${process.pid}-${randomBytes(6).toString("hex")}`);
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    return fd;
  }
}

function contextOf(slot: number): Buffer {
  const context = Buffer.allocUnsafe(4);
  context.writeUInt32BE(slot, 0);
  return context;
}

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

function spillError(cause: unknown): MemfsError {
  const code = String((cause as NodeJS.ErrnoException).code ?? cause);
  if (!FULL.has(code)) return new MemfsError("io", `an open file cannot be kept on disk: ${code}`, { cause });
  return new MemfsError("no_space", "no space left for an open file; free some space on the disk", { cause });
}
