/** Which processes use a mount: what `umount` says when it is busy. */

import { readdir, readFile, readlink } from "node:fs/promises";
import { liesWithin } from "../lib/mountinfo.ts";

/** A process and one thing it holds below the mountpoint. */
export interface MountUser {
  readonly pid: number;
  readonly program: string;
  readonly holds: "open file" | "working directory" | "root directory";
}

/**
 * Processes that hold something at or below `mountpoint`, as far as this process may see them.
 * Only reads links in /proc, which the kernel answers from its own memory: the mount itself is never asked.
 */
export async function usersOf(mountpoint: string): Promise<MountUser[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found: MountUser[] = [];
  for (const pid of pids) {
    const holds = await holdingOf(pid, mountpoint);
    if (holds !== null) found.push({ pid: Number(pid), program: await programOf(Number(pid)), holds });
  }
  return found;
}

async function holdingOf(pid: string, mountpoint: string): Promise<MountUser["holds"] | null> {
  const within = async (link: string): Promise<boolean> => liesWithin(await target(`/proc/${pid}/${link}`), mountpoint);
  if (await within("cwd")) return "working directory";
  if (await within("root")) return "root directory";
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const fd of descriptors) if (await within(`fd/${fd}`)) return "open file";
  return null;
}

/** Where a link of /proc points; empty when the process is gone or not ours to see. */
function target(link: string): Promise<string> {
  return readlink(link).catch(() => "");
}

/** Name of a process's program, or empty. */
export async function programOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trimEnd();
}

/** Processes that are named; the rest is counted. */
const NAMED_USERS = 5;

/** Who uses a mount, in words. */
export async function describeUsers(mountpoint: string): Promise<string> {
  const users = await usersOf(mountpoint);
  const named = users.slice(0, NAMED_USERS).map(({ pid, program, holds }) => `${program} (pid ${pid}, ${holds})`);
  if (users.length > NAMED_USERS) named.push(`${users.length - NAMED_USERS} more`);
  return named.length === 0 ? "a process that cannot be seen from here" : named.join(", ");
}
