/** Files that must be whole or absent after a crash. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes the entries of a directory (files created, renamed or removed in it) survive power loss. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces `path` by a file with these bytes: after a crash there is the old file or the new one, never a part.
 * Resolves when the new one survives power loss. `mode` counts from creation on, so a secret is never readable by others.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, "wx", mode);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}
