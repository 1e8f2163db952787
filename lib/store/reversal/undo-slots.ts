/**
 * Which names the transactions to undo gave and took. A name is a slot: a directory, whatever its path, and a name in it.
 * The paths in the journal lead to slots, and the past of a slot tells what it held before and after each transaction.
 */

import type { Uid } from "../../id.ts";
import { AtView } from "../history/at.ts";
import { decodePastEntry, type PastEntryRecord } from "../records/entry-record.ts";
import type { JournalEntry } from "../journal.ts";
import { rangeOf, readU48 } from "../records/keys.ts";
import { isDirectory, isFile, S_IFLNK, typeOf } from "../tree/mode.ts";
import type { NodeName } from "../records/node-record.ts";
import type { Timestamp } from "../records/record.ts";
import type { StoreState } from "../state.ts";
import type { Turns } from "../turns.ts";
import { u48 } from "../../u48.ts";
import type { Extent, UndoSelection } from "./undo-selection.ts";

/** What a transaction did to one name. Null: nothing was there that history shows. */
export interface SlotChange {
  readonly slot: NodeName;
  readonly before: PastEntryRecord | null;
  readonly after: PastEntryRecord | null;
}

/** Attributes that a transaction gave a file; null for those it left alone. */
export interface AttributeChange {
  readonly seq: number;
  readonly memory: Uid;
  readonly mode: { readonly before: number; readonly after: number } | null;
  readonly mtime: { readonly before: Timestamp; readonly after: Timestamp } | null;
}

export interface SlotChanges {
  /** Changes of one transaction after the other, the newest first. */
  readonly transactions: readonly (readonly SlotChange[])[];
  /** Newest first. */
  readonly attributes: readonly AttributeChange[];
  /** Paths that directories had when something happened in them. */
  readonly paths: ReadonlyMap<number, string>;
}

/** A record of a name's past, with the last entry of its transaction if that is to be undone. */
interface Recorded {
  readonly last: number | null;
  readonly record: PastEntryRecord | null;
}

/** Bytes of a seq at the end of a key. */
const SEQ_BYTES = 6;

export function slotKey({ parent, name }: NodeName): string {
  return `${parent}/${name}`;
}

/** Reads in turns with other work. @throws MemfsError `damaged` */
export async function readSlotChanges(state: StoreState, selection: UndoSelection, turns: Turns): Promise<SlotChanges> {
  return new SlotReader(state, selection, turns).read();
}

class SlotReader {
  readonly #state: StoreState;
  readonly #selection: UndoSelection;
  readonly #turns: Turns;
  /** When the first of them was. */
  readonly #since: number;
  readonly #slots = new Set<string>();
  readonly #queue: Extent[] = [];
  /** Transactions, by their last entry. */
  readonly #extents = new Set<number>();
  readonly #changes = new Map<number, SlotChange[]>();
  readonly #attributes: AttributeChange[] = [];
  readonly #paths = new Map<number, string>();

  constructor(state: StoreState, selection: UndoSelection, turns: Turns) {
    this.#state = state;
    this.#selection = selection;
    this.#turns = turns;
    const [first] = selection.entries;
    this.#since = first === undefined ? Infinity : selection.extentOf(first).first;
  }

