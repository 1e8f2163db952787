// @ts-check
/** What `up` and `down` must know of the host before they ask the daemon. */
import { accessSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { hasCommand } from "./prepare.mjs";
import { ROOT, fail } from "./run.mjs";

/** Where `npm run up` mounts without an argument. */
export const DEFAULT_DIRECTORY = join(ROOT, "memory");

/** Why nothing can be mounted on this host, or null. */
export function fuseProblem() {
  if (process.platform !== "linux") return "mounting needs Linux; run this in a Linux machine or container";
  if (!existsSync("/dev/fuse")) {
    return "there is no /dev/fuse; run `modprobe fuse`, or start the container with --device /dev/fuse --cap-add SYS_ADMIN";
  }
  if (process.getuid?.() === 0) return null;
  if (!hasCommand("fusermount3")) return "there is no fusermount3; install the package fuse3, or run `sudo npm run up`";
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch {
    return "/dev/fuse is closed to users; open it with `sudo chmod 666 /dev/fuse`, or run `sudo npm run up`";
  }
  return null;
}

/**
 * The directory the caller means: his argument from where he stands (npm moves to the project's root), or the default.
 * The last part is not resolved: it may be a mount whose daemon is dead, which no call may touch.
 * @returns {string} absolute, its parent without symbolic links
 */
export function requestedDirectory() {
  const argument = process.argv[2];
  const path = argument === undefined ? DEFAULT_DIRECTORY : resolve(process.env["INIT_CWD"] ?? process.cwd(), argument);
  const parent = dirname(path);
  return join(existsSync(parent) ? realpathSync(parent) : parent, basename(path));
}

/**
 * The type of the filesystem mounted at `path` by the kernel's table, or null.
 * @param {string} path absolute, without symbolic links
 * @returns {string | null}
 */
export function mountedType(path) {
  const escaped = path.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  // The last one is on top.
  return lines.map((line) => line.split(" ")).findLast((fields) => fields[1] === escaped)?.[2] ?? null;
}

/**
 * Makes the directory to mount on; ends the script where it is something else.
 * @param {string} path not a mount point
 */
export function ensureDirectory(path) {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) mkdirSync(path, { recursive: true });
  else if (!found.isDirectory()) fail(`${path} is not a directory; choose another with: npm run up -- DIR`, 73);
}
