/** The write-ahead logs of LevelDB, `NNNNNN.log`: made durable all at once, after many batches. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Disk } from "./disk.ts";
import { diskError } from "./disk.ts";

/**
 * Makes every batch that LevelDB has taken survive power loss: LevelDB itself syncs only the log it writes to now. A log that
 * is gone has become a table, which LevelDB has synced. @throws MemfsError `no_space`, `io`
 */
export async function syncLevelLogs(dir: string, disk: Disk): Promise<void> {
  for (const name of await logNames(dir)) await syncLog(join(dir, name), disk);
}

/**
 * Makes the names of the logs survive power loss, if there are others than those `known` to. LevelDB does that for a new log only
 * when a table of the old one is finished; until then the whole log could be gone, with batches that were synced.
 * Resolves with the names. @throws MemfsError `no_space`, `io`
 */
export async function syncLogNames(dir: string, disk: Disk, known: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const names = await logNames(dir);
  if (names.every((name) => known.has(name))) return known;
  try {
    await disk.syncDirectory(dir);
  } catch (error) {
    throw diskError(`cannot sync ${dir}`, error);
  }
  return new Set(names);
}

async function logNames(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith(".log"));
}

async function syncLog(path: string, disk: Disk): Promise<void> {
  try {
    const file = await open(path, "r");
    try {
      await disk.datasync(file.fd);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw diskError(`cannot sync ${path}`, error);
  }
}
