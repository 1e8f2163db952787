/**
 * Values outside of LevelDB: appended to files of their space, sealed, and never moved or changed. LevelDB would
 * write each several times, and large ones durably at once; here the kernel has them when an append resolves, and the disk before
 * anything that refers to them is durable.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { closeSync, fstatSync, openSync } from "node:fs";
import type { Disk } from "./disk.ts";
import { diskError, requireFree, RESERVE } from "./disk.ts";
import { type Extent, fingerprint } from "./extent.ts";
import { ExtentReader } from "./extent-reader.ts";
import type { Place, Sealer } from "./kv.ts";
import { SharedRun } from "./shared-run.ts";
import {
  encodeValueHeader,
  hasValueHeader,
  VALUE_HEADER_SIZE,
  ValueFile,
  valueFileNumber,
  valueFilePath,
  valuesPath,
} from "./value-file.ts";
import { LENGTH_SIZE, readFully, valueContext } from "./value-bytes.ts";
import { damagedValues, ValueReaders } from "./value-readers.ts";

const MIB = 1024 * 1024;
/** A file above this size (bytes) gets no more values. */
const ROTATE_SIZE = 64 * MIB;
/** Bytes that are sealed in one turn of the event loop and written at once. */
const WRITE_BYTES = MIB;

/** Values to append. */
export interface Append {
  readonly sealer: Sealer;
  readonly values: readonly Uint8Array[];
  /** Called when they are written. When it throws, nothing was appended. */
  readonly written: (extent: Extent) => void;
}

export class ValueFiles {
  readonly #dir: string;
  readonly #disk: Disk;
  readonly #rotateSize: number;
  readonly #readers: ValueReaders;
  /** The file of each space that values go to. */
  readonly #newest = new Map<number, ValueFile>();
  /** Files with values that do not survive power loss yet. */
  readonly #unsynced = new Map<string, ValueFile>();
  /** Directories with entries that do not. */
  readonly #unsyncedDirectories = new Set<string>();
  /** The one that is being synced: not among the others, and not done either. */
  #syncingDirectory: string | null = null;
  /** Of each space, the newest file that was found damaged on start. */
  readonly #damaged = new Map<number, number>();
  /** Sealed values on their way; one append at a time uses it. */
  #buffer: Buffer | null = null;
  /** On start; its memory is given back with the first sync. */
  #verifier: ExtentReader | null = null;
  /** What was read and is not opened yet. */
  #sealed: Buffer = Buffer.alloc(0);
  #turn: Promise<void> = Promise.resolve();
  #last: ValueFile | null = null;
  readonly #syncing = new SharedRun(() => this.#syncAll());

  /** @param dir is there; a file above `rotateSize` bytes gets no more values */
  constructor(dir: string, disk: Disk, rotateSize = ROTATE_SIZE) {
    this.#dir = dir;
    this.#disk = disk;
    this.#rotateSize = rotateSize;
    this.#readers = new ValueReaders(dir);
  }

  /** True when there is nothing that {@link sync} would make durable. */
  get synced(): boolean {
    return this.#unsynced.size === 0 && this.#unsyncedDirectories.size === 0 && this.#syncingDirectory === null;
  }