  async read(): Promise<SlotChanges> {
    for (const entry of this.#selection.entries) this.#await(entry);
    // What reads a slot may find an undo of the selection, which touched further ones.
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      await this.#readTransaction(next);
    for (const memory of this.#selection.memories.keys()) await this.#readNames(memory);
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      await this.#readTransaction(next);
    const newestFirst = [...this.#changes].sort(([a], [b]) => b - a);
    return {
      transactions: newestFirst.map(([, changes]) => changes),
      attributes: this.#attributes.sort((a, b) => b.seq - a.seq),
      paths: this.#paths,
    };
  }

  /** Has the transaction of an entry read, once. */
  #await(entry: JournalEntry): Extent {
    const extent = this.#selection.extentOf(entry);
    if (!this.#extents.has(extent.last)) this.#queue.push(extent);
    this.#extents.add(extent.last);
    return extent;
  }

  async #readTransaction(extent: Extent): Promise<void> {
    const { entries, paths } = this.#selection.entriesOf(extent);
    const before = new AtView(this.#state, extent.first - 1);
    const directories = new Map<string, readonly number[]>();
    for (const path of paths) {
      const cut = path.lastIndexOf("/");
      const above = path.slice(0, cut);
      const parents = directories.get(above) ?? (await this.#directoriesAt(above, extent));
      directories.set(above, parents);
      for (const parent of parents) await this.#readSlot({ parent, name: path.slice(cut + 1) }, above);
      await this.#turns.give();
    }
    // An undo of the selection may have had other reasons to set them; what it left is compared with anyway.
    for (const entry of entries)
      if (entry.kind === "node.changed" && this.#selection.has(entry.seq)) await this.#readAttributes(entry, before);
  }

  /** What was at a path before and after a transaction, where that was a directory. */
  async #directoriesAt(path: string, { first, last }: Extent): Promise<readonly number[]> {
    const found = new Set<number>();
    for (const seq of [first - 1, last]) {
      const node = await new AtView(this.#state, seq).find(path);
      if (node !== null && isDirectory(node.mode)) found.add(node.node);
    }
    return [...found];
  }

  /** A file may have names that nothing tells of: those that came along when it got another memory. */
  async #readNames(memory: Uid): Promise<void> {
    const record = this.#state.memory(memory);
    if (record?.state !== "live") return;
    const { names } = this.#state.nodeOrDamaged(record.node);
    if (names.length > 1) for (const name of names) await this.#readSlot(name, null);
    await this.#turns.give();
  }

  async #readSlot(slot: NodeName, above: string | null): Promise<void> {
    if (above !== null) this.#paths.set(slot.parent, this.#paths.get(slot.parent) ?? above);
    const key = slotKey(slot);
    if (this.#slots.has(key)) return;
    this.#slots.add(key);
    const records = await this.#pastOf(slot);
    for (const [index, { last, record: after }] of records.entries()) {
      if (last === null || records[index - 1]?.last === last) continue;
      const before = records.slice(index).find((other) => other.last !== last)?.record ?? null;
      this.#add(last, { slot, before, after });
    }
  }

  /** Newest first, down to what was there before all that is to be undone; each with the transaction, if that is of it. */
  async #pastOf({ parent, name }: NodeName): Promise<Recorded[]> {
    const found: Recorded[] = [];
    const range = rangeOf("e", u48(parent) + this.#state.tagOfName(name));
    for await (const page of this.#state.space.scan({ ...range, reverse: true })) {
      for (const { key, value } of page) {
        const seq = readU48(key, key.length - SEQ_BYTES);
        const record = value.length === 0 ? null : this.#shown(decodePastEntry(value));
        found.push({ last: this.#transactionOf(seq), record });
        if (seq < this.#since) return found;
      }
    }
    return found;
  }

  /** By its last entry; null when it is not to be undone. */
  #transactionOf(seq: number): number | null {
    if (seq < this.#since || !this.#selection.isTheirs(seq)) return null;
    const entry = this.#state.journalEntry(seq);
    return entry === undefined ? null : this.#await(entry).last;
  }

  #add(last: number, change: SlotChange): void {
    const changes = this.#changes.get(last) ?? [];
    this.#changes.set(last, changes);
    changes.push(change);
  }

  /** As looking back shows it: what is no memory, or was a step of saving one, was not there. */
  #shown(record: PastEntryRecord): PastEntryRecord | null {
    const { mode, memory } = record;
    if (memory !== null) return this.#state.memory(memory)?.state === "folded" ? null : record;
    return !isFile(mode) && (isDirectory(mode) || typeOf(mode) === S_IFLNK) ? record : null;
  }

  async #readAttributes({ seq, memory, erasable }: JournalEntry, view: AtView): Promise<void> {
    const before = memory === null ? null : await view.find(erasable?.path ?? "");
    if (memory === null || before?.version?.memory !== memory) return;
    const { permissions, mtime } = erasable?.detail ?? {};
    this.#attributes.push({
      seq,
      memory,
      mode: typeof permissions === "number" ? { before: before.mode, after: typeOf(before.mode) | permissions } : null,
      mtime: isTime(mtime) ? { before: before.mtime, after: mtime } : null,
    });
  }
}

function isTime(value: unknown): value is Timestamp {
  return typeof value === "object" && value !== null && "sec" in value && "nsec" in value;
}
