/**
 * One atomic change of a store: reads see its own writes, and nothing outside does until {@link Transaction.commit}.
 * A transaction that is dropped, or whose commit throws, leaves no trace: caches and counters change only after the
 * batch is in the redo log.
 */

import { MemfsError } from "../errors.ts";
import type { Uid } from "../id.ts";
import { Batch } from "../kv/batch.ts";
import type { Key, Origin, Place } from "../kv/kv.ts";
import type { KnownVersions } from "./merge/base.ts";
import type { ContentTarget } from "./content/content.ts";
import type { Hash } from "./content/hash.ts";
import {
  decodeJournalEntry,
  encodeJournalEntry,
  type Erasable,
  type JournalKind,
  SALT_BYTES,
  type VersionLink,
} from "./journal.ts";
import {
  actorKey,
  counterKey,
  entryKey,
  journalKey,
  memoryKey,
  nodeKey,
  orphanKey,
  pastEntryKey,
  RUN_LENGTH,
} from "./records/keys.ts";
import { copyCounters, type Counters, encodeCounters } from "./records/counters.ts";
import { encodeEntry, encodePastEntry, type EntryRecord } from "./records/entry-record.ts";
import { copyMemory, encodeMemory, type MemoryRecord } from "./records/memory-record.ts";
import { copyNode, encodeNode, type NodeName, type NodeRecord } from "./records/node-record.ts";
import type { Mutable, Timestamp } from "./records/record.ts";
import type { SaltSource } from "./crypto/salt.ts";
import type { Scratch } from "./tree/scratch.ts";
import type { StoreState } from "./state.ts";
import type { Steps } from "./turns.ts";
import { UnsettledChanges } from "./unsettled.ts";
import type { Actor, Evidence, Micros } from "./types.ts";
import { nextVersionId } from "./version-ids.ts";
import { type VersionRecord, versionOf } from "./records/version-record.ts";

const NOTHING = new Uint8Array(0);
/** More changed entries than this are looked up in a map. */
const MANY_ENTRIES = 16;

/** Why a change happens and who is behind it. */
export interface Cause {
  readonly actor: Actor;
  readonly evidence?: Evidence | null;
  /** The request to recognise if it is sent again after a crash. */
  readonly origin?: Origin;
  /** Recorded with the next change: a step that means little until that one follows. */
  readonly deferred?: boolean;
  /** What whoever makes the change last saw of memories; absent: their heads. */
  readonly known?: KnownVersions;
  /** Handed through to the observer, which may skip whoever made the change. */
  readonly source?: object;
  /** Whoever caches the nodes was told before. */
  readonly told?: boolean;
}

/** What a committed transaction changed, for whoever caches it. */
export interface StoreChange {
  /** Files whose committed bytes changed. */
  readonly contents: ReadonlySet<number>;
  /** Directories whose names changed. */
  readonly directories: ReadonlySet<number>;
  /** All nodes of which anything changed that was not told before. */
  readonly nodes: readonly number[];
  readonly source: object | null;
}

interface EntryChange {
  readonly directory: number;
  readonly name: string;
  readonly entry: EntryRecord | null;
}

export class Transaction implements ContentTarget {
  cause: Cause;
  /** Whoever makes the change goes on to wait for the disk, which begins with the commit. */
  syncs = false;
  /** The moment of the change: later than every entry before it. */
  at: Micros;
  now: Timestamp;
  readonly #state: StoreState;
  readonly #salts: SaltSource;
  readonly #batch = new Batch();
  readonly #nodes = new Map<number, Mutable<NodeRecord> | null>();
  readonly #memories = new Map<Uid, Mutable<MemoryRecord>>();
  readonly #entries: EntryChange[] = [];
  /** The same by directory and name, once they are many. */
  #entriesByName: Map<string, EntryRecord | null> | null = null;
  readonly #madeDirectories: number[] = [];
  /** Its own, once a directory moved: nothing that is remembered of places holds any more. */
  #scratch: Scratch | null = null;
  /** What is held back, as this transaction leaves it. */
  readonly unsettled: UnsettledChanges;
  readonly #contents = new Set<number>();
  readonly #directories = new Set<number>();
  /** Changed in place by the steps; becomes the store's with the commit. */
  readonly counters: Mutable<Counters>;
  #lastActor: Actor | null;
  #lastVersion: Uid | null = null;
  #surprising = false;
  #isPrepared = false;

  constructor(state: StoreState, cause: Cause, salts: SaltSource) {
    this.#state = state;
    this.#salts = salts;
    this.cause = cause;
    this.counters = copyCounters(state.counters);
    this.#lastActor = state.lastActor;
    this.at = Math.max(state.clock.now(), state.counters.lastAt + 1);
    this.now = timestampOf(this.at);
    this.unsettled = new UnsettledChanges(state.unsettled, this);
  }

