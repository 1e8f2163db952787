/** A directory to mount on for a while, that nobody else can reach. */

import { chmod, chown, mkdir, mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { MountRequest } from "../lib/api.ts";
import { MemfsError } from "../lib/errors.ts";

export interface TemporaryPlace {
  readonly directory: string;
  /** Removes it; never what is in it. */
  remove(): Promise<void>;
}

/**
 * The directory that is mounted on is hidden by the mount, so a private one above it decides who may enter.
 * @throws MemfsError `access_denied`
 */
export async function makeTemporaryPlace({ owner, allow_other: allowOther }: Rights): Promise<TemporaryPlace> {
  const directory = join(await makeTemporary(), "memory");
  const parent = dirname(directory);
  await mkdir(directory);
  if (allowOther === true) await chmod(parent, 0o755);
  if (owner !== undefined && process.getuid?.() === 0) await chown(parent, owner.uid, owner.gid);
  return {
    directory,
    remove: async () => {
      // Never recursively: should it still be mounted, what is in it is not ours to remove.
      await rmdir(directory);
      await rmdir(parent);
    },
  };
}

type Rights = Pick<MountRequest, "owner" | "allow_other">;

async function makeTemporary(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), "memfs-run-"));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const message = `no temporary directory can be made in ${tmpdir()} (${code}); set TMPDIR, or use --mount`;
    throw new MemfsError("access_denied", message, { cause });
  }
}
