/** The system calls that Node does not offer and the daemon needs outside of FUSE. Linux numbers. */

import { getSystemErrorName } from "node:util";
import koffi from "koffi";

const libc = koffi.load(null);

const ucred = koffi.struct("ucred", { pid: "int", uid: "uint", gid: "uint" });

const flockCall = libc.func("int flock(int fd, int operation)") as (fd: number, operation: number) => number;
const dup2Call = libc.func("int dup2(int from, int to)") as (from: number, to: number) => number;
const getsockoptCall = libc.func(
  "int getsockopt(int fd, int level, int name, _Out_ ucred *value, _Inout_ uint *size)",
) as (...args: [fd: number, level: number, name: number, value: object, size: [number]]) => number;

const LOCK_EX = 2;
const LOCK_NB = 4;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** A failed system call, in the shape of Node's own errors. */
function systemError(call: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-koffi.errno());
  return Object.assign(new Error(`${call}: ${code}`), { code, syscall: call });
}

/** Takes the exclusive lock on an open file without waiting; false when another process has it. It ends with the process. */
export function tryLock(fd: number): boolean {
  if (flockCall(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const error = systemError("flock");
  if (error.code === "EAGAIN" || error.code === "EINTR") return false;
  throw error;
}

/** Makes descriptor `to` mean what `from` means. */
export function redirect(from: number, to: number): void {
  if (dup2Call(from, to) < 0) throw systemError("dup2");
}

/** A process at the other end of a unix socket, as the kernel saw it connect. */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Who connected to this unix socket. */
export function peerOf(fd: number): Peer {
  const value: Partial<Peer> = {};
  if (getsockoptCall(fd, SOL_SOCKET, SO_PEERCRED, value, [koffi.sizeof(ucred)]) !== 0) throw systemError("getsockopt");
  return value as Peer;
}
