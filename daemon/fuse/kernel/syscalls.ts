/**
 * The system calls of this driver, through koffi (about 0.25 µs a call). Each returns what the kernel returns, or the
 * negated errno; the ones that end in `Later` run in libuv's thread pool. Calls on `/dev/fuse` do not go through
 * `node:fs`, because it throws on EAGAIN, which is slow and here the normal case.
 */

import koffi from "koffi";
import { MemfsError } from "../../../lib/errors.ts";
import { errnoName } from "./errno.ts";

/** The calls, bound once. */
export interface Syscalls {
  read(fd: number, bytes: Buffer, size: number): number;
  write(fd: number, bytes: Buffer, size: number): number;
  writeLater(fd: number, bytes: Buffer, size: number): Promise<number>;
  mountLater(arguments_: MountArguments): Promise<number>;
  umountLater(target: string, flags: number): Promise<number>;
  epollCreate(flags: number): number;
  epollControl(epoll: number, operation: number, fd: number, event: Buffer): number;
  epollWait(epoll: number, events: Buffer, limits: EpollLimits): number;
  epollWaitLater(epoll: number, events: Buffer, limits: EpollLimits): Promise<number>;
  eventfd(value: number, flags: number): number;
  /** `polls`: `struct pollfd` once; `timeout`: `struct timespec`. */
  ppoll(polls: Buffer, timeout: Buffer): number;
  /** Lets other threads run that wait for this CPU; at once back when there is none. */
  yield(): number;
}

/** Arguments of mount(2). */
export interface MountArguments {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly flags: number;
  readonly data: string;
}

/** How many events at most, and how long to wait for them: 0 not at all, −1 for ever. */
export interface EpollLimits {
  readonly events: number;
  readonly milliseconds: number;
}

type Argument = number | string | Buffer | null;

interface Bound {
  (...values: Argument[]): number;
  async(...values: [...Argument[], (error: unknown, result: number) => void]): void;
}

/**
 * The result of a call that should not fail.
 * @throws MemfsError `io` when it did
 */
export function check(result: number, call: string): number {
  if (result < 0)
    throw new MemfsError("io", `${call} failed with ${errnoName(-result)}; try again, and report it if it stays`);
  return result;
}

/** errno belongs to the call just made, so nothing may come between. */
function now(call: Bound, ...values: Argument[]): number {
  const result = call(...values);
  return result < 0 ? -koffi.errno() : result;
}

function later(call: Bound, ...values: Argument[]): Promise<number> {
  return new Promise((resolve, reject) => {
    call.async(...values, (error, result) => {
      if (error !== null && error !== undefined) reject(error as Error);
      else resolve(result < 0 ? -koffi.errno() : result);
    });
  });
}

let bound: Syscalls | null = null;

/**
 * Binds the calls on first use: other systems must be able to import this file.
 * @throws MemfsError `fuse_unavailable` where the C library has no such calls
 */
export function syscalls(): Syscalls {
  try {
    bound ??= bind();
  } catch (cause) {
    throw new MemfsError("fuse_unavailable", "the kernel driver needs Linux; use another driver", { cause });
  }
  return bound;
}

function bind(): Syscalls {
  // The process itself: the C library is already in it, whatever its file name.
  const library = koffi.load(null);
  const read: Bound = library.func("read", "long", ["int", "void *", "size_t"]);
  const write: Bound = library.func("write", "long", ["int", "void *", "size_t"]);
  const mount: Bound = library.func("mount", "int", ["str", "str", "str", "unsigned long", "str"]);
  const umount2: Bound = library.func("umount2", "int", ["str", "int"]);
  const create: Bound = library.func("epoll_create1", "int", ["int"]);
  const control: Bound = library.func("epoll_ctl", "int", ["int", "int", "int", "void *"]);
  const wait: Bound = library.func("epoll_wait", "int", ["int", "void *", "int", "int"]);
  const eventfd: Bound = library.func("eventfd", "int", ["uint", "int"]);
  const schedYield: Bound = library.func("sched_yield", "int", []);
  const ppoll: Bound = library.func("ppoll", "int", ["void *", "unsigned long", "void *", "void *"]);
  return Object.freeze<Syscalls>({
    // Spelled out for the two hot calls: rest arguments would cost more than the check.
    read(fd, bytes, size) {
      const result = read(fd, bytes, size);
      return result < 0 ? -koffi.errno() : result;
    },
    write(fd, bytes, size) {
      const result = write(fd, bytes, size);
      return result < 0 ? -koffi.errno() : result;
    },
    writeLater: (fd, bytes, size) => later(write, fd, bytes, size),
    mountLater: ({ source, target, type, flags, data }) => later(mount, source, target, type, flags, data),
    umountLater: (target, flags) => later(umount2, target, flags),
    epollCreate: (flags) => now(create, flags),
    epollControl: (epoll, operation, fd, event) => now(control, epoll, operation, fd, event),
    epollWait: (epoll, events, limits) => now(wait, epoll, events, limits.events, limits.milliseconds),
    epollWaitLater: (epoll, events, limits) => later(wait, epoll, events, limits.events, limits.milliseconds),
    eventfd: (value, flags) => now(eventfd, value, flags),
    ppoll: (polls, timeout) => now(ppoll, polls, 1, timeout, null),
    yield: () => now(schedYield),
  });
}
