/** What an undo is of: which entries of the journal, and which versions. */

import { isDeepStrictEqual } from "node:util";
import { MemfsError } from "../../errors.ts";
import type { Uid } from "../../id.ts";
import type { JournalEntry } from "../journal.ts";
import type { StoreState } from "../state.ts";
import type { Turns } from "../turns.ts";
import type { Micros } from "../types.ts";
import { seqsOfActor } from "../history/version-list.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** What to undo: all that a session did, or an agent in a span of time, or one transaction of the journal. */
export type UndoOf =
  | { readonly session: string }
  | { readonly agent: string; readonly since: Micros | null; readonly until: Micros | null }
  | { readonly seq: number };

/** Entries of one transaction. */
export interface Extent {
  readonly first: number;
  readonly last: number;
}

export class UndoSelection {
  /** As the journal keeps it; a transaction by its last entry. */
  readonly of: UndoOf;
  /** Memories that it did something to, with the first selected entry of each. */
  readonly memories = new Map<Uid, number>();
  /** Memories whose attributes it set. */
  readonly attributes = new Set<Uid>();
  /** Selected entries that tell of names and attributes, oldest first. */
  readonly entries: JournalEntry[] = [];
  readonly #state: StoreState;
  /** Entries, and their versions alike. */
  readonly #seqs = new Set<number>();
  /** Whether a transaction, by its time, takes this back, or takes back what does. */
  readonly #reversals = new Map<Micros, boolean>();
  readonly #extents = new Map<Micros, Extent>();

  private constructor(state: StoreState, of: UndoOf) {
    this.#state = state;
    this.of = of;
  }

  /** Reads the journal in turns with other work. @throws MemfsError `not_found` for who or what is not in it, `damaged` */
  static async read(state: StoreState, of: UndoOf, turns: Turns): Promise<UndoSelection> {
    if ("seq" in of) return UndoSelection.#ofTransaction(state, of.seq, turns);
    const selection = new UndoSelection(state, of);
    const tag = "session" in of ? state.tagOfActor("session", of.session) : state.tagOfActor("agent", of.agent);
    let isKnown = false;
    for await (const seq of seqsOfActor(state, tag, state.counters.seq + 1)) {
      await turns.give();
      const entry = state.journalEntry(seq);
      if (entry === undefined || !selection.#isActor(entry)) continue;
      isKnown = true;
      if ("agent" in of && entry.at < (of.since ?? 0)) break;
      if ("session" in of || entry.at <= (of.until ?? Infinity)) selection.#add(entry);
    }
    if (!isKnown) throw new MemfsError("not_found", unknown(of));
    selection.entries.reverse();
    return selection;
  }

  static async #ofTransaction(state: StoreState, seq: number, turns: Turns): Promise<UndoSelection> {
    const entry = state.journalEntry(seq);
    if (entry === undefined)
      throw new MemfsError(
        "not_found",
        `there is no entry #${seq} in the journal; it ends with #${state.counters.seq}`,
      );
    const { first, last } = new UndoSelection(state, { seq }).extentOf(entry);
    const selection = new UndoSelection(state, { seq: last });
    for (let one = first; one <= last; one++) {
      await turns.give();
      const selected = state.journalEntry(one);
      if (selected !== undefined) selection.#add(selected);
    }
    return selection;
  }

  /** In words, for notes. */
  get label(): string {
    const { of } = this;
    if ("session" in of) return `session ${of.session}`;
    return "agent" in of ? `agent ${of.agent}` : `#${of.seq}`;
  }

