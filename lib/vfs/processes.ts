/** Who a thread belongs to, as `/proc` tells it. Cached briefly: asking costs ~15 µs, and ids are reused. */

import { closeSync, openSync, readSync } from "node:fs";
import type { Clock } from "../clock.ts";

/** A process as evidence for a change. */
export interface ProcessIdentity {
  /** The process (thread group) id; the given id when `/proc` does not show it. */
  readonly tgid: number;
  /** The name of its program, at most 15 bytes; empty when `/proc` does not show it. */
  readonly program: string;
}

/** Answers for this long (ms) without asking again. */
const CACHE_MS = 1000;
const CACHE_ENTRIES = 1024;

export class Processes {
  readonly #clock: Clock;
  readonly #known = new Map<number, { identity: ProcessIdentity; until: number }>();
  readonly #buffer = Buffer.allocUnsafe(512);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The process of a thread. `/proc` never lies inside a mount of ours, so reading it here cannot wait for ourselves. */
  identify(thread: number): ProcessIdentity {
    const now = this.#clock.monotonic();
    const known = this.#known.get(thread);
    if (known !== undefined && known.until > now) return known.identity;
    const identity = this.#read(thread);
    if (this.#known.size >= CACHE_ENTRIES) this.#known.clear();
    this.#known.set(thread, { identity, until: now + CACHE_MS });
    return identity;
  }

  #read(thread: number): ProcessIdentity {
    const status = thread > 0 ? this.#status(thread) : "";
    const tgid = /^Tgid:\s*(\d+)/m.exec(status)?.[1];
    const program = /^Name:\t(.*)/m.exec(status)?.[1];
    return { tgid: tgid === undefined ? thread : Number(tgid), program: program ?? "" };
  }

  /** The first lines of `/proc/PID/status` (name and group come first); empty when it cannot be read. */
  #status(thread: number): string {
    try {
      const file = openSync(`/proc/${thread}/status`, "r");
      try {
        return this.#buffer.toString("utf8", 0, readSync(file, this.#buffer, 0, this.#buffer.length, 0));
      } finally {
        closeSync(file);
      }
    } catch {
      return "";
    }
  }
}
