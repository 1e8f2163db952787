/** LevelDB, opened the way memfs needs it, its errors translated. The only file that imports `level`. */
import { mkdir, realpath } from "node:fs/promises";
import { Level } from "level";
import { MemfsError } from "../errors.ts";
import type { Disk } from "./disk.ts";
import { requireFree, RESERVE, systemDisk } from "./disk.ts";
import { syncLevelLogs, syncLogNames } from "./level-logs.ts";

/** What the Node implementation has and the package's common type leaves out. */
type NodeLevel = Level<Buffer, Buffer> & {
  getSync(key: Buffer): Buffer | undefined;
  compactRange(start: Buffer, end: Buffer): Promise<void>;
};

/** A batch under construction: operations go to LevelDB's memory one by one (~1 µs each), not in one long turn. */
export interface LevelBatch {
  put(key: Buffer, value: Buffer): unknown;
  del(key: Buffer): unknown;
}

export type LevelIterator = ReturnType<NodeLevel["iterator"]>;

export interface LevelRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
  readonly reverse?: boolean;
}

const MIB = 1024 * 1024;
const OPTIONS = Object.freeze({
  keyEncoding: "buffer",
  valueEncoding: "buffer",
  // Sealed bytes do not compress, and in plain stores snappy would hide bytes from a scan for erased ones.
  compression: false,
  // LevelDB maps its tables into memory; mapped blocks bypass the block cache, and what has been touched of a table counts
  // as our memory. So the bound is open tables × table size: 64 × 1 MiB, the least that LevelDB 1.20 accepts of both.
  cacheSize: 8 * MIB,
  maxFileSize: MIB,
  maxOpenFiles: 74,
  // Twice the default: less is compacted, for at most 8 MiB of memory.
  writeBufferSize: 8 * MIB,
});
/** Values that must not be lost with the page cache. */
const SYNCED = Object.freeze({ sync: true });
const UNSYNCED = Object.freeze({ sync: false });
/** Bytes an iterator may hold in memory. */
const ITERATOR_BYTES = 256 * 1024;

const nothing = (): void => undefined;
const always = (): boolean => true;

export class LevelDb {
  readonly #dir: string;
  readonly #disk: Disk;
  #db: NodeLevel;
  #broken = false;
  /** Batches were written that power loss can take. */
  #unsynced = false;
  /** Logs whose names power loss does not take. */
  #logs: ReadonlySet<string> = new Set();
  #reopening = false;
  #turn: Promise<void> = Promise.resolve();

  private constructor(dir: string, db: NodeLevel, disk: Disk) {
    this.#dir = dir;
    this.#db = db;
    this.#disk = disk;
  }

