/** The durable key-value store: LevelDB behind a redo log. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { systemClock } from "../clock.ts";
import { MemfsError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { Applier, CHECKPOINT_KEY } from "./applier.ts";
import { decodeCheckpoint } from "./checkpoint.ts";
import type { Checkpoint, Withheld } from "./checkpoint.ts";
import { Deferred } from "./deferred.ts";
import type { Disk } from "./disk.ts";
import { diskError, fullError, systemDisk } from "./disk.ts";
import { FORMAT, readFormat, upgradeFormat, writeFormat } from "./format.ts";
import { MAX_SPACE, OWN_SPACE, physicalKey, spaceStart } from "./key.ts";
import { Batch } from "./batch.ts";
import type { Extent } from "./extent.ts";
import type { Entry, Key, Kv, Origin, Place, Range, Sealer, Separation, Space } from "./kv.ts";
import { DATABASE_DIR, REDO_DIR, VALUES_DIR } from "./layout.ts";
import type { Bounds, LevelKvOptions } from "./level-options.ts";
import { LevelDb } from "./leveldb.ts";
import { LevelSpace, type SpaceOwner } from "./level-space.ts";
import type { OnPoint } from "./points.ts";
import { RedoLog, ROTATE_SIZE } from "./redo-log.ts";
import { redoNumbers } from "./redo-reader.ts";
import { Replay } from "./replay.ts";
import { scanPages } from "./scan.ts";
import { ValueFiles } from "./value-files.ts";

const MIB = 1024 * 1024;

/** Bytes of appended values that are made durable without being asked to: bounds what the next start reads again. */
const UNSYNCED_VALUES = 128 * MIB;
const BOUNDS: Bounds = Object.freeze({ soft: 16 * MIB, hard: 64 * MIB });

/**
 * Opens the database and replays the redo log.
 * @throws MemfsError `locked` when another process has it open; `format_newer`, with nothing changed; `damaged`, naming
 * what is damaged; `no_space`, `io`
 */
