/** Commits drafts of files that stay open: a daemon that dies takes little more than half a minute of them with it. */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Draft } from "./draft.ts";

/** Age (ms) at which a draft is committed though nobody asks; after a failure it is tried again that much later. */
export const IDLE_MS = 30_000;
/** Looks at the drafts are at least this far (ms) apart. */
const SPACING_MS = 1000;
/** Milliseconds of commits before other requests get their turn. */
const SLICE = 3;

/** Who has drafts: a view. */
export interface DraftHolder {
  readonly drafts: { values(): readonly Draft[] };
  /** Commits a draft; later if it takes long. Neither throws nor rejects: a failure leaves the draft. */
  settle(node: number): Promise<void> | undefined;
}

/** One timer for all drafts of a store. It runs only while there is one, or there was one half a minute ago. */
export class IdleCommits {
  readonly #clock: Clock;
  readonly #holders: ReadonlySet<DraftHolder>;
  #timer: NodeJS.Timeout | null = null;
  #running = false;

  constructor(clock: Clock, holders: ReadonlySet<DraftHolder>) {
    this.#clock = clock;
    this.#holders = holders;
  }

  /** A draft was made. Returns when (ms, monotonic) it is to be committed. */
  began(): number {
    if (this.#timer === null && !this.#running) this.#in(IDLE_MS);
    return this.#clock.monotonic() + IDLE_MS;
  }

  #in(ms: number): void {
    this.#timer = setTimeout(() => void this.#run(), ms).unref();
  }

  async #run(): Promise<void> {
    this.#timer = null;
    this.#running = true;
    // A mount can be detached meanwhile: it commits what it has itself.
    for (const holder of [...this.#holders]) await this.#commitDue(holder);
    this.#running = false;
    const next = this.#nextDue();
    if (next !== Infinity) this.#in(Math.max(SPACING_MS, next - this.#clock.monotonic()));
  }

  async #commitDue(holder: DraftHolder): Promise<void> {
    const now = this.#clock.monotonic();
    let end = performance.now() + SLICE;
    for (const draft of holder.drafts.values()) {
      if (dueOf(draft) > now) continue;
      draft.due = now + IDLE_MS;
      await holder.settle(draft.node);
      if (performance.now() < end) continue;
      await nextTurn();
      end = performance.now() + SLICE;
    }
  }

  #nextDue(): number {
    let next = Infinity;
    for (const { drafts } of this.#holders) for (const draft of drafts.values()) next = Math.min(next, dueOf(draft));
    return next;
  }
}

/** A conflict that the store refuses is tried again by whoever closes or syncs the file, who is told. */
function dueOf({ due, refused }: Draft): number {
  return refused ? Infinity : due;
}
