/** Which memories may be steps of saving others: young ones that only the session that made them has seen. */

import { GenerationCache } from "../generation-cache.ts";
import type { Uid } from "../id.ts";
import type { NodeRecord } from "./records/node-record.ts";
import type { Settling } from "./settling.ts";
import type { StoreState } from "./state.ts";

/** A memory younger than this (µs) may be a step of saving another one. */
const FOLD_MICROS = 60e6;
/** Young memories that are known to have been opened by others. */
const SHARED_MEMORIES = 4096;

export class Folding {
  readonly #state: StoreState;
  readonly #settling: Settling;
  readonly #shared = new GenerationCache<Uid, true>(SHARED_MEMORIES);

  constructor(state: StoreState, settling: Settling) {
    this.#state = state;
    this.#settling = settling;
  }

  /** A session opened a file: one made by another session is then no mere step of that one's save. */
  opened(node: NodeRecord, session: string): void {
    if (node.memory === null) this.#openedUnsettled(node.number, session);
    const memory = node.memory ?? this.#state.node(node.number)?.memory ?? null;
    if (memory === null) return;
    const record = this.#state.memory(memory);
    if (record === undefined || record.origin === session) return;
    if (this.#state.clock.now() - record.createdAt < FOLD_MICROS) this.#shared.set(memory, true);
  }

  #openedUnsettled(node: number, session: string): void {
    if (this.#state.unsettled.size === 0) return;
    const actor = this.#state.unsettled.ofNode(node)?.actor;
    if (actor?.type === "session" && actor.sessionId !== session) this.#settling.recordFile(node);
  }

  /** True when a memory may be a step of its session's saving of another: young, and seen by nobody else. */
  folds(memory: Uid, session: string): boolean {
    const record = this.#state.memory(memory);
    if (record === undefined || record.origin !== session) return false;
    return this.#state.clock.now() - record.createdAt < FOLD_MICROS && this.#shared.get(memory) === undefined;
  }
}
