/** What memfs needs of a host, looked at from outside: no daemon is started, nothing is changed. */

import { spawn, type StdioPipe, type StdioNull } from "node:child_process";
import { constants as fs, type Stats } from "node:fs";
import { access, lstat, open, readFile, stat, statfs } from "node:fs/promises";
import { release, userInfo } from "node:os";
import { dirname, join } from "node:path";
import type { DaemonStatus } from "../lib/api.ts";
import { MemfsError } from "../lib/errors.ts";
import { isMemfs, readMountinfo } from "../lib/mountinfo.ts";
import { findProgram } from "../lib/programs.ts";
import { VERSION } from "../lib/version.ts";
import { type Context, isAbsent } from "./context.ts";
import { size } from "./output.ts";

/** What was found. Warnings are worth knowing and keep nothing from working. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warning" | "problem";
  readonly message: string;
  /** What to do; null where nothing is to be done. */
  readonly advice: string | null;
}

type Result = Omit<Finding, "check">;

/** Oldest versions that are known to work, and from which on the kernel takes back names it was told. */
const NODE = [20, 19] as const;
const KERNEL = [4, 20] as const;
const KERNEL_WITH_EPOCH = [6, 16] as const;

/** Bytes on the disk of the home below which commits stop soon, and below which it is time to look. */
const DISK_FULL = 64 * 2 ** 20;
const DISK_LOW = 2 ** 30;

/** Milliseconds after which a mount that says nothing counts as hung. */
const PATIENCE = 3000;

const STDERR_ONLY: [StdioNull, StdioNull, StdioPipe] = ["ignore", "ignore", "pipe"];

const DEVICE = "/dev/fuse";
const FUSE_CONF = "/etc/fuse.conf";

/** Everything, in the order in which it builds upon each other. Never rejects. */
export async function examineHost(context: Context): Promise<Finding[]> {
  const checks: readonly (readonly [string, () => Promise<Result> | Result])[] = [
    ["node", nodeVersion],
    ["kernel", kernelVersion],
    ["device", fuseDevice],
    ["fusermount3", mountHelper],
    ["account", account],
    ["other users", otherUsers],
    ["home", () => homeRights(context.home.dir)],
    ["disk", () => diskSpace(context.home.dir)],
    ["daemon", () => daemon(context)],
    ["mounts", deadMounts],
  ];
  const findings: Finding[] = [];
  for (const [check, examine] of checks) {
    try {
      findings.push({ check, ...(await examine()) });
    } catch (error) {
      findings.push({ check, ...problem(`it cannot be examined (${String(error)})`, "look at that first") });
    }
  }
  return findings;
}

function ok(message: string): Result {
  return { status: "ok", message, advice: null };
}

function warning(message: string, advice: string): Result {
  return { status: "warning", message, advice };
}

function problem(message: string, advice: string): Result {
  return { status: "problem", message, advice };
}

const isRoot = process.getuid?.() === 0;

function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return a < major || (a === major && b < minor);
}

function nodeVersion(): Result {
  const { node } = process.versions;
  if (isOlder(node, NODE)) return problem(`Node ${node} is too old`, `install Node ${NODE.join(".")} or newer`);
  return ok(`Node ${node}`);
}

function kernelVersion(): Result {
  if (process.platform !== "linux") return problem(`${process.platform} is not Linux`, "use a Linux machine");
  const kernel = release();
  if (isOlder(kernel, KERNEL)) return problem(`Linux ${kernel} is too old`, `use Linux ${KERNEL.join(".")} or newer`);
  if (!isOlder(kernel, KERNEL_WITH_EPOCH)) return ok(`Linux ${kernel}`);
  const slower = "the kernel asks for every name each time";
  return warning(`Linux ${kernel}: ${slower}`, `Linux ${KERNEL_WITH_EPOCH.join(".")} is faster`);
}

async function fuseDevice(): Promise<Result> {
  const found = await lookAt(DEVICE);
  if (found === null) {
    return problem(`there is no ${DEVICE}`, "as root: modprobe fuse; a container needs --device /dev/fuse");
  }
  const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
  try {
    await (await open(DEVICE, fs.O_RDWR | fs.O_NONBLOCK)).close();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const advice = code === "EACCES" ? `as root: chmod 666 ${DEVICE}` : "as root: modprobe fuse";
    return problem(`${DEVICE} (mode ${mode}) cannot be opened: ${code}`, advice);
  }
  return ok(`${DEVICE} (mode ${mode}) can be opened`);
}

/** Only users need it: root mounts by itself. */
async function mountHelper(): Promise<Result> {
  const path = await findProgram("fusermount3", process.env);
  const install = "as root: apt install fuse3";
  if (path === null) return isRoot ? ok("not there; root does without") : problem("it is not there", install);
  const found = await stat(path);
  const setuid = found.uid === 0 && (found.mode & 0o4000) !== 0;
  if (setuid || isRoot) return ok(setuid ? `${path} is set-user-id root` : `${path}; root does without`);
  return warning(`${path} is not set-user-id root`, `unless it has that right otherwise, as root: chmod u+s ${path}`);
}

function account(): Result {
  try {
    return ok(userInfo().username);
  } catch {
    const who = `the user ${process.getuid?.() ?? "?"} has no account`;
    return isRoot ? ok(who) : problem(`${who}, and fusermount3 wants one`, "as root: add it to /etc/passwd");
  }
}

