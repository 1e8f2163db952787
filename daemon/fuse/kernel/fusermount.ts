/**
 * Mounting and unmounting for users who may not: `fusermount3` of libfuse is set-user-id root, mounts on directories the
 * user may write, and hands the descriptor of the connection over a socket.
 */

import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { MemfsError } from "../../../lib/errors.ts";
import { readMountinfo } from "../../../lib/mountinfo.ts";
import { findProgram } from "../../../lib/programs.ts";
import type { AttachOptions } from "../driver.ts";
import { MAX_TRANSFER } from "./abi.ts";
import { receiveDescriptor, socketPair } from "./descriptor-passing.ts";

const PROGRAM = "fusermount3";

/** Descriptor of the socket in the child, and the variable that tells it so. */
const SOCKET_FD = 3;
const SOCKET_VARIABLE = "_FUSE_COMMFD";

/** Milliseconds it gets: it only asks the kernel, but of a path that may lead over a network. */
const PATIENCE = 30_000;

/** What it says → the error, tried in this order. `place` is the mountpoint. */
const REFUSALS: readonly (readonly [RegExp, (place: string) => MemfsError])[] = [
  [
    /user_allow_other/,
    () =>
      new MemfsError(
        "not_permitted",
        "this host lets no other users into a user's mounts; put a line user_allow_other into /etc/fuse.conf, or leave --allow-other out",
      ),
  ],
  [
    /open \/dev\/fuse: Permission denied/,
    () => unavailable("/dev/fuse is closed to this user", "open it as root with: chmod 666 /dev/fuse"),
  ],
  [
    /\/dev\/fuse|fuse device not found/,
    () => unavailable("there is no usable /dev/fuse", "load the fuse module as root with: modprobe fuse"),
  ],
  [
    /no write access to mountpoint|not owned by user|bad mount point .*: Permission denied/,
    (place) =>
      new MemfsError("access_denied", `${place} belongs to another user; mount on an empty directory of your own`),
  ],
  [
    /could not determine username/,
    () => unavailable("this user has no account, and fusermount3 wants one", "add it to /etc/passwd as root"),
  ],
  [
    /too many FUSE filesystems/,
    () => unavailable("too many FUSE filesystems are mounted", "unmount one, or raise mount_max in /etc/fuse.conf"),
  ],
  [
    /mount failed: Operation not permitted/,
    () =>
      unavailable(
        `${PROGRAM} may not mount either`,
        `as root: chmod u+s $(command -v ${PROGRAM}); a container needs CAP_SYS_ADMIN`,
      ),
  ],
];

function unavailable(what: string, advice: string): MemfsError {
  return new MemfsError("fuse_unavailable", `${what}; ${advice}`);
}

/**
 * Mounts on a directory and returns the connection: non-blocking, close-on-exec.
 * @param path the mountpoint without symbolic links
 * @throws MemfsError `fuse_unavailable`, `not_permitted`, `access_denied`, `mountpoint_unusable`
 */
export async function mountAsUser(path: string, options: AttachOptions): Promise<number> {
  const [ours, theirs] = socketPair();
  try {
    const { code, said } = await runHelper(["-o", mountOptions(options), "--", path], theirs);
    if (code !== 0) throw refusal(path, said);
    // Sent before it exited, so nothing is waited for.
    const fd = receiveDescriptor(ours);
    if (fd !== null) return fd;
    await unmountAsUser(path, { lazy: true });
    throw unavailable(`${PROGRAM} has mounted ${path} without a word`, "install fuse3 anew");
  } finally {
    closeSync(theirs);
    closeSync(ours);
  }
}

/**
 * Unmounts what {@link mountAsUser} has mounted, by whichever process. What is not mounted any more is fine.
 * @throws MemfsError `mountpoint_busy`, `fuse_unavailable`, `io`
 */
export async function unmountAsUser(path: string, { lazy }: { lazy: boolean }): Promise<void> {
  const { code, said } = await runHelper(["-u", ...(lazy ? ["-z"] : []), "--", path]);
  if (code === 0 || !(await readMountinfo()).some(({ mountpoint }) => mountpoint === path)) return;
  if (/busy/.test(said)) {
    throw new MemfsError("mountpoint_busy", `${path} is in use; close what is open in it, or detach it lazily`);
  }
  throw new MemfsError("io", `${path} could not be unmounted (${said}); try as root: umount -l ${path}`);
}

/** The parts of a list are separated by commas, so one in a name needs a backslash. */
function mountOptions({ source, ...options }: AttachOptions): string {
  const list = [`fsname=${source.replaceAll(/[\\,]/g, "\\$&")}`, "subtype=memfs", `max_read=${String(MAX_TRANSFER)}`];
  list.push(options.suid ? "suid" : "nosuid", options.dev ? "dev" : "nodev");
  if (options.readOnly) list.push("ro");
  if (options.defaultPermissions) list.push("default_permissions");
  if (options.allowOther) list.push("allow_other");
  return list.join(",");
}

function refusal(path: string, said: string): MemfsError {
  const known = REFUSALS.find(([words]) => words.test(said));
  if (known !== undefined) return known[1](path);
  return new MemfsError("mountpoint_unusable", `mounting on ${path} failed (${said}); choose another directory`);
}

/** Runs the program; `socket`: what it gets to send the connection over. @throws MemfsError `fuse_unavailable` */
async function runHelper(args: readonly string[], socket?: number): Promise<{ code: number; said: string }> {
  const path = await findProgram(PROGRAM, process.env);
  const advice = "install it as root (Debian: apt install fuse3), or run the daemon as root";
  if (path === null) throw unavailable(`there is no ${PROGRAM}`, advice);
  const child = spawn(path, args, {
    cwd: "/",
    env: { LC_ALL: "C", [SOCKET_VARIABLE]: String(SOCKET_FD) },
    stdio: ["ignore", "ignore", "pipe", ...(socket === undefined ? [] : [socket])],
    timeout: PATIENCE,
  });
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.on("error", (cause) => reject(unavailable(`${path} cannot be run (${cause.message})`, advice)));
    child.on("close", (code) => {
      const words = said
        .trim()
        .replaceAll(/^fusermount3?: /gm, "")
        .replaceAll(/\s*\n\s*/g, ", ");
      resolve({ code: code ?? -1, said: words || "it gave no reason" });
    });
  });
}
