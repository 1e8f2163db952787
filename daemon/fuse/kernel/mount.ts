/** Attaching a connection to a directory, and letting go of it. */

import { closeSync, constants, openSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { MemfsError } from "../../../lib/errors.ts";
import type { AttachOptions } from "../driver.ts";
import { MAX_TRANSFER } from "./abi.ts";
import { Errno, errnoName } from "./errno.ts";
import type { Syscalls } from "./syscalls.ts";

const DEVICE = "/dev/fuse";

/** The part after the dot is what `/proc/mounts` shows instead of plain `fuse`. */
const TYPE = "fuse.memfs";

/** Flags of mount(2) and umount2(2). */
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MNT_DETACH = 2;

/** A mounted connection. */
export interface Connection {
  /** Non-blocking, close-on-exec; the kernel ends the mount when it is closed. */
  readonly fd: number;
  /** The mountpoint without symbolic links. */
  readonly path: string;
}

/**
 * Mounts a new connection on a directory, as root (or in a user namespace) by mount(2). No call here blocks this
 * thread on a path: it may lead through a mount that this thread serves.
 * @throws MemfsError `fuse_unavailable`, `mountpoint_missing`, `mountpoint_unusable`
 */
export async function connect(calls: Syscalls, options: AttachOptions): Promise<Connection> {
  const path = await resolveMountpoint(options.mountpoint);
  const fd = openDevice();
  try {
    const result = await calls.mountLater({
      source: options.source,
      target: path,
      type: TYPE,
      flags: MS_NOSUID | MS_NODEV | (options.readOnly ? MS_RDONLY : 0),
      data: mountData(fd, options),
    });
    if (result < 0) throw mountError(-result, options.mountpoint);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, path };
}

/**
 * Unmounts; with `lazy` also what is in use, which then lives on without a name until it is closed. A path that is no
 * mountpoint any more is fine: somebody was faster.
 * @throws MemfsError `mountpoint_busy`, `io`
 */
export async function disconnect(calls: Syscalls, path: string, options: { lazy: boolean }): Promise<void> {
  const result = await calls.umountLater(path, options.lazy ? MNT_DETACH : 0);
  if (result >= 0 || result === -Errno.EINVAL || result === -Errno.ENOENT) return;
  if (result === -Errno.EBUSY) {
    throw new MemfsError("mountpoint_busy", `${path} is in use; close what is open in it, or detach it lazily`);
  }
  throw new MemfsError("io", `${path} could not be unmounted (${errnoName(-result)}); try: umount -l ${path}`);
}

async function resolveMountpoint(mountpoint: string): Promise<string> {
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

function openDevice(): number {
  try {
    // libuv adds O_CLOEXEC.
    return openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const advice = code === "ENOENT" || code === "ENODEV" ? "load the fuse module (modprobe fuse)" : "run as root";
    throw new MemfsError("fuse_unavailable", `${DEVICE} cannot be opened (${code}); ${advice}`, { cause });
  }
}

/**
 * `max_read` keeps READ within the answers this driver can hold, also where pages are larger than 4 KiB: a longer READ
 * cut short would look like the end of the file.
 */
function mountData(fd: number, options: AttachOptions): string {
  const data = [
    `fd=${String(fd)}`,
    "rootmode=40000",
    `user_id=${String(options.uid)}`,
    `group_id=${String(options.gid)}`,
    `max_read=${String(MAX_TRANSFER)}`,
  ];
  if (options.defaultPermissions) data.push("default_permissions");
  if (options.allowOther) data.push("allow_other");
  return data.join(",");
}

function mountError(errno: number, mountpoint: string): MemfsError {
  const name = errnoName(errno);
  if (errno === Errno.EPERM || errno === Errno.EACCES) {
    return new MemfsError("fuse_unavailable", `mounting on ${mountpoint} is not permitted (${name}); run as root`);
  }
  if (errno === Errno.ENODEV) {
    return new MemfsError("fuse_unavailable", "the kernel has no FUSE; load the module (modprobe fuse)");
  }
  return new MemfsError(
    "mountpoint_unusable",
    `mounting on ${mountpoint} failed with ${name}; choose another directory`,
  );
}