export async function openLevelKv(options: LevelKvOptions): Promise<Kv> {
  await makeDirectories(options.dir, options.disk ?? systemDisk);
  const db = await LevelDb.open(join(options.dir, DATABASE_DIR), options.disk);
  try {
    return await open(db, options);
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** All of them survive power loss before there is anything in one: what is in the others would miss it. */
async function makeDirectories(home: string, disk: Disk): Promise<void> {
  try {
    for (const name of [DATABASE_DIR, REDO_DIR, VALUES_DIR]) {
      await mkdir(join(home, name), { recursive: true, mode: 0o700 });
    }
    await disk.syncDirectory(home);
  } catch (error) {
    throw diskError(`cannot make the database's directories in ${home}`, error);
  }
}

async function open(db: LevelDb, options: LevelKvOptions): Promise<Kv> {
  const { log, format = FORMAT, disk = systemDisk, onPoint = () => undefined, clock = systemClock } = options;
  const dir = join(options.dir, REDO_DIR);
  const found = await readFormat(db, format);
  if (found === null) {
    if (redoNumbers(dir).length > 0) {
      throw new MemfsError("damaged", `the database of ${dir} is missing or empty; restore the home from a backup`);
    }
    await writeFormat(db, format);
  }
  const checkpoint = decodeCheckpoint(db.get(physicalKey(OWN_SPACE, CHECKPOINT_KEY)));
  const replay = new Replay(checkpoint, options.sealerOf);
  const valuesDir = join(options.dir, VALUES_DIR);
  const values = new ValueFiles(valuesDir, disk, options.valueRotateSize);
  const redo = await RedoLog.open({
    ...{ dir, checkpoint, disk, log, onPoint, rotateSize: options.rotateSize ?? ROTATE_SIZE },
    replay: (record, where) => replay.record(record, where),
    verify: (extent) => values.verify(extent, replay.sealer(extent.space)),
    spoilt: (extent) => values.leave(extent),
  });
  let kv: Kv | null = null;
  try {
    replay.finish();
    kv = new LevelKv(
      { db, redo, values, replay, log, bounds: options.bounds ?? BOUNDS, onPoint },
      checkpoint.applied,
      clock,
    );
    if (found !== null && found < format.version) {
      await kv.drain();
      await upgradeFormat(db, found, format);
    }
    return kv;
  } catch (error) {
    await (kv ?? redo).close();
    throw error;
  }
}

interface Parts {
  readonly db: LevelDb;
  readonly redo: RedoLog;
  readonly values: ValueFiles;
  readonly replay: Replay;
  readonly log: Logger;
  readonly bounds: Bounds;
  readonly onPoint: OnPoint;
}

class LevelKv implements Kv, SpaceOwner {
  readonly #db: LevelDb;
  readonly #redo: RedoLog;
  readonly #values: ValueFiles;
  readonly #log: Logger;
  readonly #bounds: Bounds;
  readonly #onPoint: OnPoint;
  readonly #applier: Applier;
  readonly #sealers = new Map<number, Sealer>();
  readonly #separations = new Map<number, Separation>();
  readonly #withheld: Map<number, Withheld>;
  readonly #destroyed = new Set<number>();
  readonly #deferred = new Deferred(
    (space) => this.#recordDeferred(space),
    (error) => this.#log.warn("redo log: a change cannot be recorded yet", { error: String(error) }),
  );
  #relieved: { readonly promise: Promise<void>; readonly resolve: () => void } | null = null;
  #closing: Promise<void> | null = null;

  constructor(parts: Parts, applied: number, clock: Clock) {
    const { db, redo, values, replay, log, bounds, onPoint } = parts;
    this.#db = db;
    this.#redo = redo;
    this.#values = values;
    this.#log = log;
    this.#bounds = bounds;
    this.#onPoint = onPoint;
    this.#withheld = replay.withheld;
    for (const [space, sealer] of replay.sealers) if (sealer !== null) this.#sealers.set(space, sealer);
    const options = {
      ...{ db, clock, log, onPoint },
      eager: bounds.soft / 2,
      sealerOf: (space: number) => this.#sealerOf(space),
      checkpoint: (seq: number) => ({ applied: seq, newestFile: redo.durableFile, withheld: new Map(this.#withheld) }),
      separationOf: (space: number) => this.#separations.get(space),
      append: (space: number, separated: readonly Buffer[]) =>
        values.append(space, { sealer: this.#sealerOf(space), values: separated, written: () => undefined }),
      syncValues: () => values.sync(),
      syncRecords: (through: number) => redo.sync().then(() => redo.promise(through)),
      syncs: () => redo.syncs,
      urgent: () => values.unsynced >= UNSYNCED_VALUES,
      release: (written: Checkpoint) => redo.release(written),
      attempted: () => this.#relieve(),
    };
    this.#applier = new Applier(options, { applied, replayed: replay.overlay });
    this.#applier.wake();
  }

  space(id: number, sealer: Sealer, separation?: Separation): Space {
    this.check(OWN_SPACE);
    if (!Number.isInteger(id) || id <= OWN_SPACE || id > MAX_SPACE) {
      throw new MemfsError("invalid_argument", `${id} is no space id; it must be from 1 to ${MAX_SPACE}`);
    }
    if (this.#withheld.has(id)) {
      throw new MemfsError(
        "bad_key",
        `changes of space ${id} in the redo log could not be opened without its key; restore the key file and restart`,
      );
    }
    this.#sealers.set(id, sealer);
    if (separation !== undefined) this.#separations.set(id, separation);
    return new LevelSpace(this, id, sealer);
  }

  withheld(): readonly number[] {
    return [...this.#withheld.keys()];
  }

  discard(id: number): void {
    this.check(OWN_SPACE);
    if (!this.#withheld.delete(id)) return;
    // When this fails, it is done with the next change; and after a crash they are withheld again.
    this.#applier.checkpoint().catch(() => undefined);
  }

  async sync(): Promise<void> {
    this.check(OWN_SPACE);
    this.#deferred.record();
    const through = this.#redo.lastSeq;
    // Before the log, so that no synced record refers to what is not there.
    if (!this.#values.synced) await this.#syncValues(through);
    if (!this.#redo.suspect) {
      try {
        await this.#redo.sync();
        this.#redo.promise(through);
        return;
      } catch {
        // Told already.
      }
    }
    // LevelDB syncs for itself what it takes, so what is there is durable whatever the log's own disk blocks say.
    await this.drain();
  }

  async #syncValues(through: number): Promise<void> {
    await this.#values.sync();
    if (this.#closing !== null) return;
    try {
      const seq = this.#redo.appendValuesSynced(through);
      if (seq !== null) this.#applier.note(seq);
    } catch {
      // Only damage would be taken for power loss at the next start.
    }
  }

  async drain(): Promise<void> {
    this.check(OWN_SPACE);
    this.#deferred.record();
    await this.#applier.drain();
  }

  /** Only while waiting helps: when LevelDB fails, requests go on and commits are refused at the hard bound. */
  get pressed(): boolean {
    if (this.#db.reopening) return true;
    return this.#applier.failure === null && this.#applier.unapplied > this.#bounds.soft;
  }

  relieved(): Promise<void> {
    if (!this.pressed) return Promise.resolve();
    if (this.#relieved === null) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#relieved = { promise, resolve };
    }
    return this.#relieved.promise;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** @throws MemfsError `closed` */
  check(space: number): void {
    if (this.#closing !== null) throw new MemfsError("closed", "the database is closed; open it again");
    if (this.#destroyed.has(space)) throw new MemfsError("closed", `space ${space} is destroyed with its store`);
  }

  get(space: number, key: Key, sealer: Sealer): Buffer | undefined {
    this.check(space);
    const deferred = this.#deferred.get(space, key);
    const recent = deferred === undefined ? this.#applier.get(space, key) : deferred;
    if (recent !== undefined) return recent ?? undefined;
    const physical = physicalKey(space, key);
    const value = this.#db.get(physical);
    return value === undefined || value.length === 0 ? value : sealer.open(physical, value);
  }

  has(space: number, key: Key): boolean {
    this.check(space);
    const deferred = this.#deferred.get(space, key);
    const recent = deferred === undefined ? this.#applier.get(space, key) : deferred;
    return recent === undefined ? this.#db.get(physicalKey(space, key)) !== undefined : recent !== null;
  }

  scan(space: number, range: Range, sealer: Sealer): AsyncIterable<readonly Entry[]> {
    this.check(space);
    const { gte, lt, reverse = false, limit = Number.MAX_SAFE_INTEGER } = range;
    const iterator = this.#db.iterator({ gte: physicalKey(space, gte), lt: physicalKey(space, lt), reverse });
    const changes = this.#deferred.over(space, range, this.#applier.changes(space, range));
    return scanPages({ db: this.#db, iterator, sealer, changes, reverse, limit, check: () => this.check(space) });
  }

  commit(space: number, sealer: Sealer, change: { batch: Batch; origin: Origin | undefined; syncs: boolean }): void {
    this.check(space);
    if (change.batch.size === 0 && change.origin === undefined) return;
    if (this.#applier.unapplied >= this.#bounds.hard) throw this.#overfull();
    this.#deferred.join(space, change.batch, (batch) => {
      const seq = this.#redo.append(space, sealer, { batch, origin: change.origin });
      this.#onPoint("appended");
      // Before anything else is done with it: the disk takes longer than all of that.
      if (change.syncs && this.#values.synced && !this.#redo.suspect) this.#redo.begin();
      this.#applier.put(space, batch, seq);
    });
  }

  defer(space: number, batch: Batch): void {
    this.check(space);
    this.#deferred.add(space, batch);
  }

  append(space: number, sealer: Sealer, values: readonly Uint8Array[]): Promise<Place[]> {
    this.check(space);
    const written = (extent: Extent): void => {
      this.check(space);
      this.#onPoint("values");
      this.#applier.note(this.#redo.appendExtent(extent));
    };
    return this.#values.append(space, { sealer, values, written });
  }

  values(space: number): ValueFiles {
    this.check(space);
    return this.#values;
  }

  #recordDeferred(space: number): void {
    this.#deferred.join(space, new Batch(), (batch) => {
      this.#applier.put(space, batch, this.#redo.append(space, this.#sealerOf(space), { batch, origin: undefined }));
    });
  }

  async destroy(space: number): Promise<void> {
    this.check(OWN_SPACE);
    this.#destroyed.add(space);
    this.#withheld.delete(space);
    this.#deferred.drop(space);
    this.#applier.drop(space);
    // From here on no record of the space can be written; when the files so far are applied, they are unlinked.
    this.#redo.rotate();
    await this.#applier.checkpoint();
    const range = { gte: spaceStart(space), lt: spaceStart(space + 1) };
    // Only now: the records that tell of these values are not looked at any more.
    await this.#values.remove(space);
    await this.#db.erase(range, [range.gte, physicalKey(space, LAST_KEY)], () => this.#onPoint("erased"));
    this.#sealers.delete(space);
    this.#separations.delete(space);
  }

  #sealerOf(space: number): Sealer {
    const sealer = this.#sealers.get(space);
    if (sealer === undefined) throw new MemfsError("internal", `no sealer for space ${space}`);
    return sealer;
  }

  #overfull(): MemfsError {
    const failure = this.#applier.failure;
    if (failure === null) return fullError("the database does not keep up with the redo log");
    return new MemfsError(failure.code === "no_space" ? "no_space" : "io", failure.message, { cause: failure });
  }

  #relieve(): void {
    if (this.pressed) return;
    this.#relieved?.resolve();
    this.#relieved = null;
  }

  async #close(): Promise<void> {
    try {
      this.#deferred.stop();
      this.#deferred.record();
      await this.#applier.drain();
    } catch (error) {
      // Nothing is lost: the redo log has it, and the next start applies it.
      this.#log.warn("database: closed with changes only in the redo log", { error: String(error) });
    }
    await this.#applier.stop();
    this.#relieved?.resolve();
    this.#relieved = null;
    await this.#values.close();
    await this.#redo.close();
    await this.#db.close();
  }
}

/** Behind every key of a space. */
const LAST_KEY: Key = "\xff".repeat(64);
