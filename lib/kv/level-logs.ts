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
  for (const name of await readdir(dir)) if (name.endsWith(".log")) await syncLog(join(dir, name), disk);
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
