/**
 * The redo log: a sequence of files of which the newest is appended to. It is the authority on what was acknowledged;
 * LevelDB follows. A file is unlinked when LevelDB has every record of it.
 */
import { readdirSync, unlinkSync } from "node:fs";
import { mkdir, unlink } from "node:fs/promises";
import { syncDirectory } from "../atomic-file.ts";
import { MemfsError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Disk } from "./disk.ts";
import { diskError } from "./disk.ts";
import type { Batch } from "./batch.ts";
import type { Origin, Sealer } from "./kv.ts";
import type { OnPoint } from "./points.ts";
import type { ReadResult } from "./redo-file.ts";
import { SharedRun } from "./shared-run.ts";
import { damaged, FILE_HEADER_SIZE, readRedoFile, RedoFile, redoNumber, redoPath } from "./redo-file.ts";
import type { RedoRecord } from "./redo-record.ts";
import { encodeExtent, RecordEncoder } from "./redo-record.ts";
import type { Extent } from "./extent.ts";

/**
 * A file above this size (bytes) gets no more records, and is synced in the background: bounds what an fsync after many
 * changes has to wait for (3 ms, with files of 16 MiB 8 ms).
 */
export const ROTATE_SIZE = 4 * 1024 * 1024;
/** After a failed rotation the old file grows by this much (bytes) before the next attempt. */
const ROTATE_RETRY = 1024 * 1024;

export interface RedoLogOptions {
  readonly dir: string;
  readonly checkpoint: Checkpoint;
  readonly disk: Disk;
  readonly log: Logger;
  readonly rotateSize: number;
  readonly onPoint: OnPoint;
  /** Called with every record of every file, in order. True: LevelDB needs it and it cannot be opened, so keep its file. */
  readonly replay: (record: RedoRecord, where: { path: string }) => boolean;
  /** Asked about appended values that LevelDB may not know of yet. False: they never reached the disk. */
  readonly verify: (extent: Extent) => boolean;
}

interface Read extends ReadResult {
  readonly number: number;
  readonly path: string;
  readonly withheld: ReadonlySet<number>;
}