  #isActor({ actor }: JournalEntry): boolean {
    if (actor.type !== "session") return false;
    return "session" in this.of
      ? actor.sessionId === this.of.session
      : "agent" in this.of && actor.agent === this.of.agent;
  }

  #add(entry: JournalEntry): void {
    const { seq, memory, version } = entry;
    const isTelling = this.#tellsOfNames(entry);
    this.#seqs.add(seq);
    if (isTelling) this.entries.push(entry);
    if (memory === null || (version === null && !isTelling)) return;
    if (entry.kind === "node.changed") this.attributes.add(memory);
    this.memories.set(memory, Math.min(this.memories.get(memory) ?? seq, seq));
  }

  /** Whether something came to a name or left it, or got other attributes. */
  #tellsOfNames(entry: JournalEntry): boolean {
    return entry.kind === "node.changed" || this.#isNamed(entry);
  }

  #isNamed({ kind, version, erasable }: JournalEntry): boolean {
    if (kind.startsWith("entry.") || kind === "memory.renamed" || kind === "memory.deleted") return true;
    if (version === null || version.previous === 0) return version !== null;
    return this.#state.versionAt(version.previous)?.path !== erasable?.path || erasable?.made?.sizeBefore === null;
  }

  /** The entries of a transaction that tell of names and attributes, and all paths in them: of before it or after it. */
  entriesOf({ first, last }: Extent): {
    readonly entries: readonly JournalEntry[];
    readonly paths: ReadonlySet<string>;
  } {
    const entries: JournalEntry[] = [];
    const paths = new Set<string>();
    for (let seq = first; seq <= last; seq++) {
      const entry = this.#state.journalEntry(seq);
      if (entry === undefined || !this.#tellsOfNames(entry)) continue;
      entries.push(entry);
      for (const path of this.#pathsOf(entry)) paths.add(path);
    }
    return { entries, paths };
  }

  /** Where things were and came to be. */
  #pathsOf({ erasable, version }: JournalEntry): string[] {
    const { path, detail } = erasable ?? {};
    const before = version === null || version.previous === 0 ? null : this.#state.versionAt(version.previous)?.path;
    return [path, detail?.["from"], detail?.["to"], before].filter((one) => typeof one === "string");
  }

  has(seq: number): boolean {
    return this.#seqs.has(seq);
  }

  /** Whether an entry is selected, or belongs to an undo of the selection: both together are as if neither was. */
  isTheirs(seq: number): boolean {
    if (this.#seqs.has(seq)) return true;
    const entry = this.#state.journalEntry(seq);
    return entry !== undefined && this.#isReversal(seq, entry.at);
  }

  /** The same of a version. */
  isTheirVersion({ seq, createdAt, made }: VersionRecord): boolean {
    return this.#seqs.has(seq) || (made.note !== null && this.#isReversal(seq, createdAt));
  }

  #isReversal(seq: number, at: Micros): boolean {
    const known = this.#reversals.get(at);
    if (known !== undefined) return known;
    const entry = this.#state.journalEntry(seq);
    const last = entry === undefined ? undefined : this.#state.journalEntry(this.extentOf(entry).last);
    const found = last?.kind === "undo" && this.#isOfThis(last.erasable?.detail?.["of"]);
    this.#reversals.set(at, found);
    return found;
  }

  #isOfThis(of: unknown): boolean {
    if (isDeepStrictEqual(of, this.of)) return true;
    if (typeof of !== "object" || of === null || !("seq" in of) || typeof of.seq !== "number") return false;
    if (this.#seqs.has(of.seq)) return true;
    const undone = this.#state.journalEntry(of.seq);
    return undone?.kind === "undo" && this.#isReversal(of.seq, undone.at);
  }

  /** All entries of a transaction have one time. */
  extentOf(entry: JournalEntry): Extent {
    const known = this.#extents.get(entry.at);
    if (known !== undefined) return known;
    let first = entry.seq;
    while (this.#state.journalEntry(first - 1)?.at === entry.at) first -= 1;
    let last = entry.seq;
    while (this.#state.journalEntry(last + 1)?.at === entry.at) last += 1;
    const extent = { first, last };
    this.#extents.set(entry.at, extent);
    return extent;
  }
}

function unknown(of: UndoOf): string {
  if ("session" in of) return `session ${of.session} has done nothing in this store; see: memfs log`;
  return `agent ${"agent" in of ? of.agent : ""} has done nothing in this store; see: memfs log`;
}
