/** A descriptor that another process hands over a unix socket, see unix(7) and cmsg(3). 64-bit Linux. */

import koffi from "koffi";
import { Errno } from "./errno.ts";
import { check } from "./syscalls.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

/** `struct cmsghdr`: length (8 bytes), level, type, then the data. */
const CONTROL_SIZE = 24;
const LEVEL_AT = 8;
const TYPE_AT = 12;
const DATA_AT = 16;

interface Calls {
  socketpair(domain: number, type: number, protocol: number, pair: Buffer): number;
  recvmsg(fd: number, message: object, flags: number): number;
  fcntl(fd: number, command: number, type: "int", argument: number): number;
}

let bound: Calls | null = null;

/** Bound on first use: few daemons need it, and other systems must be able to import this file. */
function calls(): Calls {
  bound ??= bind();
  return bound;
}

function bind(): Calls {
  const library = koffi.load(null);
  const iovec = koffi.struct({ base: "void *", length: "size_t" });
  const msghdr = koffi.struct({
    name: "void *",
    nameLength: "uint",
    vectors: koffi.pointer(iovec),
    vectorCount: "size_t",
    control: "void *",
    controlLength: "size_t",
    flags: "int",
  });
  return {
    socketpair: library.func("socketpair", "int", ["int", "int", "int", "void *"]) as Calls["socketpair"],
    recvmsg: library.func("recvmsg", "long", ["int", koffi.inout(koffi.pointer(msghdr)), "int"]) as Calls["recvmsg"],
    fcntl: library.func("fcntl", "int", ["int", "int", "..."]) as Calls["fcntl"],
  };
}

/** The kernel's answer, or the negated errno. */
function errnoed(result: number): number {
  return result < 0 ? -koffi.errno() : result;
}

/** Two connected sockets, close-on-exec; a child gets one by its `stdio`. @throws MemfsError `io` */
export function socketPair(): readonly [number, number] {
  const pair = Buffer.alloc(8);
  check(errnoed(calls().socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)), "socketpair");
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}

/**
 * The descriptor that was sent to `socket` and waits there; null when there is none. Does not wait. It is close-on-exec
 * and non-blocking.
 * @throws MemfsError `io`
 */
export function receiveDescriptor(socket: number): number | null {
  const control = Buffer.alloc(CONTROL_SIZE);
  const message = {
    name: null,
    nameLength: 0,
    vectors: [{ base: Buffer.alloc(1), length: 1 }],
    vectorCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  };
  const received = errnoed(calls().recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (received === 0 || received === -Errno.EAGAIN) return null;
  check(received, "recvmsg");
  if (control.readInt32LE(LEVEL_AT) !== SOL_SOCKET || control.readInt32LE(TYPE_AT) !== SCM_RIGHTS) return null;
  const fd = control.readInt32LE(DATA_AT);
  const flags = check(errnoed(calls().fcntl(fd, F_GETFL, "int", 0)), "fcntl");
  check(errnoed(calls().fcntl(fd, F_SETFL, "int", flags | O_NONBLOCK)), "fcntl");
  return fd;
}
