/**
 * Who read which versions. A read is an entry of the journal with the seqs of the versions: one entry for what a session
 * opened within a second or so. The entry is its session's, so what a session read is found by the index of actors; what
 * read a version, by walking the journal from there on.
 */

import { parseId } from "../../id.ts";
import { MemfsError } from "../../errors.ts";
import { actorOf, decodeJournalEntry, type JournalEntry, kindOf } from "../journal.ts";
import { journalKey } from "../records/keys.ts";
import type { Settling } from "../settling.ts";
import type { StoreState } from "../state.ts";
import type { Cause, Transaction } from "../transaction.ts";
import { Turns } from "../turns.ts";
import type { Actor, ListReads, Page, ReadInfo, StoreInfo } from "../types.ts";
import { seqsOfActor } from "./version-list.ts";
import type { VersionRecord } from "../records/version-record.ts";
import { versionById, versionInfo } from "../versions.ts";

/** Seqs in one entry: about 8 KiB. */
export const READS_PER_ENTRY = 1024;

export interface ReadsOptions {
  readonly state: StoreState;
  readonly settling: Settling;
  readonly describe: () => { readonly info: StoreInfo };
  /** Runs a change as one transaction. @throws MemfsError `no_space`, `io`, `closed` */
  readonly update: (cause: Cause, change: (tx: Transaction) => void) => void;
}

/** A version that is in an entry of reads, and its place there. */
interface Found {
  readonly entry: JournalEntry;
  readonly index: number;
  readonly version: VersionRecord;
}

/** What a list is about, in the store's own terms. */
interface Wanted {
  readonly version: VersionRecord | null;
  readonly memory: string | null;
  readonly session: string | null;
  /** Only entries before this seq, or in it those before the index. */
  readonly end: Place;
}

interface Place {
  readonly seq: number;
  readonly index: number;
}

export class Reads {
  readonly #options: ReadsOptions;
  #journalPending: () => void = () => undefined;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /**
   * Journals that a session read versions, given by the seqs of their entries, together with the store's next change or
   * soon after. An archived store takes no entries.
   * @throws MemfsError `no_space`, `io`, `closed`
   */
  record(seqs: readonly number[], actor: Actor): void {
    if (this.#options.describe().info.archivedAt !== null) return;
    this.#options.update({ actor, deferred: true }, (tx) => {
      for (let start = 0; start < seqs.length; start += READS_PER_ENTRY)
        tx.journal("memory.read", {}, { detail: { seqs: seqs.slice(start, start + READS_PER_ENTRY) } });
    });
  }

  /** True for a version that holds nothing but what the session wrote, and read before. */
  isOwn(seq: number, session: Actor): boolean {
    const stored = this.#options.state.get(journalKey(seq));
    if (stored === undefined || session.type !== "session" || !isOf(actorOf(stored), session.sessionId)) return false;
    return (this.#options.state.versionAt(seq)?.made.parents.length ?? 0) < 2;
  }

  /** Has `journal` called before reads are listed: it journals those that wait for it. Must not throw. */
  whenAsked(journal: () => void): void {
    this.#journalPending = journal;
  }

  /**
   * The newest first. Of one entry, the version that was opened last.
   * @throws MemfsError `not_found` for a version that is not there, `invalid_argument` for a cursor that is none, `damaged`
   */
  async list(options: ListReads): Promise<Page<ReadInfo>> {
    this.#journalPending();
    await this.#options.settling.recordAllInTurns();
    const wanted = this.#wanted(options);
    const items: Found[] = [];
    for await (const found of this.#found(wanted)) {
      const last = items.at(-1);
      if (items.length === options.limit && last !== undefined)
        return { items: items.map(readInfo), next: cursorOf(last) };
      items.push(found);
    }
    return { items: items.map(readInfo), next: null };
  }

  /** What somebody had read before a version is what its author had, unless another session is asked for. */
  #wanted({ versionId, memoryId, sessionId, before, cursor }: ListReads): Wanted {
    const { state } = this.#options;
    const written = before === undefined ? null : versionById(state, before);
    const author = written?.actor.type === "session" ? written.actor.sessionId : null;
    if (written !== null && author === null && sessionId === undefined)
      throw new MemfsError("invalid_argument", `${before} was not made by a session; name one with session_id`);
    const end = { seq: written?.seq ?? state.counters.seq + 1, index: 0 };
    return {
      version: versionId === undefined ? null : versionById(state, versionId),
      memory: memoryId === undefined ? null : parseId("mem", memoryId),
      session: sessionId ?? author,
      end: cursor === undefined ? end : placeOf(cursor),
    };
  }

  async *#found(wanted: Wanted): AsyncGenerator<Found> {
    const turns = new Turns();
    for await (const stored of this.#entries(wanted)) {
      await turns.give();
      // Most entries are of other kinds: these are not decoded.
      if (kindOf(stored) !== "memory.read") continue;
      const entry = decodeJournalEntry(stored);
      if (isOf(entry.actor, wanted.session)) yield* this.#in(entry, wanted);
    }
  }

  /** Stored entries from the newest down; a version is read only after it was made. */
  async *#entries({ version, session, end }: Wanted): AsyncGenerator<Buffer> {
    const { state } = this.#options;
    const before = end.index > 0 ? end.seq + 1 : end.seq;
    if (session === null) {
      const range = { gte: journalKey((version?.seq ?? 0) + 1), lt: journalKey(before), reverse: true };
      for await (const page of state.space.scan(range)) for (const { value } of page) yield value;
      return;
    }
    for await (const seq of seqsOfActor(state, state.tagOfActor("session", session), before)) {
      const stored = state.get(journalKey(seq));
      if (stored !== undefined) yield stored;
    }
  }

  *#in(entry: JournalEntry, { version, memory, end }: Wanted): Generator<Found> {
    const seqs = seqsIn(entry);
    const from = entry.seq === end.seq ? Math.min(end.index, seqs.length) : seqs.length;
    for (let index = from - 1; index >= 0; index--) {
      const seq = seqs[index] ?? 0;
      if (version !== null && version.seq !== seq) continue;
      const read = version ?? this.#options.state.versionAt(seq);
      if (read === undefined || (memory !== null && read.memory !== memory)) continue;
      yield { entry, index, version: read };
    }
  }
}

function isOf(actor: Actor, session: string | null): boolean {
  return session === null || (actor.type === "session" && actor.sessionId === session);
}

/** Empty for an erased entry. */
function seqsIn({ erasable }: JournalEntry): readonly number[] {
  const seqs = erasable?.detail?.["seqs"];
  return Array.isArray(seqs) ? seqs.filter((seq) => typeof seq === "number") : [];
}

function readInfo({ entry, version }: Found): ReadInfo {
  const { actor, at, seq } = entry;
  const by = actor.type === "session" ? actor : { sessionId: "", agent: "" };
  return { sessionId: by.sessionId, agent: by.agent, seq, at, version: versionInfo(version) };
}

function cursorOf({ entry, index }: Found): string {
  return Buffer.from(`r${entry.seq}.${index}`).toString("base64url");
}

function placeOf(cursor: string): Place {
  const [, seq, index] = /^r(\d{1,15})\.(\d{1,5})$/.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? [];
  if (seq === undefined) throw new MemfsError("invalid_argument", "the page cursor is not valid");
  return { seq: Number(seq), index: Number(index) };
}
