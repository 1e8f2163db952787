/** Attaching a connection to a directory, and letting go of it. */

import { closeSync, constants, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { MemfsError } from "../../../lib/errors.ts";
import type { AttachOptions } from "../driver.ts";
import { resolveMountpoint } from "../resolve-mountpoint.ts";
import { MAX_TRANSFER } from "./abi.ts";
import { Errno, errnoName } from "./errno.ts";
import { mountAsUser, unmountAsUser } from "./fusermount.ts";
import type { Syscalls } from "./syscalls.ts";

const DEVICE = "/dev/fuse";

/** The part after the dot is what `/proc/mounts` shows instead of plain `fuse`. */
const TYPE = "fuse.memfs";

/** Flags of mount(2) and umount2(2). */
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** A mounted connection. */
export interface Connection {
  /** Non-blocking, close-on-exec; the kernel ends the mount when it is closed. */
  readonly fd: number;
  /** The mountpoint without symbolic links. */
  readonly path: string;
}

/** Bit of the capability in the sets of `/proc/PID/status`, see capabilities(7). */
const CAP_SYS_ADMIN = 21n;

/**
 * Mounts a new connection on a directory: by mount(2) where this process may (root, also of a user namespace), else
 * through `fusermount3`. No call here blocks this thread on a path: it may lead through a mount that this thread serves.
 * @throws MemfsError `fuse_unavailable`, `not_permitted`, `access_denied`, `mountpoint_missing`, `mountpoint_unusable`
 */
export async function connect(calls: Syscalls, options: AttachOptions): Promise<Connection> {
  const path = await resolveMountpoint(options.mountpoint);
  if (!(await mayMount())) return { fd: await mountAsUser(path, options), path };
  try {
    return { fd: await mountDirectly(calls, path, options), path };
  } catch (refused) {
    if (!isForbidden(refused)) throw refused;
    // A container may forbid mount(2) even to its root, and offer a fusermount3 that has somebody outside mount.
    const fd = await mountAsUser(path, options).catch(() => Promise.reject(refused as Error));
    return { fd, path };
  }
}

/**
 * Unmounts; with `lazy` also what is in use, which then lives on without a name until it is closed. A path that is no
 * mountpoint any more is fine: somebody was faster. The last segment of `path` is not followed.
 * @throws MemfsError `mountpoint_busy`, `fuse_unavailable`, `io`
 */
export async function disconnect(calls: Syscalls, path: string, options: { lazy: boolean }): Promise<void> {
  // In the thread pool: the kernel may have to ask filesystems, and must never find this thread waiting for it.
  const result = await calls.umountLater(path, UMOUNT_NOFOLLOW | (options.lazy ? MNT_DETACH : 0));
  if (result >= 0 || result === -Errno.EINVAL || result === -Errno.ENOENT) return;
  if (result === -Errno.EPERM) return unmountAsUser(path, options);
  if (result === -Errno.EBUSY) {
    throw new MemfsError("mountpoint_busy", `${path} is in use; close what is open in it, or detach it lazily`);
  }
  throw new MemfsError("io", `${path} could not be unmounted (${errnoName(-result)}); try: umount -l ${path}`);
}

async function mayMount(): Promise<boolean> {
  const status = await readFile("/proc/self/status", "latin1").catch(() => "");
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

async function mountDirectly(calls: Syscalls, path: string, options: AttachOptions): Promise<number> {
  const fd = openDevice();
  try {
    const result = await calls.mountLater({
      source: options.source,
      target: path,
      type: TYPE,
      flags: mountFlags(options),
      data: mountData(fd, options),
    });
    if (result < 0) throw mountError(-result, options.mountpoint);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** Whether the host refused for want of rights, which a helper may have. */
function isForbidden(error: unknown): boolean {
  return error instanceof MemfsError && error.detail["forbidden"] === true;
}

function forbidden(what: string, advice: string, cause?: unknown): MemfsError {
  return new MemfsError("fuse_unavailable", `${what}; ${advice}`, { cause, detail: { forbidden: true } });
}

function openDevice(): number {
  try {
    // libuv adds O_CLOEXEC.
    return openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const what = `${DEVICE} cannot be opened (${code})`;
    if (code === "EACCES" || code === "EPERM") {
      throw forbidden(
        what,
        `open it as root of the host with: chmod 666 ${DEVICE}; a container needs the device`,
        cause,
      );
    }
    throw new MemfsError("fuse_unavailable", `${what}; load the fuse module (modprobe fuse)`, { cause });
  }
}

function mountFlags({ readOnly, suid, dev }: AttachOptions): number {
  return (readOnly ? MS_RDONLY : 0) | (suid ? 0 : MS_NOSUID) | (dev ? 0 : MS_NODEV);
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
    const advice = "run as root; a container needs CAP_SYS_ADMIN and its profile must allow mounting";
    return forbidden(`mounting on ${mountpoint} is not permitted (${name})`, advice);
  }
  if (errno === Errno.ENODEV) {
    return new MemfsError("fuse_unavailable", "the kernel has no FUSE; load the module (modprobe fuse)");
  }
  return new MemfsError(
    "mountpoint_unusable",
    `mounting on ${mountpoint} failed with ${name}; choose another directory`,
  );
}
