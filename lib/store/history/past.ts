/** Looking back into an open store: moments, the tree at a moment, and the memories that were at a path. */

import { type Uid, tryParseId } from "../../id.ts";
import { AtView } from "./at.ts";
import { decodePastEntry } from "../records/entry-record.ts";
import { rangeOf, readU48 } from "../records/keys.ts";
import { isDirectory } from "../tree/mode.ts";
import type { StoreState } from "../state.ts";
import type { Micros } from "../types.ts";
import { u48 } from "../../u48.ts";
import { findVersion, memoriesAt, SEQ_AT, seqUpTo, versionOfId } from "../versions.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** A moment as a person names it. */
export type Moment = { readonly seq: number } | { readonly version: string } | { readonly at: Micros };

export class Past {
  readonly #state: StoreState;

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Time of the newest journal entry. */
  get newestAt(): Micros {
    return this.#state.counters.lastAt;
  }

  /** The store after the journal entry `seq`, as {@link seqOf} gives it. */
  at(seq: number): AtView {
    return new AtView(this.#state, seq);
  }

  /**
   * The last journal entry of a moment, which is never within a transaction; null for a moment that is unknown, before
   * the store's first entry, or still to come.
   */
  seqOf(moment: Moment): number | null {
    if ("at" in moment) {
      const now = Math.max(this.#state.clock.now(), this.#state.counters.lastAt);
      return moment.at > now ? null : seqUpTo(this.#state, moment.at);
    }
    const time = this.timeOf("seq" in moment ? moment.seq : (this.#versionOf(moment.version)?.seq ?? 0));
    return time === null ? null : seqUpTo(this.#state, time);
  }

  #versionOf(id: string): VersionRecord | undefined {
    const uid = tryParseId("memver", id);
    return uid === null ? undefined : versionOfId(this.#state, uid);
  }

  /** Time of a journal entry; null when there is none of that number. */
  timeOf(seq: number): Micros | null {
    if (!Number.isSafeInteger(seq) || seq < 1 || seq > this.#state.counters.seq) return null;
    return this.#state.journalEntry(seq)?.at ?? null;
  }

  /** The memories that are or were at a path (bytes): the present one, then the last before it, and so on. */
  memoriesAt(path: string): Promise<Uid[]> {
    return memoriesAt(this.#state, path);
  }

  /** Undefined when there is none, or it was folded into another. */
  version(memory: Uid, n: number): Promise<VersionRecord | undefined> {
    return findVersion(this.#state, memory, n);
  }

  /** The listed versions of a memory, the oldest first. */
  async *versionsOf(memory: Uid): AsyncGenerator<VersionRecord> {
    for await (const page of this.#state.space.scan(rangeOf("v", memory))) {
      for (const { key } of page) {
        const version = this.#state.versionAt(readU48(key, SEQ_AT));
        if (version !== undefined) yield version;
      }
    }
  }

  /** Number of the last directory that was at a name (bytes) of a directory, or null. */
  async directoryOnceAt(parent: number, name: string): Promise<number | null> {
    const range = rangeOf("e", u48(parent) + this.#state.tagOfName(name));
    for await (const page of this.#state.space.scan({ ...range, reverse: true })) {
      for (const { value } of page) {
        const entry = value.length === 0 ? null : decodePastEntry(value);
        if (entry !== null && isDirectory(entry.mode)) return entry.node;
      }
    }
    return null;
  }
}
