/**
 * Whether the kernel still serves a mount. The addon does not tell when its threads end, so a duplicate of the
 * descriptor that libfuse has opened is asked: it reports an error from the moment the connection is gone.
 */

import { closeSync, readdirSync, readlinkSync } from "node:fs";
import koffi from "koffi";
import { MemfsError } from "../../../lib/errors.ts";

const DEVICE = "/dev/fuse";
/** Milliseconds between two looks at a mount that nobody is unmounting. A look is one system call of 1 µs. */
const IDLE_PERIOD = 1000;
/** While it is awaited. */
const EAGER_PERIOD = 5;

const F_DUPFD_CLOEXEC = 1030;
const POLLERR = 8;
/** `struct pollfd`: descriptor, events, returned events. */
const POLLFD_SIZE = 8;
const RETURNED_EVENTS = 6;

type Call = (...values: (number | Buffer)[]) => number;

let calls: { readonly fcntl: Call; readonly poll: Call } | null = null;

function bound(): { readonly fcntl: Call; readonly poll: Call } {
  const library = koffi.load(null);
  calls ??= {
    fcntl: library.func("fcntl", "int", ["int", "int", "int"]) as Call,
    poll: library.func("poll", "int", ["void *", "unsigned long", "int"]) as Call,
  };
  return calls;
}

/** One mount's connection, until it is gone. */
export class Connection {
  readonly #fd: number;
  readonly #onGone: () => void;
  readonly #polls = Buffer.alloc(POLLFD_SIZE);
  #timer: NodeJS.Timeout;
  #closed = false;

  /** @param fd is closed with the connection */
  constructor(fd: number, onGone: () => void) {
    this.#fd = fd;
    this.#onGone = onGone;
    this.#timer = setInterval(() => this.#look(), IDLE_PERIOD).unref();
  }

  /** From now on the end is noticed within milliseconds. */
  expectEnd(): void {
    if (this.#closed) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), EAGER_PERIOD).unref();
  }

  /** Stops looking. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    closeSync(this.#fd);
  }

  #look(): void {
    this.#polls.writeInt32LE(this.#fd, 0);
    this.#polls.writeInt32LE(0, 4);
    const ready = bound().poll(this.#polls, 1, 0);
    if (ready > 0 && (this.#polls.readInt16LE(RETURNED_EVENTS) & POLLERR) !== 0) this.#onGone();
  }
}

/**
 * Mounts by `mount`, which must be synchronous, and returns a duplicate of the descriptor that it has opened.
 * @throws MemfsError `fuse_unavailable` when it has opened none; what `mount` throws
 */
export function duplicateOf(mount: () => void): number {
  const before = new Set(openDevices());
  mount();
  const opened = openDevices().find((fd) => !before.has(fd));
  const copy = opened === undefined ? -1 : bound().fcntl(opened, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw new MemfsError("fuse_unavailable", "libfuse has no connection; use the kernel driver");
  return copy;
}

/** Descriptors of this process that are FUSE connections. */
function openDevices(): number[] {
  const fds = readdirSync("/proc/self/fd").map(Number);
  return fds.filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${String(fd)}`) === DEVICE;
    } catch {
      return false;
    }
  });
}
