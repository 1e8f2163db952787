/** Which versions the sessions of a mounted store have opened, on the way into the journal. */

import { GenerationCache } from "../generation-cache.ts";
import type { Logger } from "../log.ts";
import { READS_PER_ENTRY } from "../store/history/reads.ts";
import type { Store } from "../store/store.ts";
import type { Actor } from "../store/types.ts";

/** From the first read that is not journalled (ms) until it is: as much is lost when the daemon is killed. */
const FLUSH_MS = 950;
/** Versions that a session is known to have read, per generation. What is forgotten is journalled again. */
const REMEMBERED = 4096;
/** Reads that are kept while they cannot be journalled. */
const MOST_PENDING = 16 * READS_PER_ENTRY;

export interface SessionReadsOptions {
  readonly store: Store;
  readonly log: Logger;
  /** The session. */
  readonly actor: Actor;
}

/** What one session reads, through all of its mounts of a store. Versions are given by the seqs of their entries. */
export class SessionReads {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #actor: Actor;
  readonly #known = new GenerationCache<number, true>(REMEMBERED);
  #pending: number[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** Mounts that use it. */
  users = 0;

  constructor({ store, log, actor }: SessionReadsOptions) {
    this.#store = store;
    this.#log = log;
    this.#actor = actor;
  }

  /** True while something is to be journalled. */
  get pending(): boolean {
    return this.#pending.length > 0;
  }

  /** The session opened a version. */
  read(seq: number): void {
    if (this.#known.get(seq) === undefined) this.#note(seq);
  }

  /** Who made a version knows what is in it. */
  #note(seq: number): void {
    this.#known.set(seq, true);
    if (this.#store.reads.isOwn(seq, this.#actor)) return;
    this.#pending.push(seq);
    if (this.#pending.length === READS_PER_ENTRY) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  /** Journals what was read: before the session's next change, so that what it knew stands before what it did. Never throws. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.length === 0) return;
    const seqs = this.#pending;
    this.#pending = [];
    try {
      this.#store.reads.record(seqs, this.#actor);
    } catch (error) {
      this.#keep(seqs, error);
    }
  }

  #keep(seqs: number[], error: unknown): void {
    this.#log.warn("what a session read could not be journalled yet; it is tried again", { error: String(error) });
    this.#pending = seqs.slice(-MOST_PENDING);
    this.#timer = setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  /** The last mount ended. What could not be journalled is given up. */
  close(): void {
    this.flush();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** The sessions of a mounted store. */
export class StoreReads {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #sessions = new Map<string, SessionReads>();

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
    store.reads.whenAsked(() => {
      for (const session of this.#sessions.values()) session.flush();
    });
  }

  /** For a mount of a session; {@link leave} must follow. */
  join(actor: Actor): SessionReads {
    const key = keyOf(actor);
    const known = this.#sessions.get(key);
    const reads = known ?? new SessionReads({ store: this.#store, log: this.#log, actor });
    if (known === undefined) this.#sessions.set(key, reads);
    reads.users += 1;
    return reads;
  }

  leave(actor: Actor): void {
    const key = keyOf(actor);
    const reads = this.#sessions.get(key);
    if (reads === undefined) return;
    reads.users -= 1;
    reads.flush();
    if (reads.users > 0) return;
    reads.close();
    this.#sessions.delete(key);
  }
}

function keyOf(actor: Actor): string {
  return JSON.stringify(actor);
}
