/** Journals refused writes, at most one per second for the same operation and path. */

import type { Clock } from "../clock.ts";
import type { Store } from "../store/store.ts";
import type { Cause } from "../store/transaction.ts";

const INTERVAL_MS = 1000;
const REMEMBERED = 1024;

export class RefusalJournal {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #last = new Map<string, number>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  refused(what: { operation: string; path: string }, cause: Cause): void {
    const now = this.#clock.monotonic();
    const key = `${what.operation}\0${what.path}`;
    if (now - (this.#last.get(key) ?? -INTERVAL_MS) < INTERVAL_MS) return;
    if (this.#last.size >= REMEMBERED) this.#last.clear();
    this.#last.set(key, now);
    this.#store.record("write.denied", what, cause);
  }
}