  /** Records a step as done before, by whoever did it. What follows is the transaction's own again. */
  as(done: { readonly actor: Actor; readonly evidence: Evidence | null; readonly at: Micros }, step: () => void): void {
    const { cause, at } = this;
    this.#speakFor({ actor: done.actor, evidence: done.evidence }, done.at);
    step();
    this.#speakFor(cause, at);
  }

  /** Time never goes back within a store, so what is recorded late may have to be said later than it was. */
  #speakFor(cause: Cause, at: Micros): void {
    this.cause = cause;
    this.at = Math.max(at, this.counters.lastAt + 1);
    this.now = timestampOf(this.at);
  }

  get state(): StoreState {
    return this.#state;
  }

  /** What is stored: content that this transaction puts is not asked for. */
  get(key: Key): Buffer | undefined {
    return this.#state.get(key);
  }

  read(place: Place): Buffer {
    return this.#state.read(place);
  }

  readTo(place: Place, target: Buffer): void {
    this.#state.readTo(place, target);
  }

  put(key: Key, value: Uint8Array): void {
    this.#batch.put(key, value);
  }

  /** An index key: all it says is in the key. */
  mark(key: Key): void {
    this.#batch.put(key, NOTHING);
  }

  delete(key: Key): void {
    this.#batch.put(key, null);
  }

  keyOfContent(hash: Hash): Key {
    return this.#state.keyOfContent(hash);
  }

  newNodeNumber(): number {
    return this.counters.nextNode++;
  }

  /** @throws MemfsError `damaged` */
  node(number: number): NodeRecord {
    return this.#nodes.get(number) ?? this.#state.nodeOrDamaged(number);
  }

  /** The node, to be changed in place: the same object for the whole transaction. @throws MemfsError `damaged` */
  editNode(number: number): Mutable<NodeRecord> {
    return this.#nodes.get(number) ?? this.addNode(copyNode(this.#state.nodeOrDamaged(number)));
  }

  addNode(node: Mutable<NodeRecord>): Mutable<NodeRecord> {
    this.#nodes.set(node.number, node);
    return node;
  }

  /** Drops a node nothing refers to any more. */
  dropNode(number: number): void {
    this.#nodes.set(number, null);
    this.delete(nodeKey(number));
    this.delete(orphanKey(number));
  }

  /** Whether what is, or is to be, at the name is scratch: real, and not in history. */
  isScratch(at: NodeName, isDirectory = false): boolean {
    return (this.#scratch ?? this.#state.scratch).has(this, at, isDirectory);
  }

  /** A directory moved: so did the places of everything below it. */
  movedDirectory(): void {
    this.#scratch = this.#state.scratch.afresh();
  }

  /** Something else came of the change than its maker will think. */
  tellEverybody(): void {
    this.#surprising = true;
  }

  madeDirectory(number: number): void {
    this.#madeDirectories.push(number);
  }

  /** The node's committed bytes changed. */
  contentChanged(node: number): void {
    this.#contents.add(node);
  }

  entry(parent: number, name: string): EntryRecord | null {
    if (this.#entriesByName !== null) {
      const known = this.#entriesByName.get(`${parent}/${name}`);
      return known === undefined ? this.#state.entry(parent, name) : known;
    }
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const change = this.#entries[index];
      if (change?.directory === parent && change.name === name) return change.entry;
    }
    return this.#state.entry(parent, name);
  }

  putEntry(parent: number, name: string, entry: EntryRecord | null): void {
    const key = entryKey(parent, this.#state.tagOfName(name));
    if (entry === null) this.delete(key);
    else this.put(key, encodeEntry(entry));
    this.#entries.push({ directory: parent, name, entry });
    this.#directories.add(parent);
    if (this.#entriesByName === null && this.#entries.length > MANY_ENTRIES) this.#indexEntries();
    this.#entriesByName?.set(`${parent}/${name}`, entry);
  }

  #indexEntries(): void {
    this.#entriesByName = new Map(this.#entries.map(({ directory, name, entry }) => [`${directory}/${name}`, entry]));
  }

  /** Records what a name became at `seq`, for looking back. Null: it went. */
  putPastEntry({ parent, name }: NodeName, seq: number, node: NodeRecord | null): void {
    const key = pastEntryKey(parent, this.#state.tagOfName(name), seq);
    if (node === null) {
      this.mark(key);
      return;
    }
    const { number, mode, mtime, memory, target } = node;
    this.put(key, encodePastEntry({ name, node: number, mode, mtime, memory, target }));
  }

  /** Records what all names of a node became with the newest journal entry. */
  putPastEntries(node: NodeRecord): void {
    const only = node.names.length === 1;
    for (const name of node.names) if (only || !this.isScratch(name)) this.putPastEntry(name, this.counters.seq, node);
  }

  /** @throws MemfsError `damaged` */
  memory(uid: Uid): MemoryRecord {
    const memory = this.#memories.get(uid) ?? this.#state.memory(uid);
    if (memory === undefined) throw new MemfsError("damaged", "a memory is missing; restore the home from a backup");
    return memory;
  }

  /** The memory, to be changed in place: the same object for the whole transaction. @throws MemfsError `damaged` */
  editMemory(uid: Uid): Mutable<MemoryRecord> {
    return this.#memories.get(uid) ?? this.addMemory(copyMemory(this.memory(uid)));
  }

  addMemory(memory: Mutable<MemoryRecord>): Mutable<MemoryRecord> {
    this.#memories.set(memory.memory, memory);
    return memory;
  }

  /** The seq that the next {@link journal} call will take. */
  get nextSeq(): number {
    return this.counters.seq + 1;
  }

  /** Appends a journal entry. Returns its seq. */
  journal(kind: JournalKind, ids: { memory?: Uid | null; version?: VersionLink }, erasable: Erasable): number {
    const { actor } = this.cause;
    const seq = this.nextSeq;
    const entry = encodeJournalEntry({
      seq,
      at: this.at,
      kind,
      actor,
      memory: ids.memory ?? null,
      version: ids.version ?? null,
      prev: this.counters.journalHash,
      erasable,
      salt: this.#salts(SALT_BYTES),
    });
    this.put(journalKey(seq), entry.bytes);
    if (actor !== this.#lastActor || seq % RUN_LENGTH === 0) this.#markRun(actor, seq);
    this.counters.seq = seq;
    this.counters.journalHash = entry.hash;
    this.counters.lastAt = this.at;
    return seq;
  }

  /** For the version that the next journal entry makes. */
  newVersionId(): Uid {
    const last = this.#lastVersion ?? this.#state.newestVersion(this.at);
    this.#lastVersion = nextVersionId(this.#state.ids, this.at, last);
    return this.#lastVersion;
  }

  /** The version that the entry at this seq makes, also when that is of this transaction. */
  versionAt(seq: number): VersionRecord | undefined {
    const own = this.#batch.get(journalKey(seq));
    return own ? versionOf(decodeJournalEntry(own)) : this.#state.versionAt(seq);
  }

  /** A run of entries by one actor starts: the index names its first entry only. */
  #markRun(actor: Actor, seq: number): void {
    this.#lastActor = actor;
    if (actor.type !== "session") return;
    this.mark(actorKey(this.#state.tagOfActor("session", actor.sessionId), seq));
    this.mark(actorKey(this.#state.tagOfActor("agent", actor.agent), seq));
  }

  /** Part of a commit ahead of it, with others' turns in between: nothing may be edited after it began. */
  *prepare(): Steps<void> {
    this.#isPrepared = true;
    for (const [number, node] of this.#nodes)
      yield node === null ? undefined : this.put(nodeKey(number), encodeNode(node));
    for (const [uid, memory] of this.#memories) yield this.put(memoryKey(uid), encodeMemory(memory));
  }

  #encode(): void {
    for (const [number, node] of this.#nodes) if (node !== null) this.put(nodeKey(number), encodeNode(node));
    for (const [uid, memory] of this.#memories) this.put(memoryKey(uid), encodeMemory(memory));
  }

  /** Makes it all durable and visible, or throws and changes nothing. @throws MemfsError `no_space`, `io`, `closed` */
  commit(): StoreChange | null {
    if (!this.#isPrepared) this.#encode();
    if (this.#batch.size === 0) return null;
    this.put(counterKey, encodeCounters(this.counters));
    if (this.cause.deferred === true) this.#state.space.defer(this.#batch);
    else this.#state.space.commit(this.#batch, this.cause.origin, this.syncs);
    this.#batch.done();
    this.#publish();
    return {
      contents: this.#contents,
      nodes: this.cause.told === true ? [] : [...this.#nodes.keys()],
      directories: this.#directories,
      source: this.#surprising ? null : (this.cause.source ?? null),
    };
  }

  /** What was done is not wanted: a preview. */
  drop(): void {
    this.#batch.done();
  }

  #publish(): void {
    this.unsettled.publish();
    const { nodes, memories, listings } = this.#state;
    this.#state.counters = this.counters;
    this.#state.lastActor = this.#lastActor;
    if (this.#lastVersion !== null) this.#state.lastVersion = this.#lastVersion;
    if (this.#scratch !== null) this.#state.scratch.forget();
    for (const directory of this.#madeDirectories) listings.created(directory);
    for (const { directory, name, entry } of this.#entries) listings.changed(directory, name, entry);
    for (const [uid, memory] of this.#memories) memories.set(uid, memory);
    for (const [number, node] of this.#nodes) {
      if (node !== null) {
        this.#state.keepNode(node);
        continue;
      }
      nodes.delete(number);
      listings.removed(number);
    }
  }
}

function timestampOf(at: Micros): Timestamp {
  return { sec: Math.floor(at / 1e6), nsec: (at % 1e6) * 1000 };
}
