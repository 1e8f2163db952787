/**
 * The sessions that did something in a store, counted from its journal. What is older than anything that can still be
 * folded is counted once for as long as the store is open, so only the first list reads the whole journal.
 */

import { decodeJournalEntry, type JournalEntry } from "../journal.ts";
import { journalKey } from "../records/keys.ts";
import type { StoreState } from "../state.ts";
import { Turns } from "../turns.ts";
import type { Micros } from "../types.ts";
import { versionOf } from "../records/version-record.ts";

/** What an agent did in a session. */
export interface SessionInfo {
  readonly sessionId: string;
  readonly agent: string;
  /** Of the first and the newest journal entry. */
  readonly firstAt: Micros;
  readonly lastAt: Micros;
  /** Versions that are in lists. */
  readonly writes: number;
  readonly conflicts: number;
  /** How often a mount of it was attached. */
  readonly mounts: number;
}

/** Versions that are older are not folded any more: twice the longest time that a file may be a step of a save. */
const FOLDABLE_MICROS = 120e6;

type Tally = { -readonly [Field in keyof SessionInfo]: SessionInfo[Field] };

export class Sessions {
  readonly #state: StoreState;
  /** What the entries up to `#counted` say, by agent and session. */
  readonly #tallies = new Map<string, Tally>();
  #counted = 0;
  #counting: Promise<unknown> = Promise.resolve();

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** In no order. @throws MemfsError `damaged` */
  list(): Promise<SessionInfo[]> {
    // One at a time: who comes second finds what the first has counted.
    const listed = this.#counting.then(() => this.#list());
    this.#counting = listed.catch(() => undefined);
    return listed;
  }

  async #list(): Promise<SessionInfo[]> {
    const until = this.#state.counters.seq;
    const settled = this.#state.clock.now() - FOLDABLE_MICROS;
    const turns = new Turns();
    let recent: Map<string, Tally> | null = null;
    const range = { gte: journalKey(this.#counted + 1), lt: journalKey(until + 1) };
    for await (const page of this.#state.space.scan(range)) {
      for (const { value } of page) {
        const entry = decodeJournalEntry(value);
        if (entry.at >= settled) recent ??= copyOf(this.#tallies);
        this.#count(recent ?? this.#tallies, entry);
        if (recent === null) this.#counted = entry.seq;
        await turns.give();
      }
    }
    return [...(recent ?? copyOf(this.#tallies)).values()];
  }

  #count(tallies: Map<string, Tally>, entry: JournalEntry): void {
    const { actor, at, kind } = entry;
    if (actor.type !== "session") return;
    const { sessionId, agent } = actor;
    const key = `${sessionId}\0${agent}`;
    let tally = tallies.get(key);
    if (tally === undefined) {
      tally = { sessionId, agent, firstAt: at, lastAt: at, writes: 0, conflicts: 0, mounts: 0 };
      tallies.set(key, tally);
    }
    tally.lastAt = at;
    if (kind === "memory.conflict") tally.conflicts += 1;
    if (kind === "mount.attached") tally.mounts += 1;
    const version = versionOf(entry);
    if (version !== undefined && this.#state.isListed(version)) tally.writes += 1;
  }
}

function copyOf(tallies: ReadonlyMap<string, Tally>): Map<string, Tally> {
  return new Map([...tallies].map(([key, tally]) => [key, { ...tally }]));
}
