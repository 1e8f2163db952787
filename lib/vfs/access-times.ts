/**
 * When files were last read: shown at once, in all mounts, stored later, many at a time, without a journal entry. As with the mount
 * option `relatime`, a read moves the access time only when it is not later than the last change, or a day old.
 */

import { setAccessTimes } from "../store/tree/entries.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import { isLater, type Timestamp } from "../store/records/record.ts";
import type { Store } from "../store/store.ts";
import type { Actor } from "../store/types.ts";
import type { Logger } from "../log.ts";

const DAY_SECONDS = 86_400;
/** Access times are stored after this time (ms), or when there are so many. A crash before that loses them. */
const STORE_MS = 60_000;
const STORE_BATCH = 512;
const DAEMON: Actor = Object.freeze({ type: "user", userId: "memfs" });

export class AccessTimes {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #times = new Map<number, Timestamp>();
  #timer: NodeJS.Timeout | null = null;

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  of(node: NodeRecord): Timestamp {
    return this.#times.size === 0 ? node.atime : (this.#times.get(node.number) ?? node.atime);
  }

  /** True when a read of the node is to be noted. `mtime` and `ctime` are those of the draft if there is one. */
  isDue(node: NodeRecord, { mtime, ctime }: { mtime: Timestamp; ctime: Timestamp }, seconds: number): boolean {
    const atime = this.of(node);
    return !isLater(atime, mtime) || !isLater(atime, ctime) || seconds - atime.sec >= DAY_SECONDS;
  }

  note(node: number, now: Timestamp): void {
    this.#times.set(node, now);
    if (this.#times.size >= STORE_BATCH) this.store();
    else this.#timer ??= setTimeout(() => this.store(), STORE_MS).unref();
  }

  /** The access time was set by hand, or the node is gone. */
  forget(node: number): void {
    if (this.#times.size > 0) this.#times.delete(node);
  }

  /** Stores what was noted, with whatever is recorded next. It is dropped when that fails: it is not worth more. */
  store(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#times.size === 0) return;
    const times = new Map(this.#times);
    this.#times.clear();
    try {
      this.#store.update({ actor: DAEMON, deferred: true, told: true }, (tx) => setAccessTimes(tx, times));
    } catch (error) {
      this.#log.warn("access times could not be stored", { error: String(error) });
    }
  }
}
