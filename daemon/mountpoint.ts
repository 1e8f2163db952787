/** What must hold of a directory before something is mounted on it, and clearing what a dead daemon left there. */

import { lstat, readdir, realpath, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MemfsError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { disconnect } from "./fuse/kernel/mount.ts";
import { syscalls } from "./fuse/kernel/syscalls.ts";
import { isMemfs, liesWithin, readMountinfo } from "../lib/mountinfo.ts";

/** Milliseconds after which a filesystem that does not answer counts as hung. */
const PATIENCE = 5000;

/** Where the mounts of this daemon are: paths it must not ask, because it would have to answer itself. */
export interface MountpointContext {
  readonly home: string;
  readonly mounted: readonly string[];
  readonly log: Logger;
}

/**
 * The real path of a directory that can be mounted on. A memfs mount whose daemon is dead is cleared away first.
 * @throws MemfsError `invalid_argument`, `access_denied`, `mountpoint_missing`, `mountpoint_unusable`, `mountpoint_busy`
 */
export async function prepareMountpoint(path: string, context: MountpointContext): Promise<string> {
  if (!path.startsWith("/") || path.includes("\0")) {
    throw new MemfsError("invalid_argument", `the mountpoint ${path} is not absolute; give its full path`);
  }
  const real = await resolveMountpoint(path, context);
  refuseHome(real, context.home);
  const entries = await withPatience(readdir(real), real).catch((error: unknown) => {
    throw unusable(real, error);
  });
  if (entries.length > 0) {
    throw new MemfsError("mountpoint_unusable", `${real} is not empty; mount on an empty directory`);
  }
  return real;
}

async function resolveMountpoint(path: string, context: MountpointContext): Promise<string> {
  const parent = await withPatience(realpath(dirname(path)), path).catch((error: unknown) => {
    throw unusable(path, error);
  });
  const place = path === "/" ? "/" : join(parent, lastSegment(path));
  await refuseMounted(place, context);
  // Not a mount of memfs, or not any more: it can be asked.
  const stat = await withPatience(lstat(place), place).catch((error: unknown) => {
    throw unusable(place, error);
  });
  if (stat.isSymbolicLink()) {
    const real = await realpath(place).catch((error: unknown) => {
      throw unusable(place, error);
    });
    if (real !== place) return resolveMountpoint(real, context);
  }
  if (!stat.isDirectory()) {
    throw new MemfsError("mountpoint_unusable", `${place} is not a directory; mount on an empty directory`);
  }
  return place;
}

async function refuseMounted(place: string, context: MountpointContext): Promise<void> {
  const memfs = (await readMountinfo()).filter(isMemfs);
  const around = memfs.find((mount) => mount.mountpoint !== place && liesWithin(place, mount.mountpoint));
  if (around !== undefined) {
    throw new MemfsError(
      "mountpoint_unusable",
      `${place} is inside the memfs mount ${around.mountpoint}; mount on a directory outside of it`,
    );
  }
  if (!memfs.some((mount) => mount.mountpoint === place)) return;
  if (context.mounted.includes(place) || !(await clearIfDead(place, context.log))) {
    throw new MemfsError(
      "mountpoint_busy",
      `${place} is already mounted; unmount it first with: memfs umount ${place}`,
    );
  }
}

/**
 * Detaches the memfs mounts at `place` whose daemon is dead; false when one is alive. Only for paths where this
 * daemon has nothing mounted.
 */
export async function clearIfDead(place: string, log: Logger): Promise<boolean> {
  for (;;) {
    if (!(await readMountinfo()).some((mount) => mount.mountpoint === place && isMemfs(mount))) return true;
    if (!(await isDead(place))) return false;
    await disconnect(syscalls(), place, { lazy: true }).catch((cause: unknown) => {
      const advice = `its owner or root can remove it with: fusermount3 -u -z ${place}`;
      throw new MemfsError("mountpoint_busy", `${place} is a dead mount; ${advice}`, { cause });
    });
    log.info("cleared a mount that a dead daemon left", { mountpoint: place });
  }
}

/**
 * A FUSE connection without its daemon refuses every request with ENOTCONN. Attributes would not tell: the kernel may
 * have them cached for ever. STATFS is never cached.
 */
async function isDead(place: string): Promise<boolean> {
  try {
    await withPatience(statfs(place), place);
    return false;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === "ENOTCONN" || code === "ECONNABORTED";
  }
}

function refuseHome(place: string, home: string): void {
  if (liesWithin(home, place) || liesWithin(place, home)) {
    const how = place === home ? "is" : liesWithin(home, place) ? "contains" : "is inside";
    throw new MemfsError("mountpoint_unusable", `${place} ${how} the home of memfs (${home}); mount elsewhere`);
  }
}

/** A hung network filesystem must cost a refusal, not a thread of the caller's patience. */
async function withPatience<T>(work: Promise<T>, path: string): Promise<T> {
  const given = new AbortController();
  const late = sleep(PATIENCE, null, { signal: given.signal, ref: false }).then(() => {
    throw new MemfsError("mountpoint_unusable", `${path} does not answer; mount elsewhere`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    given.abort();
  }
}

function unusable(path: string, error: unknown): MemfsError {
  if (error instanceof MemfsError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  if (code === "ENOENT") {
    return new MemfsError("mountpoint_missing", `${path} does not exist; make it with: mkdir -p ${path}`, {
      cause: error,
    });
  }
  if (code === "ENOTDIR") {
    return new MemfsError("mountpoint_unusable", `${path} is not a directory; mount on an empty directory`, {
      cause: error,
    });
  }
  if (code === "EACCES") {
    return new MemfsError("access_denied", `${path} is closed to this user; mount on an empty directory of your own`, {
      cause: error,
    });
  }
  return new MemfsError("mountpoint_unusable", `${path} cannot be used (${code}); mount elsewhere`, { cause: error });
}

function lastSegment(path: string): string {
  const segment = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  if (segment === "." || segment === "..") {
    throw new MemfsError("invalid_argument", `the mountpoint ${path} ends in ${segment}; give its full path`);
  }
  return segment;
}