  /** Bytes that do not survive power loss yet. */
  get unsynced(): number {
    let sum = 0;
    if (this.#unsynced.size === 0) return sum;
    for (const file of this.#unsynced.values()) sum += file.unsynced;
    return sum;
  }

  /** Resolves with the places when the kernel has the values. @throws MemfsError `no_space`, `io`, and what `written` throws */
  append(space: number, append: Append): Promise<Place[]> {
    return this.#inTurn(() => this.#append(space, append));
  }

  /** A value, in memory of its own. @throws MemfsError `damaged`, `format_newer`, `io` */
  read(space: number, sealer: Sealer, place: Place): Buffer {
    const value = Buffer.allocUnsafe(sealer.openedSize(place.length));
    this.readTo(space, sealer, { place, target: value });
    return value;
  }

  /** The same to memory of the caller. @throws MemfsError `damaged`, `format_newer`, `io` */
  readTo(space: number, sealer: Sealer, { place, target }: { place: Place; target: Buffer }): void {
    const { fd, path } = this.#readers.get({ space, number: place.file });
    if (this.#sealed.length < place.length) this.#sealed = Buffer.allocUnsafeSlow(place.length);
    const sealed = this.#sealed.subarray(0, place.length);
    if (readFully(fd, path, sealed, place.offset) < place.length) {
      throw damagedValues(path, `ends before offset ${place.offset + place.length}`);
    }
    try {
      sealer.openTo(valueContext(place.file, place.offset), sealed, target);
    } catch (cause) {
      throw damagedValues(path, `is damaged at offset ${place.offset}`, cause);
    }
  }

  /**
   * On start: true when the values that the redo log tells of are there. They then count as not synced.
   * @param sealer null when the key of the space is missing
   * @throws MemfsError `format_newer`, `io`
   */
  verify(extent: Extent, sealer: Sealer | null): boolean {
    const id = { space: extent.space, number: extent.file };
    const path = valueFilePath(this.#dir, id);
    const fd = openIfThere(path);
    if (fd === null) return false;
    try {
      this.#verifier ??= new ExtentReader();
      if (!hasValueHeader(fd, path, id) || this.#verifier.read(fd, path, { extent, sealer }) === null) return false;
    } finally {
      closeSync(fd);
    }
    const file = this.#unsynced.get(path) ?? new ValueFile(this.#dir, this.#disk, { ...id, end: 0 });
    file.found(extent, sealer);
    this.#unsynced.set(path, file);
    this.#entriesOf(extent.space);
    return true;
  }

  /** On start: nothing is appended any more to the file of these values, which are damaged, or before it. */
  leave({ space, file }: Extent): void {
    this.#damaged.set(space, Math.max(this.#damaged.get(space) ?? 0, file));
  }

  /**
   * Resolves when everything appended before the call survives power loss.
   * @throws MemfsError `no_space`, `io`
   */
  sync(): Promise<void> {
    if (this.synced) return Promise.resolve();
    return this.#syncing.ask();
  }

  /** Removes the files of a space for good. @throws MemfsError `io` */
  remove(space: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.#syncing.idle();
      for (const [path, file] of this.#unsynced) {
        if (file.space !== space) continue;
        file.close();
        this.#unsynced.delete(path);
      }
      this.#newest.get(space)?.close();
      this.#newest.delete(space);
      this.#readers.close(space);
      const path = valuesPath(this.#dir, space);
      this.#unsyncedDirectories.delete(path);
      try {
        await rm(path, { recursive: true, force: true });
        await this.#disk.syncDirectory(this.#dir);
      } catch (error) {
        throw diskError(`cannot remove ${path}`, error);
      }
    });
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#syncing.idle();
    for (const file of this.#unsynced.values()) file.close();
    for (const file of this.#newest.values()) file.close();
    this.#readers.close();
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.then(nothing, nothing);
    return turn;
  }

  async #append(space: number, { sealer, values, written }: Append): Promise<Place[]> {
    const bytes = values.reduce((sum, { length }) => sum + LENGTH_SIZE + sealer.sealedSize(length), 0);
    // What LevelDB and the redo log need must be left to them.
    await requireFree(this.#dir, { reserve: RESERVE, bytes });
    const file = await this.#fileFor(space);
    const places: Place[] = [];
    const start = file.end;
    let end = start;
    let found = 0;
    try {
      while (places.length < values.length) {
        const filled = this.#fill({ sealer, values, places, number: file.number, start: end });
        for (const place of places.slice(filled.first)) {
          const from = place.offset - end;
          found = fingerprint(found, filled.bytes.subarray(from, from + place.length));
        }
        await file.write(filled.bytes, end);
        end += filled.bytes.length;
      }
      const extent = { space, file: file.number, start, end, fingerprint: found };
      written(extent);
      file.keep(extent, sealer);
    } catch (error) {
      file.cut();
      throw error;
    }
    this.#unsynced.set(file.path, file);
    return places;
  }

  /** Seals as many of the next values as are written at once, and adds their places. */
  #fill(next: {
    readonly sealer: Sealer;
    readonly values: readonly Uint8Array[];
    readonly places: Place[];
    readonly number: number;
    readonly start: number;
  }): { readonly bytes: Buffer; readonly first: number } {
    const { sealer, values, places, number, start } = next;
    const first = places.length;
    let length = 0;
    let count = first;
    for (; count < values.length; count++) {
      const size = LENGTH_SIZE + sealer.sealedSize(values[count]?.length ?? 0);
      if (length > 0 && length + size > WRITE_BYTES) break;
      length += size;
    }
    const bytes = this.#room(length);
    let at = 0;
    for (const value of values.slice(first, count)) {
      const size = sealer.sealedSize(value.length);
      const offset = start + at + LENGTH_SIZE;
      bytes.writeUInt32BE(size, at);
      sealer.sealTo(valueContext(number, offset), value, bytes.subarray(at + LENGTH_SIZE));
      places.push({ file: number, offset, length: size });
      at += LENGTH_SIZE + size;
    }
    return { bytes, first };
  }

  #room(length: number): Buffer {
    if (length > WRITE_BYTES) return Buffer.allocUnsafeSlow(length);
    this.#buffer ??= Buffer.allocUnsafeSlow(WRITE_BYTES);
    return this.#buffer.subarray(0, length);
  }

  async #fileFor(space: number): Promise<ValueFile> {
    let file = this.#newest.get(space) ?? (await this.#reopen(space));
    if (file === null || file.end >= this.#rotateSize) {
      file = await this.#create(space, (file?.number ?? 0) + 1);
    }
    this.#newest.set(space, file);
    if (this.#last !== file && this.#last?.unsynced === 0) this.#last.close();
    this.#last = file;
    return file;
  }

  /** The newest file that is there; null when there is none that can be gone on with. */
  async #reopen(space: number): Promise<ValueFile | null> {
    const names = await readDirectory(valuesPath(this.#dir, space));
    const damaged = this.#damaged.get(space) ?? 0;
    const number = Math.max(damaged, ...names.map((name) => valueFileNumber(name) ?? 0));
    if (number === 0) return null;
    // Who made it may have been killed before that.
    this.#entriesOf(space);
    if (number === damaged) return new ValueFile(this.#dir, this.#disk, { space, number, end: this.#rotateSize });
    const path = valueFilePath(this.#dir, { space, number });
    const file = this.#unsynced.get(path) ?? new ValueFile(this.#dir, this.#disk, { space, number, end: 0 });
    const fd = openSync(path, "r");
    try {
      // What stands behind the last value that anybody was told of is left where it is, and so is a file without a header.
      file.goOnBehind(hasValueHeader(fd, path, { space, number }) ? fstatSync(fd).size : this.#rotateSize);
    } finally {
      closeSync(fd);
    }
    file.reopened();
    return file;
  }

  async #create(space: number, number: number): Promise<ValueFile> {
    const id = { space, number };
    const path = valueFilePath(this.#dir, id);
    try {
      await mkdir(valuesPath(this.#dir, space), { recursive: true, mode: 0o700 });
      closeSync(openSync(path, "w", 0o600));
    } catch (error) {
      throw diskError(`cannot create value file ${path}`, error);
    }
    const file = new ValueFile(this.#dir, this.#disk, { ...id, end: VALUE_HEADER_SIZE });
    try {
      await file.write(encodeValueHeader(id), 0);
    } catch (error) {
      file.close();
      await rm(path, { force: true });
      throw error;
    }
    this.#entriesOf(space);
    return file;
  }

  #entriesOf(space: number): void {
    this.#unsyncedDirectories.add(valuesPath(this.#dir, space)).add(this.#dir);
  }

  async #syncAll(): Promise<void> {
    this.#verifier = null;
    for (const [path, file] of [...this.#unsynced]) {
      await file.sync();
      if (file.unsynced > 0) continue;
      this.#unsynced.delete(path);
      if (file !== this.#last) file.close();
    }
    for (const directory of [...this.#unsyncedDirectories]) {
      // Before: what is made in it meanwhile waits for the next time.
      this.#unsyncedDirectories.delete(directory);
      this.#syncingDirectory = directory;
      try {
        await this.#disk.syncDirectory(directory);
      } catch (error) {
        this.#unsyncedDirectories.add(directory);
        throw diskError(`cannot sync ${directory}`, error);
      } finally {
        this.#syncingDirectory = null;
      }
    }
  }
}

const nothing = (): void => undefined;

function openIfThere(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw diskError(`cannot open value file ${path}`, error);
  }
}

/** None when there is no such directory. */
async function readDirectory(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw diskError(`cannot read ${path}`, error);
  }
}
