/** An answer that another request brings, perhaps hours later: nothing is done for it meanwhile. */

import type { MemfsError } from "../errors.ts";

/** Hears the one outcome: null for success, or why it was refused. */
export type ParkedListener = (refusal: MemfsError | null) => void;

/**
 * Not a promise: the listener is called from within the request that brings the outcome, so that a driver that has more
 * requests to read answers this one first. Drivers need not turn to the event loop for it, as they must for a promise.
 */
export class Parked {
  readonly #interrupt: () => void;
  #listener: ParkedListener | null = null;
  #outcome: MemfsError | null | undefined;

  /** @param interrupt makes the outcome come now; nothing when it is under way already */
  constructor(interrupt: () => void) {
    this.#interrupt = interrupt;
  }

  /** Whoever asked does not want to wait any longer: answers `interrupted`, unless the outcome is known. */
  interrupt(): void {
    this.#interrupt();
  }

  /** Sets the one listener; it is called at once when the outcome is known. */
  listen(listener: ParkedListener): void {
    this.#listener = listener;
    if (this.#outcome !== undefined) listener(this.#outcome);
  }

  /** Gives the outcome. Only the first one counts. */
  settle(refusal: MemfsError | null): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = refusal;
    this.#listener?.(refusal);
  }
}
