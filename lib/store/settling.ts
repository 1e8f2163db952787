/** Records what a store holds back: when its time has passed, when its history is asked for, and after a crash. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { rangeOf } from "./records/keys.ts";
import { settle, settleLeftover } from "./lineage.ts";
import type { SaltSource } from "./crypto/salt.ts";
import type { StoreState } from "./state.ts";
import { Transaction } from "./transaction.ts";
import type { Actor, Micros } from "./types.ts";
import { decodeUnsettled, HOLD_MICROS, type Unsettled } from "./unsettled.ts";

/** Recorded in one transaction, ~20 µs each: other requests wait that long. */
const BATCH = 256;

export class Settling {
  readonly #state: StoreState;
  readonly #salts: SaltSource;
  readonly #actor: Actor;

  /** @param actor of the transactions; what they record keeps its own */
  constructor(state: StoreState, salts: SaltSource, actor: Actor) {
    this.#state = state;
    this.#salts = salts;
    this.#actor = actor;
  }

  /** When (µs) the next thing that is held back is due; null when nothing is. */
  get nextDue(): Micros | null {
    for (const held of this.#state.unsettled.values()) if (held.kind !== "claimed") return held.at + HOLD_MICROS;
    return null;
  }

  /** Records what is due. Returns false when there is more of it. @throws MemfsError `no_space`, `io`, `closed` */
  recordDue(): boolean {
    return this.#record(this.#state.clock.now() - HOLD_MICROS);
  }

  /** Records all that is held back, but for files that are still being made. @throws MemfsError `no_space`, `io`, `closed` */
  recordAll(): void {
    while (!this.#record(Infinity));
  }

  /** As {@link recordAll}, for what is held back at the call, and other work gets its turn in between. */
  async recordAllInTurns(): Promise<void> {
    const until = this.#state.clock.now();
    while (!this.#record(until)) await nextTurn();
  }

  /** Records what is held back of renames and of files being made: before the directory they are in moves. */
  recordPlaces(): void {
    const found = [...this.#state.unsettled.values()].filter(({ kind }) => kind === "moved" || kind === "provisional");
    this.#commit(found, settle);
  }

  /** Records what is held back of a file's memory. */
  recordFile(node: number): void {
    const held = this.#state.unsettled.ofNode(node);
    if (held?.kind === "provisional") this.#commit([held], settle);
  }

  #record(until: Micros): boolean {
    if (this.#state.unsettled.size === 0) return true;
    const found: Unsettled[] = [];
    for (const held of this.#state.unsettled.values()) {
      if (held.at > until || held.kind === "claimed" || this.#isBeingMade(held)) continue;
      if (found.push(held) === BATCH) break;
    }
    this.#commit(found, settle);
    return found.length < BATCH;
  }

  /** Made a moment ago and not written yet. */
  #isBeingMade({ kind, node, at }: Unsettled): boolean {
    if (kind !== "provisional" || this.#state.clock.now() - at >= HOLD_MICROS) return false;
    return this.#state.node(node)?.content === null;
  }

  /** Observers are not told: no file, name or attribute changes. */
  #commit(found: readonly Unsettled[], step: (tx: Transaction, held: Unsettled) => void): void {
    if (found.length === 0) return;
    const tx = new Transaction(this.#state, { actor: this.#actor }, this.#salts);
    for (const held of found) step(tx, held);
    tx.commit();
  }

  /** Reads what the daemon before this one held back, and records it. Before anything else happens to the store. */
  async recover(): Promise<void> {
    const found: Unsettled[] = [];
    for await (const page of this.#state.space.scan(rangeOf("q")))
      for (const { value } of page) found.push(decodeUnsettled(value));
    found.sort((a, b) => a.at - b.at);
    for (const held of found) this.#state.unsettled.set(held);
    for (let start = 0; start < found.length; start += BATCH)
      this.#commit(found.slice(start, start + BATCH), settleLeftover);
  }
}
