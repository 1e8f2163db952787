/** The directory that a mountpoint really is. */

import { realpath, stat } from "node:fs/promises";
import { MemfsError } from "../../lib/errors.ts";

/** Its path without symbolic links. @throws MemfsError `mountpoint_missing`, `mountpoint_unusable` */
export async function resolveMountpoint(mountpoint: string): Promise<string> {
  let directory: boolean;
  let path: string;
  try {
    path = await realpath(mountpoint);
    directory = (await stat(path)).isDirectory();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      throw new MemfsError("mountpoint_missing", `${mountpoint} does not exist; make the directory first`, { cause });
    }
    const { message } = cause as Error;
    throw new MemfsError("mountpoint_unusable", `${mountpoint} cannot be reached: ${message}; mount elsewhere`, {
      cause,
    });
  }
  if (!directory) throw new MemfsError("mountpoint_unusable", `${mountpoint} is not a directory; mount on one`);
  return path;
}
