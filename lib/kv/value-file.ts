/**
 * One value file, `NNNNNNNN.data`: a header, then values, each u32 length and as many sealed bytes. What refers to a value
 * says where it is. Between values there may be bytes of an append that nobody was told of.
 *
 * ```
 *  0 8 bytes "memfsval"   16 u32 number of the file
 *  8 u32 format version   20 u32 CRC-32 of bytes 0 to 19
 * 12 u32 space
 * ```
 */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { MemfsError } from "../errors.ts";
import { type Disk, diskError, fullError } from "./disk.ts";
import type { Extent } from "./extent.ts";
import { ExtentReader } from "./extent-reader.ts";
import type { Sealer } from "./kv.ts";
import { readFully, VALUE_MAGIC } from "./value-bytes.ts";

export const VALUE_HEADER_SIZE = 24;
/** Version of the header, and of how values are laid out. */
const FILE_FORMAT = 1;
const AT_FORMAT = 8;
const AT_SPACE = 12;
const AT_NUMBER = 16;
const AT_CRC = 20;

/** Which value file of which space. */
export interface ValueFileId {
  readonly space: number;
  readonly number: number;
}

/** The space's directory, named like its key file. */
export function valuesPath(dir: string, space: number): string {
  return join(dir, space.toString(16).padStart(8, "0"));
}

export function valueFilePath(dir: string, { space, number }: ValueFileId): string {
  return join(valuesPath(dir, space), `${String(number).padStart(8, "0")}.data`);
}

/** The number in a value file's name, or null for another name. */
export function valueFileNumber(name: string): number | null {
  return /^\d{8,}\.data$/.test(name) ? Number(name.slice(0, -".data".length)) : null;
}

export function encodeValueHeader({ space, number }: ValueFileId): Buffer {
  const header = Buffer.alloc(VALUE_HEADER_SIZE);
  header.set(VALUE_MAGIC);
  header.writeUInt32BE(FILE_FORMAT, AT_FORMAT);
  header.writeUInt32BE(space, AT_SPACE);
  header.writeUInt32BE(number, AT_NUMBER);
  header.writeUInt32BE(crc32(header.subarray(0, AT_CRC)), AT_CRC);
  return header;
}

/** False: the file is not this one, or its header never reached the disk. @throws MemfsError `format_newer`, `io` */
export function hasValueHeader(fd: number, path: string, id: ValueFileId): boolean {
  const header = Buffer.alloc(VALUE_HEADER_SIZE);
  if (readFully(fd, path, header, 0) < VALUE_HEADER_SIZE) return false;
  if (header.readUInt32BE(AT_CRC) !== crc32(header.subarray(0, AT_CRC))) return false;
  const format = header.readUInt32BE(AT_FORMAT);
  if (header.subarray(0, VALUE_MAGIC.length).equals(VALUE_MAGIC) && format > FILE_FORMAT) {
    throw new MemfsError(
      "format_newer",
      `value file ${path} has format ${format}, this memfs knows ${FILE_FORMAT}; use a newer memfs`,
    );
  }
  return header.equals(encodeValueHeader(id));
}

interface Unsynced {
  readonly extent: Extent;
  readonly sealer: Sealer | null;
}

/** A value file that is appended to, or whose newest values do not survive power loss yet. One writer. */
export class ValueFile implements ValueFileId {
  readonly space: number;
  readonly number: number;
  readonly path: string;
  readonly #disk: Disk;
  #fd = -1;
  #end: number;
  readonly #unsynced: Unsynced[] = [];
  #unsyncedBytes = 0;
  /** A sync failed: the kernel may have dropped what it could not write, and call the rest clean. */
  #suspect = false;
  /** The header was written by another process, whose sync may have failed like that. */
  #isReopened = false;

  /** @param end where the next value goes */
  constructor(dir: string, disk: Disk, { space, number, end }: ValueFileId & { end: number }) {
    this.space = space;
    this.number = number;
    this.path = valueFilePath(dir, { space, number });
    this.#disk = disk;
    this.#end = end;
  }

  get end(): number {
    return this.#end;
  }

  /** Bytes that do not survive power loss. */
  get unsynced(): number {
    return this.#unsyncedBytes;
  }

  /** Writes in the thread pool, at {@link end} or behind. Counts when it is {@link keep kept}. @throws MemfsError `no_space`, `io` */
  async write(bytes: Buffer, position: number): Promise<void> {
    try {
      const fd = this.#open();
      for (let done = 0; done < bytes.length;) {
        const written = await this.#disk.writeInPool(fd, bytes.subarray(done), position + done);
        if (written === 0) throw fullError(`cannot write value file ${this.path}`);
        done += written;
      }
    } catch (error) {
      throw error instanceof MemfsError ? error : diskError(`cannot write value file ${this.path}`, error);
    }
  }

  /** Leaves out what stands before this offset, whatever it is. */
  goOnBehind(offset: number): void {
    this.#end = Math.max(this.#end, offset);
  }

  /** It was there before this process. */
  reopened(): void {
    this.#isReopened = true;
  }

  /** What was written is told of now. */
  keep(extent: Extent, sealer: Sealer | null): void {
    this.goOnBehind(extent.end);
    this.#unsynced.push({ extent, sealer });
    this.#unsyncedBytes += extent.end - extent.start;
  }

  /** The extent was there after a start: whether it ever reached the disk is not known. */
  found(extent: Extent, sealer: Sealer | null): void {
    this.keep(extent, sealer);
    this.#suspect = true;
  }

  /** Gives back the room of what was written and not kept, if that is possible. */
  cut(): void {
    try {
      if (this.#fd >= 0) this.#disk.truncate(this.#fd, this.#end);
    } catch {
      // It is written over, or stays behind as bytes that nothing refers to.
    }
  }

  /** Makes what was kept before the call survive power loss. @throws MemfsError `no_space`, `io` */
  async sync(): Promise<void> {
    const count = this.#unsynced.length;
    if (count === 0) return;
    try {
      if (this.#suspect || this.#isReopened) await this.write(encodeValueHeader(this), 0);
      if (this.#suspect) await this.#writeAgain();
      this.#suspect = true;
      await this.#disk.datasync(this.#open());
    } catch (error) {
      throw error instanceof MemfsError ? error : diskError(`cannot sync value file ${this.path}`, error);
    }
    this.#suspect = false;
    this.#isReopened = false;
    for (const { extent } of this.#unsynced.splice(0, count)) this.#unsyncedBytes -= extent.end - extent.start;
  }

  /** A second sync would claim what is not true, unless the kernel is given the bytes again. */
  async #writeAgain(): Promise<void> {
    const reader = new ExtentReader();
    for (const kept of this.#unsynced) {
      const bytes = reader.read(this.#open(), this.path, kept);
      if (bytes === null) {
        throw new MemfsError("io", `the disk lost bytes of value file ${this.path}; check it, and restart memfs`);
      }
      await this.write(bytes, kept.extent.start);
    }
  }

  /** Idempotent; it is opened again when it is needed. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #open(): number {
    if (this.#fd < 0) this.#fd = openSync(this.path, "r+");
    return this.#fd;
  }
}
