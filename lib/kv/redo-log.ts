/**
 * The redo log: a sequence of files of which the newest is appended to. It is the authority on what was acknowledged;
 * LevelDB follows. A file is unlinked when LevelDB has every record of it.
 */
import { unlink } from "node:fs/promises";
import { MemfsError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Disk } from "./disk.ts";
import { diskError } from "./disk.ts";
import type { Batch } from "./batch.ts";
import type { Origin, Sealer } from "./kv.ts";
import type { OnPoint } from "./points.ts";
import { SharedRun } from "./shared-run.ts";
import { FILE_HEADER_SIZE, RedoFile, redoPath } from "./redo-file.ts";
import type { ReadRedoFile, RedoReaderOptions } from "./redo-reader.ts";
import { redoNumbers, RedoReader } from "./redo-reader.ts";
import type { RecordPosition } from "./redo-record.ts";
import { encodeExtent, encodeValuesSynced, RecordEncoder } from "./redo-record.ts";
import type { Extent } from "./extent.ts";

/**
 * A file above this size (bytes) gets no more records, and is synced in the background: bounds what an fsync after many
 * changes has to wait for (3 ms, with files of 16 MiB 8 ms).
 */
export const ROTATE_SIZE = 4 * 1024 * 1024;
/** After a failed rotation the old file grows by this much (bytes) before the next attempt. */
const ROTATE_RETRY = 1024 * 1024;

export interface RedoLogOptions extends RedoReaderOptions {
  readonly disk: Disk;
  readonly rotateSize: number;
  readonly onPoint: OnPoint;
}

export class RedoLog {
  readonly #options: RedoLogOptions;
  readonly #encoder = new RecordEncoder();
  /** Ascending; the last is appended to. */
  readonly #files: RedoFile[] = [];
  #rotateAt: number;
  #lastSeq: number;
  /** Records up to this number survive power loss, in the log or in LevelDB. */
  #durableSeq: number;
  /** Number of the first record since the last {@link appendValuesSynced} that tells of values; 0 for none. */
  #extentSeq = 0;
  #lastExtentSeq = 0;
  /** Somebody was told that records up to this number survive power loss, or LevelDB has them. */
  #promisedSeq: number;
  /** Number of the newest file whose directory entry survives power loss. */
  #durableFile: number;
  /** Records up to this number were in the log when a datasync failed: only LevelDB can make them durable now. */
  #suspectSeq = 0;
  readonly #syncing = new SharedRun(() => this.#syncFiles());
  /** Records up to this number were there when the last run of it began. */
  #syncingSeq = 0;
  #syncs = 0;

  private constructor(options: RedoLogOptions) {
    this.#options = options;
    this.#rotateAt = options.rotateSize;
    this.#lastSeq = options.checkpoint.applied;
    this.#durableSeq = options.checkpoint.applied;
    this.#promisedSeq = options.checkpoint.applied;
    this.#durableFile = options.checkpoint.newestFile;
  }

  /**
   * Reads all files, calls `replay` with every record, and is ready to append.
   * @throws MemfsError `damaged` when a record that LevelDB needs is bad or missing; `format_newer`, `no_space`, `io`
   */
  static async open(options: RedoLogOptions): Promise<RedoLog> {
    const log = new RedoLog(options);
    const found = new RedoReader(options).read();
    log.#lastSeq = Math.max(log.#lastSeq, found.files.at(-1)?.lastSeq ?? 0);
    const replaces = found.dropped.length > 0 || found.files.some((read) => read.cut);
    const successor = replaces ? await log.#replace(found.dropped) : null;
    for (const read of found.files) log.#files.push(await log.#reopen(read));
    if (successor !== null) log.#files.push(successor);
    const newest = log.#files.at(-1);
    // After a power loss LevelDB may know records that the log lost: numbers go on behind them, in a file of their own.
    const goesOn = newest?.lastSeq === log.#lastSeq && newest.size < options.rotateSize;
    if (!goesOn) log.#addFile();
    await log.#syncNames();
    log.#durableFile = log.#newest().number;
    return log;
  }

  /** Sequence number of the newest record, 0 when there never was one. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** See {@link Checkpoint.newestFile}. */
  get durableFile(): number {
    return this.#durableFile;
  }

  /** How many syncs have begun: it moves while somebody waits for the disk again and again. */
  get syncs(): number {
    return this.#syncs;
  }

