/**
 * Reads the redo files on start, and decides what of them counts. Power loss may take any of what nobody was promised: the end
 * of a file, a page in the middle with others behind it, a whole file between two. Records behind such a place are cut off.
 * What was promised, or is asked for by the checkpoint, and is not there is damage.
 */
import { readdirSync } from "node:fs";
import { MemfsError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { diskError } from "./disk.ts";
import type { Extent } from "./extent.ts";
import type { LoadedRedoFile, ReadResult } from "./redo-file.ts";
import { damaged, loadRedoFile, readRedoFile, recordsFrom, redoNumber, redoPath } from "./redo-file.ts";
import type { RedoRecord } from "./redo-record.ts";

export interface RedoReaderOptions {
  readonly dir: string;
  readonly checkpoint: Checkpoint;
  readonly log: Logger;
  /** Called with every record that counts, in order. True: LevelDB needs it and it cannot be opened, so keep its file. */
  readonly replay: (record: RedoRecord, where: { path: string }) => boolean;
  /** Asked about appended values that LevelDB may not know of yet. False: they are not on the disk. */
  readonly verify: (extent: Extent) => boolean;
  /** Told of values that are not on the disk although they were. */
  readonly spoilt: (extent: Extent) => void;
}

/** A file that goes on, but for what is cut off from it. */
export interface ReadRedoFile extends ReadResult {
  readonly number: number;
  readonly path: string;
  /** Spaces with records that could not be opened. */
  readonly withheld: ReadonlySet<number>;
}

export interface ReadRedoLog {
  readonly files: readonly ReadRedoFile[];
  /** Numbers of files of which nothing counts. */
  readonly dropped: readonly number[];
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

export class RedoReader {
  readonly #options: RedoReaderOptions;
  readonly #numbers: readonly number[];
  readonly #files: ReadRedoFile[] = [];
  readonly #dropped: number[] = [];
  /** Filled when it is first asked for: only then something is wrong. */
  #claims: { readonly promised: number; readonly valuesSynced: number } | null = null;

  constructor(options: RedoReaderOptions) {
    this.#options = options;
    this.#numbers = redoNumbers(options.dir);
  }

  /** @throws MemfsError `damaged` when a record that somebody relies on is bad or missing; `format_newer`, `io` */
  read(): ReadRedoLog {
    const { dir, checkpoint } = this.#options;
    if ((this.#numbers.at(-1) ?? 0) < checkpoint.newestFile) throw missing(dir, checkpoint.newestFile);
    for (const number of this.#numbers) {
      if (this.#files.at(-1)?.cut === true) this.#dropped.push(number);
      else this.#readFile(number);
    }
    const last = this.#files.at(-1);
    if (last?.hole === true && !last.cut) this.#cutLast(null);
    return { files: this.#files, dropped: this.#dropped };
  }

  #readFile(number: number): void {
    const { dir, checkpoint, log } = this.#options;
    const path = redoPath(dir, number);
    const file = loadRedoFile(path, number);
    if (file === null) {
      log.warn("redo log: a file whose beginning never reached the disk is removed", { file: path });
      this.#dropped.push(number);
      return;
    }
    const last = this.#files.at(-1)?.lastSeq ?? -1;
    const follows = file.firstSeq > last && (file.firstSeq === last + 1 || file.firstSeq <= checkpoint.applied + 1);
    if (follows) {
      this.#readRecords(file);
    } else if (recordsFrom(file).next().done === true) {
      log.warn("redo log: a file without records was never finished and is removed", { file: path });
      this.#dropped.push(number);
    } else if (file.firstSeq <= last) {
      throw damaged(path, 0, "holds records that an earlier file has, too,");
    } else {
      this.#cutLast(number);
    }
  }

  #readRecords(file: LoadedRedoFile): void {
    const { log } = this.#options;
    const { path, number } = file;
    const withheld = new Set<number>();
    const result = readRedoFile(file, (record) => this.#visit(record, path, withheld));
    this.#files.push({ ...result, number, path, withheld });
    if (result.cut)
      log.warn("redo log: values never reached the disk; what came after them was not synced and is cut off", {
        ...{ file: path, bytes: result.torn },
      });
    else if (result.torn > 0 && !result.hole)
      log.warn("redo log: the last record was never finished and is cut off", { file: path, bytes: result.torn });
  }

  /** False: the record is cut off, with all that are behind it. */
  #visit(record: RedoRecord, path: string, withheld: Set<number>): boolean {
    const { checkpoint, replay, verify, spoilt, log } = this.#options;
    const { extent, seq, space } = record;
    if (extent !== null && seq > checkpoint.applied && !verify(extent)) {
      const { promised, valuesSynced } = this.#claimed();
      if (Math.max(promised, valuesSynced) < seq) return false;
      // As when LevelDB knows of them: who reads them is told, and nothing else is lost.
      log.error("values: damaged, though they were on the disk; restore the home from a backup", {
        ...{ space, file: extent.file, offset: extent.start },
      });
      spoilt(extent);
    }
    if (replay(record, { path })) withheld.add(space);
    return true;
  }

  /**
   * Records are missing behind the last file that was read, before `number` or at the end. @throws MemfsError `damaged` when
   * one of them was promised
   */
  #cutLast(number: number | null): void {
    const { checkpoint, dir, log } = this.#options;
    const last = this.#files.pop();
    const lost = Math.max((last?.lastSeq ?? 0) + 1, checkpoint.applied + 1);
    if (this.#claimed().promised >= lost) {
      if (last?.hole === true) throw damaged(last.path, last.end, "holds a bad record before good ones");
      if (last !== undefined && last.torn > 0) throw damaged(last.path, last.end, "is cut short");
      throw missing(dir, (number ?? 1) - 1);
    }
    log.warn("redo log: records never reached the disk; what came after them was not synced and is cut off", {
      ...{ file: last?.path ?? dir, first: lost },
    });
    if (last !== undefined) this.#files.push({ ...last, cut: true });
    if (number !== null) this.#dropped.push(number);
  }

  /** What whole records say of those before them: wherever they stand, it is true. */
  #claimed(): { readonly promised: number; readonly valuesSynced: number } {
    if (this.#claims !== null) return this.#claims;
    let [promised, valuesSynced] = [0, 0];
    for (const number of this.#numbers) {
      const file = loadRedoFile(redoPath(this.#options.dir, number), number);
      for (const record of file === null ? [] : recordsFrom(file)) {
        promised = Math.max(promised, record.promised);
        valuesSynced = Math.max(valuesSynced, record.valuesSynced);
      }
    }
    return (this.#claims = { promised, valuesSynced });
  }
}

function missing(dir: string, number: number): MemfsError {
  const path = redoPath(dir, number);
  return new MemfsError(
    "damaged",
    `redo file ${path} is missing and holds changes that the database needs; restore it or the home from a backup`,
    { detail: { file: path } },
  );
}