/** Numbers of the redo files in `dir`, ascending; none when the directory does not exist. */
export function redoNumbers(dir: string): number[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw diskError(`cannot read ${dir}`, error);
  }
  const numbers = names.map(redoNumber).filter((number) => number !== null);
  return numbers.sort((a, b) => a - b);
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
    this.#durableFile = options.checkpoint.newestFile;
  }

  /**
   * Reads all files, calls `replay` with every record, and is ready to append.
   * @throws MemfsError `damaged` when a record that LevelDB needs is bad or missing; `format_newer`, `no_space`, `io`
   */
  static async open(options: RedoLogOptions): Promise<RedoLog> {
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    const log = new RedoLog(options);
    const reads = await log.#read();
    for (const read of reads) {
      const file = RedoFile.reopen(read.path, options.disk, read);
      // Before anything is written: values will stand where those of the lost records stood, and must not be taken for them.
      if (read.cut) await syncFile(file);
      for (const space of read.withheld) file.withheld.add(space);
      log.#files.push(file);
      log.#lastSeq = Math.max(log.#lastSeq, read.lastSeq);
    }
    const newest = log.#files.at(-1);
    // After a power loss LevelDB may know records that the log lost: numbers go on behind them, in a file of their own.
    if (newest === undefined || newest.lastSeq !== log.#lastSeq || newest.size >= options.rotateSize) log.#addFile();
    await syncDirectory(options.dir);
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
    file.append(this.#encoder.encode({ space, seq, salt: file.salt, sealer, batch, origin }), seq);
    this.#lastSeq = seq;
    return seq;
  }

  /**
   * Records that values were appended, before any record that refers to them, and returns its number: when they are gone
   * after a power loss, this record and all behind it are cut off. @throws MemfsError `no_space`, `io`
   */
  appendExtent(extent: Extent): number {
    const file = this.#fileForNext();
    const seq = this.#lastSeq + 1;
    file.append(encodeExtent(extent, { seq, salt: file.salt }), seq);
    this.#lastSeq = seq;
    return seq;
  }

  /** Starts a new file, so that the present one can be unlinked once applied. @throws MemfsError `no_space`, `io` */
  rotate(): void {
    const old = this.#newest();
    if (old.size <= FILE_HEADER_SIZE) return;
    old.trim();
    this.#addFile();
    this.#rotateAt = this.#options.rotateSize;
    // The sooner the old file is durable, the smaller the chance that a power loss tears it with records behind it.
    this.begin();
  }

  /**
   * Resolves when all records appended before the call survive power loss. Callers share: who comes while a datasync runs
   * that does not cover all of them waits for the next one.
   * @throws MemfsError `no_space`, `io`; the records are then {@link suspect}
   */
  sync(): Promise<void> {
    if (this.#durableSeq >= this.#lastSeq) return Promise.resolve();
    return this.#syncingSeq === this.#lastSeq ? this.#syncing.join() : this.#syncing.ask();
  }

  /** Begins to {@link sync}: whoever asks for that next is told how it went. */
  begin(): void {
    this.sync().catch(() => undefined);
  }

  /** This checkpoint is in LevelDB, durably: unlinks the files that nobody needs any more. */
  async release(written: Checkpoint): Promise<void> {
    this.#durableSeq = Math.max(this.#durableSeq, written.applied);
    for (const file of this.#files.slice(0, -1)) {
      // By the checkpoint on disk, not by what was discarded since: it says on start which records must be there.
      if (file.lastSeq > written.applied || [...file.withheld].some((space) => written.withheld.has(space))) continue;
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
      this.#rotateAt = this.#newest().size + ROTATE_RETRY;
      this.#warn("redo log: cannot start a new file, the old one goes on", error);
    }
  }

  #warn(message: string, error: unknown): void {
    this.#options.log.warn(message, { error: String(error) });
  }

  #addFile(): void {
    const { dir, disk, onPoint } = this.#options;
    const number = Math.max(this.#files.at(-1)?.number ?? 0, this.#options.checkpoint.newestFile) + 1;
    const file = RedoFile.create(dir, disk, { number, seq: this.#lastSeq + 1 });
    this.#files.push(file);
    onPoint("rotated");
  }

  async #syncFiles(): Promise<void> {
    const through = this.#lastSeq;
    this.#syncingSeq = through;
    this.#syncs++;
    const newest = this.#newest();
    try {
      // Files in order: a later record must not become durable with an earlier one missing.
      for (const file of [...this.#files]) {
        if (file.lastSeq > this.#durableSeq && file.firstSeq <= through) await file.datasync();
      }
      if (newest.number > this.#durableFile) {
        await syncDirectory(this.#options.dir);
        this.#durableFile = newest.number;
      }
    } catch (error) {
      // The kernel marks pages clean although their write failed, so a second datasync would claim what is not true.
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

  async #read(): Promise<Read[]> {
    const { dir, checkpoint, replay, verify } = this.#options;
    const numbers = redoNumbers(dir);
    if ((numbers.at(-1) ?? 0) < checkpoint.newestFile) throw missing(dir, checkpoint.newestFile);
    const reads: Read[] = [];
    for (const number of numbers) {
      const path = redoPath(dir, number);
      const withheld = new Set<number>();
      const previous = reads.at(-1);
      const result = readRedoFile(path, number, (record) => {
        if (previous !== undefined && previous.torn > 0) throw damaged(previous.path, previous.end, "is cut short");
        if (record.extent !== null && record.seq > checkpoint.applied && !verify(record.extent)) return false;
        if (replay(record, { path })) withheld.add(record.space);
        return true;
      });
      if (result === null) {
        // Only the newest file can be torn in its header; it never held a record.
        if (number !== numbers.at(-1)) throw damaged(path, 0, "has no header");
        this.#dropEmpty(path);
        continue;
      }
      if (!follows(result, previous, checkpoint)) {
        // Power loss took the end of a file that was just left, before the first record of the next one was written.
        const bare = result.lastSeq < result.firstSeq && number === numbers.at(-1);
        if (!bare || previous?.number !== number - 1) throw missing(dir, number - 1);
        this.#dropEmpty(path);
        continue;
      }
      reads.push({ ...result, number, path, withheld });
      if (result.cut) {
        this.#reportLost(path, result.torn);
        reads.push(await this.#replaceBehind(numbers, { number, seq: result.lastSeq + 1 }));
        break;
      }
      if (result.torn > 0) this.#reportCut(path, result.torn);
    }
    return reads;
  }

  /**
   * A new file instead of those behind `from`. It is there for good before anything is removed, and the file that is cut is
   * cut last: whenever power is lost, the next start finds the same place to cut, or the new file.
   */
  async #replaceBehind(numbers: readonly number[], from: { number: number; seq: number }): Promise<Read> {
    const { dir, disk, checkpoint } = this.#options;
    const number = Math.max(numbers.at(-1) ?? 0, checkpoint.newestFile) + 1;
    const file = RedoFile.create(dir, disk, { number, seq: from.seq });
    try {
      await syncFile(file);
    } finally {
      await file.close();
    }
    await syncDirectory(dir);
    for (const lost of numbers) if (lost > from.number) await unlink(redoPath(dir, lost));
    await syncDirectory(dir);
    const state = { firstSeq: from.seq, lastSeq: from.seq - 1, salt: file.salt, end: file.size, torn: 0, cut: false };
    return { ...state, number, path: file.path, withheld: new Set() };
  }

  #dropEmpty(path: string): void {
    this.#options.log.warn("redo log: a file without records was never finished and is removed", { file: path });
    unlinkSync(path);
  }

  #reportLost(path: string, bytes: number): void {
    this.#options.log.warn(
      "redo log: values never reached the disk; what came after them was not synced and is cut off",
      { file: path, bytes },
    );
  }

  #reportCut(path: string, bytes: number): void {
    this.#options.log.warn("redo log: the last record was never finished and is cut off", { file: path, bytes });
  }
}

async function syncFile(file: RedoFile): Promise<void> {
  try {
    await file.datasync();
  } catch (error) {
    throw diskError(`cannot sync redo file ${file.path}`, error);
  }
}

/** True unless a record that LevelDB needs is missing between the files: numbers may only jump over applied records. */
function follows(read: ReadResult, previous: Read | undefined, checkpoint: Checkpoint): boolean {
  if (previous !== undefined && read.firstSeq <= previous.lastSeq) return false;
  return read.firstSeq === (previous?.lastSeq ?? -1) + 1 || read.firstSeq <= checkpoint.applied + 1;
}

function missing(dir: string, number: number): MemfsError {
  const path = redoPath(dir, number);
  return new MemfsError(
    "damaged",
    `redo file ${path} is missing and holds changes that the database needs; restore it or the home from a backup`,
    { detail: { file: path } },
  );
}