  /** @throws MemfsError `locked`, `damaged`, `no_space`, `io` */
  static async open(dir: string, disk = systemDisk): Promise<LevelDb> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const real = await realpath(dir);
    if (openDirs.has(real)) throw new MemfsError("locked", `the database in ${dir} ${SAYS.locked}`);
    openDirs.add(real);
    try {
      return new LevelDb(real, await openLevel(real), disk);
    } catch (error) {
      openDirs.delete(real);
      throw error;
    }
  }

  /** True while it is being closed and opened again after a failed write: nothing can be read for a moment. */
  get reopening(): boolean {
    return this.#reopening;
  }

  /** @throws MemfsError `damaged`, `io` */
  get(key: Buffer): Buffer | undefined {
    try {
      return this.#db.getSync(key);
    } catch (error) {
      throw levelError(this.#dir, error);
    }
  }

  /** Sees the database as it is now, whatever is written later. */
  iterator(range: LevelRange): LevelIterator {
    try {
      return this.#db.iterator({ ...range, highWaterMarkBytes: ITERATOR_BYTES } as LevelRange);
    } catch (error) {
      throw levelError(this.#dir, error);
    }
  }

  async next(iterator: LevelIterator, size: number): Promise<[Buffer, Buffer][]> {
    try {
      return (await iterator.nextv(size)) as [Buffer, Buffer][];
    } catch (error) {
      throw levelError(this.#dir, error);
    }
  }

  /**
   * Fills a batch and writes it, all or nothing. What `durable` says of survives power loss then, with all that was written
   * before it: that does so before this batch is written. Other batches cost no sync.
   *
   * INVARIANT: after a failed write nothing is written until LevelDB has been opened again. It goes on behind the
   * unfinished record in its log, and on recovery everything behind that is dropped in silence (LevelDB 1.20,
   * `Writer::EmitPhysicalRecord`).
   * @throws MemfsError `no_space`, `io`, `damaged`
   */
  write<T>(fill: (batch: LevelBatch) => T | Promise<T>, durable: (filled: T) => boolean = always): Promise<T> {
    return this.#inTurn(async () => {
      await requireFree(this.#dir, { reserve: RESERVE, bytes: 0 });
      const batch = this.#db.batch();
      try {
        const result = await fill(batch);
        const synced = durable(result);
        // LevelDB reads its log on behind a hole, so a checkpoint must not get there before what it speaks for.
        if (synced && this.#unsynced) await this.#risk(syncLevelLogs(this.#dir, this.#disk));
        this.#unsynced = !synced;
        await this.#risk(batch.write(synced ? SYNCED : UNSYNCED));
        if (synced) this.#logs = await syncLogNames(this.#dir, this.#disk, this.#logs);
        return result;
      } finally {
        await batch.close();
      }
    });
  }

  /**
   * Removes all keys of the range so that their bytes are gone from the files, not only from view. A value written and
   * deleted within one memtable would stay in a table through any number of compactions: hence first a compaction, and
   * then sentinels at both ends that make the next ones rewrite every table of the range.
   */
  async erase(range: LevelRange, sentinels: readonly Buffer[], onCleared: () => void): Promise<void> {
    const marker = Buffer.from("erased", "latin1");
    await this.#compact(range);
    await this.#inTurn(() => this.#risk(this.#db.clear(range)));
    onCleared();
    await this.write((batch) => sentinels.forEach((key) => batch.put(key, marker)));
    await this.#compact(range);
    await this.write((batch) => sentinels.forEach((key) => batch.del(key)));
    await this.#compact(range);
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#db.close();
    openDirs.delete(this.#dir);
  }

  #compact(range: LevelRange): Promise<void> {
    return this.#inTurn(() => this.#risk(this.#db.compactRange(range.gte, range.lt)));
  }

  /** One writer at a time, and none after a failure before the database is open again. */
  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const turn = before.then(async () => {
      if (this.#broken) await this.#reopen();
      return run();
    });
    this.#turn = turn.then(nothing, nothing);
    try {
      return await turn;
    } catch (error) {
      throw levelError(this.#dir, error);
    }
  }

  async #risk(write: Promise<void>): Promise<void> {
    this.#broken = true;
    await write;
    this.#broken = false;
  }

  /** Opening writes tables from the log: only with room for that is the readable database given up for it. */
  async #reopen(): Promise<void> {
    await requireFree(this.#dir, { reserve: 2 * RESERVE, bytes: 0 });
    this.#reopening = true;
    try {
      await this.#db.close();
      this.#db = await openLevel(this.#dir);
      this.#broken = false;
    } finally {
      this.#reopening = false;
    }
  }
}

/**
 * Directories open in this process. LevelDB locks with fcntl, whose lock a process loses as soon as it closes any
 * descriptor of the file — also that of a second attempt to open the same database. So no second attempt is made.
 */
const openDirs = new Set<string>();

async function openLevel(dir: string): Promise<NodeLevel> {
  const db = new Level<Buffer, Buffer>(dir, OPTIONS) as NodeLevel;
  try {
    await db.open();
    return db;
  } catch (error) {
    throw levelError(dir, error);
  }
}

const CAUSES = [
  [/LEVEL_LOCKED/, "locked"],
  [/LEVEL_CORRUPTION|does not exist \(create_if_missing|missing files/, "damaged"],
  [/No space left on device|Disk quota exceeded|File too large/, "no_space"],
] as const;

const SAYS = Object.freeze({
  locked: "is in use; stop the daemon that uses it (memfs daemon stop) or use another MEMFS_HOME",
  damaged: "is damaged; restore the home from a backup",
  no_space: "cannot be written: no space left; free some space on the disk",
  io: "cannot be read or written; check the disk",
});

function levelError(dir: string, error: unknown): MemfsError {
  if (error instanceof MemfsError) return error;
  const text = causes(error);
  const code = CAUSES.find(([pattern]) => pattern.test(text))?.[1] ?? "io";
  return new MemfsError(code, `the database in ${dir} ${SAYS[code]}`, { cause: error });
}

/** Codes and messages of an error and its causes; the binding's reason is the innermost. */
function causes(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return `${code} ${error.message} ${error.cause === undefined ? "" : causes(error.cause)}`;
}
