/** How long to wait for the next request without sleeping. */

import { availableParallelism } from "node:os";

/**
 * Milliseconds of spinning after a request. A wake-up from another CPU costs 15 to 30 µs, so a request that comes
 * within that time is cheaper spun for than slept for; longer spinning was measured to gain nothing.
 */
const SPIN = 0.025;

/** Spins in a row that saw no request before spinning stops. */
const PATIENCE = 8;

/** While not spinning, one wait in so many spins all the same, to find out whether it pays again. */
const PROBE = 16;

/** Decides before each wait whether to spin, from how the last ones went. */
export class Pacing {
  readonly #processors: () => number;
  #alone = false;
  #misses = 0;
  #waits = 0;

  /** @param processors CPUs this process may run on; tests give their own */
  constructor(processors: () => number = availableParallelism) {
    this.#processors = processors;
    this.refresh();
  }

  /**
   * Looks at the CPU affinity again (0.4 µs), which `taskset` may change at any time. On one CPU spinning would only
   * keep the client from running.
   */
  refresh(): void {
    this.#alone = this.#processors() === 1;
  }

  /** Milliseconds to spin in the wait that begins now; 0 for none. */
  spin(): number {
    if (this.#alone) return 0;
    if (this.#misses < PATIENCE) return SPIN;
    this.#waits = (this.#waits + 1) % PROBE;
    return this.#waits === 0 ? SPIN : 0;
  }

  /** The spin saw a request. */
  hit(): void {
    this.#misses = 0;
  }

  /** The spin saw none: gaps between requests are longer than it now. */
  miss(): void {
    this.#misses += 1;
  }
}
