/**
 * The format version of everything below the key-value interface: key layout, framing, checkpoint.
 * Checked on open, never overwritten on a mismatch.
 */
import { MemfsError } from "../errors.ts";
import { CHECKPOINT_KEY } from "./applier.ts";
import { EMPTY_CHECKPOINT, encodeCheckpoint } from "./checkpoint.ts";
import { OWN_SPACE, physicalKey, spaceStart } from "./key.ts";
import type { Key } from "./kv.ts";
import type { LevelDb } from "./leveldb.ts";

/** Brings a database from one version to the next. May run again after a crash, so it must tolerate its own result. */
export type UpgradeStep = (db: LevelDb) => Promise<void>;

export interface Format {
  readonly version: number;
  /** The step that leads away from each older version that can still be opened. */
  readonly upgrades: ReadonlyMap<number, UpgradeStep>;
}

/**
 * What this memfs writes. Format 1 was never released, so there is no step that leads away from it. Format 3 has value
 * files, which a memfs that knows format 2 would overlook: everything that was there before stays as it is.
 */
export const FORMAT: Format = Object.freeze({
  version: 3,
  upgrades: new Map<number, UpgradeStep>([[2, () => Promise.resolve()]]),
});

const FORMAT_KEY: Key = "format";
const VERSION_SIZE = 4;
/** After the last physical key of any space. */
const END = Buffer.alloc(VERSION_SIZE, 0xff);

/**
 * The version found, or null for a database without any data.
 * @throws MemfsError `format_newer`; `damaged` when there is data without a version, or a version without an upgrade
 */
export async function readFormat(db: LevelDb, format: Format): Promise<number | null> {
  const bytes = db.get(physicalKey(OWN_SPACE, FORMAT_KEY));
  if (bytes === undefined) {
    if (await isEmpty(db)) return null;
    throw new MemfsError("damaged", "the database has no format version; restore the home from a backup");
  }
  const found = bytes.length === VERSION_SIZE ? bytes.readUInt32BE(0) : 0;
  if (found > format.version) {
    throw new MemfsError(
      "format_newer",
      `the database has format ${found}, this memfs knows ${format.version}; use a newer memfs, nothing was changed`,
      { detail: { found, known: format.version } },
    );
  }
  for (let version = found; version < format.version; version++) {
    if (format.upgrades.has(version)) continue;
    throw new MemfsError(
      "damaged",
      `the database has format ${found}, from before the first release, and cannot be upgraded; use another MEMFS_HOME`,
    );
  }
  return found;
}

/** Makes an empty database one of this format. */
export async function writeFormat(db: LevelDb, format: Format): Promise<void> {
  await db.write((batch) => {
    batch.put(physicalKey(OWN_SPACE, FORMAT_KEY), encodeVersion(format.version));
    batch.put(physicalKey(OWN_SPACE, CHECKPOINT_KEY), encodeCheckpoint(EMPTY_CHECKPOINT));
  });
}

/** Runs the steps from `found` on. The redo log must be drained: its records are of the old format. */
export async function upgradeFormat(db: LevelDb, found: number, format: Format): Promise<void> {
  for (let version = found; version < format.version; version++) {
    await format.upgrades.get(version)?.(db);
    // Only now: a crash within the step repeats it, and never skips it.
    await db.write((batch) => batch.put(physicalKey(OWN_SPACE, FORMAT_KEY), encodeVersion(version + 1)));
  }
}

async function isEmpty(db: LevelDb): Promise<boolean> {
  const iterator = db.iterator({ gte: spaceStart(OWN_SPACE), lt: END });
  try {
    return (await db.next(iterator, 1)).length === 0;
  } finally {
    await iterator.close();
  }
}

function encodeVersion(version: number): Buffer {
  const bytes = Buffer.alloc(VERSION_SIZE);
  bytes.writeUInt32BE(version);
  return bytes;
}