  /** True when records wait for LevelDB to make them durable, because the log's own datasync failed. */
  get suspect(): boolean {
    return this.#suspectSeq > this.#durableSeq;
  }

  /** Appends one record and returns its number; or throws and changes nothing. @throws MemfsError `no_space`, `io`, `too_large` */
  append(space: number, sealer: Sealer, change: { batch: Batch; origin: Origin | undefined }): number {
    const file = this.#fileForNext();
    const seq = this.#lastSeq + 1;
    const { batch, origin } = change;
    const promised = this.#promisedSeq;
    file.append(this.#encoder.encode({ space, seq, promised, salt: file.salt, sealer, batch, origin }), seq);
    this.#lastSeq = seq;
    return seq;
  }

  /**
   * Records that values were appended, before any record that refers to them, and returns its number: when they are gone
   * after a power loss, this record and all behind it are cut off. @throws MemfsError `no_space`, `io`
   */
  appendExtent(extent: Extent): number {
    const seq = this.#appendClear((position) => encodeExtent(extent, position));
    if (this.#extentSeq === 0) this.#extentSeq = seq;
    this.#lastExtentSeq = seq;
    return seq;
  }

  /**
   * Records that all values that records up to `through` tell of are on the disk, and returns its number: when they are gone
   * then, they were damaged. Null: there are none of which that is not recorded. @throws MemfsError `no_space`, `io`
   */
  appendValuesSynced(through: number): number | null {
    if (this.#extentSeq === 0 || this.#extentSeq > through) return null;
    const seq = this.#appendClear((position) => encodeValuesSynced(through, position));
    this.#extentSeq = this.#lastExtentSeq > through ? this.#lastExtentSeq : 0;
    return seq;
  }

  #appendClear(encode: (position: RecordPosition) => Buffer): number {
    const file = this.#fileForNext();
    const seq = this.#lastSeq + 1;
    file.append(encode({ seq, promised: this.#promisedSeq, salt: file.salt }), seq);
    this.#lastSeq = seq;
    return seq;
  }

  /** Starts a new file, so that the present one can be unlinked once applied. @throws MemfsError `no_space`, `io` */
  rotate(): void {
    const old = this.#newest();
    if (old.size <= FILE_HEADER_SIZE && !old.spoilt) return;
    old.trim();
    this.#addFile();
    this.#rotateAt = this.#options.rotateSize;
    // The sooner the old file is durable, the smaller the chance that a power loss tears it with records behind it.
    this.begin();
  }

  /**
   * Resolves when all records appended before the call survive power loss. Callers share: who comes while a datasync runs
   * that does not cover all of them waits for the next one.
   * @throws MemfsError `no_space`, `io`; the records are then {@link suspect}, and nothing is synced as long as they are
   */
  sync(): Promise<void> {
    if (this.#durableSeq >= this.#lastSeq) return Promise.resolve();
    if (this.suspect) return Promise.reject(this.#unsyncable());
    return this.#syncingSeq === this.#lastSeq ? this.#syncing.join() : this.#syncing.ask();
  }

  /** Begins to {@link sync}: whoever asks for that next is told how it went. */
  begin(): void {
    this.sync().catch(() => undefined);
  }

  /** Records up to this number survive power loss, and so do their values: later ones say so. */
  promise(seq: number): void {
    this.#promisedSeq = Math.max(this.#promisedSeq, seq);
  }

  /** This checkpoint is in LevelDB, durably: unlinks the files that nobody needs any more. */
  async release(written: Checkpoint): Promise<void> {
    this.#durableSeq = Math.max(this.#durableSeq, written.applied);
    this.promise(written.applied);
    for (const file of this.#files.slice(0, -1)) {
      // By the checkpoint on disk, not by what was discarded since: it says on start which records must be there.
      if (file.lastSeq > written.applied || [...file.withheld].some((space) => written.withheld.has(space))) continue;
      // Else power loss could leave none of the files, and a start would miss the one that the checkpoint knows.
      await this.#keepNewest();
      this.#options.onPoint("unlink");
      await file.close();
      await unlink(file.path);
      this.#files.splice(this.#files.indexOf(file), 1);
    }
  }

  async close(): Promise<void> {
    await this.#syncing.idle();
    for (const file of this.#files) await file.close();
  }

  #newest(): RedoFile {
    const file = this.#files.at(-1);
    if (file === undefined) throw new MemfsError("closed", "the redo log is not open");
    return file;
  }

  #fileForNext(): RedoFile {
    if (this.#newest().size >= this.#rotateAt) this.#tryRotate();
    return this.#newest();
  }

  #tryRotate(): void {
    try {
      this.rotate();
    } catch (error) {
      if (this.#newest().spoilt) throw error;
      this.#rotateAt = this.#newest().size + ROTATE_RETRY;
      this.#warn("redo log: cannot start a new file, the old one goes on", error);
    }
  }

  #warn(message: string, error: unknown): void {
    this.#options.log.warn(message, { error: String(error) });
  }

  /** A second datasync would claim what is not true: the kernel marks pages clean although their write failed. */
  #unsyncable(): MemfsError {
    return new MemfsError("io", `cannot sync redo file ${this.#newest().path}: it failed before; check the disk`);
  }

  /**
   * A file as it was read. What is cut off it is cut off on the disk, too, before anything is written: values will stand where
   * those of the lost records stood, and must not be taken for them. Records that are withheld have nothing but the log, and
   * a checkpoint will ask for them.
   */
  async #reopen(read: ReadRedoFile): Promise<RedoFile> {
    const file = RedoFile.reopen(read.path, this.#options.disk, read);
    for (const space of read.withheld) file.withheld.add(space);
    if (!file.writeAgain()) this.#suspectSeq = this.#lastSeq;
    if (read.cut || read.withheld.size > 0) await syncFile(file);
    return file;
  }

  /**
   * A new file instead of those of which nothing counts. It is there for good before anything is removed, and the file that is
   * cut is cut last: whenever power is lost, the next start finds the same place to cut, or the new file.
   */
  async #replace(dropped: readonly number[]): Promise<RedoFile> {
    const { dir, disk, checkpoint } = this.#options;
    const number = Math.max(redoNumbers(dir).at(-1) ?? 0, checkpoint.newestFile) + 1;
    const file = RedoFile.create(dir, disk, { number, seq: this.#lastSeq + 1 });
    await syncFile(file);
    await this.#syncNames();
    for (const number of dropped) await remove(redoPath(dir, number));
    if (dropped.length > 0) await this.#syncNames();
    return file;
  }

  /** Makes the names of all files survive power loss. */
  async #keepNewest(): Promise<void> {
    const { number } = this.#newest();
    if (number <= this.#durableFile) return;
    await this.#syncNames();
    this.#durableFile = Math.max(this.#durableFile, number);
  }

  async #syncNames(): Promise<void> {
    const { dir, disk } = this.#options;
    try {
      await disk.syncDirectory(dir);
    } catch (error) {
      throw diskError(`cannot sync ${dir}`, error);
    }
  }

  #addFile(): void {
    const { dir, disk, onPoint } = this.#options;
    const number = Math.max(this.#files.at(-1)?.number ?? 0, this.#options.checkpoint.newestFile) + 1;
    const file = RedoFile.create(dir, disk, { number, seq: this.#lastSeq + 1 });
    this.#files.push(file);
    onPoint("rotated");
  }

  async #syncFiles(): Promise<void> {
    // Asked for while one was under way that failed.
    if (this.suspect) throw this.#unsyncable();
    const through = this.#lastSeq;
    this.#syncingSeq = through;
    this.#syncs++;
    const newest = this.#newest();
    try {
      // Files in order: a later record must not become durable with an earlier one missing.
      for (const file of [...this.#files]) {
        if (file.lastSeq > this.#durableSeq && file.firstSeq <= through) await file.datasync();
      }
      await this.#keepNewest();
    } catch (error) {
      this.#suspectSeq = through;
      this.#rotateAt = 0;
      const failure = diskError(`cannot sync redo file ${newest.path}`, error);
      this.#options.log.error("redo log: sync failed, only the database makes its changes durable now", {
        error: failure.message,
      });
      throw failure;
    }
    this.#durableSeq = Math.max(this.#durableSeq, through);
  }
}

async function syncFile(file: RedoFile): Promise<void> {
  try {
    await file.datasync();
  } catch (error) {
    throw diskError(`cannot sync redo file ${file.path}`, error);
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    throw diskError(`cannot remove redo file ${path}`, error);
  }
}