async function otherUsers(): Promise<Result> {
  if (isRoot) return ok("may enter the mounts of root");
  const text = await readFile(FUSE_CONF, "utf8").catch(() => "");
  const allowed = /^\s*user_allow_other\s*$/m.test(text);
  return ok(allowed ? "may be let in with --allow-other" : `cannot be let in: no user_allow_other in ${FUSE_CONF}`);
}

async function homeRights(dir: string): Promise<Result> {
  const found = await lookAt(dir);
  if (found === null) {
    const above = await firstAbove(dir);
    const writable = await access(above, fs.W_OK).then(
      () => true,
      () => false,
    );
    return writable ? ok(`${dir} is not there yet`) : problem(`${dir} cannot be made in ${above}`, "set MEMFS_HOME");
  }
  if (!found.isDirectory()) return problem(`${dir} is not a directory`, "set MEMFS_HOME");
  const uid = process.getuid?.() ?? 0;
  if (found.uid !== uid && !isRoot) return problem(`${dir} belongs to the user ${found.uid}`, "set MEMFS_HOME");
  const key = await lookAt(join(dir, "master.key"));
  if (key !== null && (key.mode & 0o077) !== 0) {
    return problem(`${dir}/master.key is readable by others`, `chmod 600 ${dir}/master.key`);
  }
  if ((found.mode & 0o022) !== 0) return problem(`others may write in ${dir}`, `chmod go-w ${dir}`);
  return ok(dir);
}

async function diskSpace(dir: string): Promise<Result> {
  const place = await firstAbove(dir);
  const { bavail, bsize, files, ffree } = await statfs(place);
  const free = bavail * bsize;
  if (free < DISK_FULL) return problem(`${size(free)} are free in ${place}`, "free some: commits stop soon");
  if (files > 0 && ffree === 0) return problem(`no inode is free in ${place}`, "remove files");
  if (free < DISK_LOW) return warning(`${size(free)} are free in ${place}`, "free some");
  return ok(`${size(free)} are free in ${place}`);
}

async function daemon(context: Context): Promise<Result> {
  let status: DaemonStatus | null = null;
  try {
    status = (await context.running()?.daemon()) ?? null;
  } catch (error) {
    if (!(error instanceof MemfsError)) throw error;
    if (!isAbsent(error)) return problem(error.message.replace(/; .*$/, ""), error.message.replace(/^.*?; /, ""));
  }
  if (status === null) return ok("none runs; the first command that needs it starts it");
  const { pid, version, mounts, fuse_protocol: protocol, absent_mountpoints: absent } = status;
  if (version !== VERSION) {
    return problem(`it has version ${version}, this command ${VERSION}`, "run: memfs daemon restart");
  }
  if (absent.length > 0) return warning(`persistent mounts are not there: ${absent.join(", ")}`, "see: memfs mounts");
  const spoken = protocol === null ? "" : `, FUSE ${protocol}`;
  return ok(`pid ${pid}, version ${version}, ${mounts} ${mounts === 1 ? "mount" : "mounts"}${spoken}`);
}

async function deadMounts(): Promise<Result> {
  const places = (await readMountinfo()).filter(isMemfs).map(({ mountpoint }) => mountpoint);
  const states = await Promise.all(places.map(async (place) => ({ place, state: await stateOf(place) })));
  const dead = states.filter(({ state }) => state === "dead").map(({ place }) => place);
  const hung = states.filter(({ state }) => state === "hung").map(({ place }) => place);
  if (dead.length > 0) {
    const clear = isRoot ? "umount -l" : "fusermount3 -u -z";
    const advice = `memfs daemon start clears those of this home; by hand: ${clear} ${dead[0] ?? ""}`;
    return problem(`Transport endpoint is not connected: ${dead.join(", ")}`, advice);
  }
  if (hung.length > 0) return problem(`no answer: ${hung.join(", ")}`, "see docs/operations.md, A mount hangs");
  return ok(`${places.length} of memfs, ${places.length === 0 ? "none" : "all"} answering`);
}

/**
 * STATFS is the one question that the kernel never answers from memory. Asked by another process, which may be left
 * waiting for a hung mount: a thread of this one could not. What is closed to us is somebody's and lives.
 */
function stateOf(place: string): Promise<"alive" | "dead" | "hung"> {
  const child = spawn("stat", ["-f", "--", place], { env: { ...process.env, LC_ALL: "C" }, stdio: STDERR_ONLY });
  return new Promise((resolve) => {
    let said = "";
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      child.stderr.destroy();
      child.unref();
      resolve("hung");
    }, PATIENCE);
    child.stderr.on("data", (text: Buffer) => (said += text.toString()));
    child.on("error", () => resolve("alive"));
    child.on("close", () => {
      clearTimeout(late);
      resolve(/not connected|connection abort/.test(said) ? "dead" : "alive");
    });
  });
}

/** Null when it is not there. */
async function lookAt(path: string): Promise<Stats | null> {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
}

/** The directory, or the closest one above it that is there. */
async function firstAbove(dir: string): Promise<string> {
  for (let place = dir; ; place = dirname(place)) {
    if ((await lookAt(place)) !== null || place === dirname(place)) return place;
  }
}
