/** One store as one mount sees it: its identity, what its kernel holds, its drafts and handles. */

import { MemfsError } from "../errors.ts";
import type { Uid } from "../id.ts";
import { NumberMap } from "../number-map.ts";
import { printable } from "../store/tree/names.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import { isLater, type Timestamp } from "../store/records/record.ts";
import type { Cause, StoreChange } from "../store/transaction.ts";
import type { Actor, Evidence } from "../store/types.ts";
import { linksOf, pathOf, ROOT_NODE } from "../store/tree/tree.ts";
import type { Draft } from "./draft.ts";
import type { Attributes, Caller, Invalidator, NodeEntry, NodeRef } from "./filesystem.ts";
import { Failures } from "./failures.ts";
import type { LockHolder } from "./file-locks.ts";
import { type FileHandle, Handles, isWritable, O_NOATIME } from "./handle.ts";
import type { LiveStore, LiveView } from "./live-store.ts";
import { ReadBases } from "./read-bases.ts";
import { RefusalJournal } from "./refusal-journal.ts";
import { Seen } from "./seen.ts";
import type { SessionReads } from "./session-reads.ts";

/** Whose writes go through a mount, and who owns what it shows. */
export interface MountIdentity {
  readonly agent: string;
  readonly sessionId: string;
  readonly uid: number;
  readonly gid: number;
  /** Files have the owners that are stored with them; else all of them belong to `uid` and `gid`. */
  readonly posixOwner: boolean;
  /** Tells this mount's requests from others' in the redo log; 48 bits. */
  readonly connection: number;
  /** Tells this daemon's handles from those of one before it; 30 bits. */
  readonly generation: number;
}

export interface ViewOptions {
  readonly live: LiveStore;
  /** Upper 16 bits of this store's node ids in the mount. */
  readonly slot: number;
  readonly access: "ro" | "rw";
  readonly identity: MountIdentity;
  readonly invalidator: Invalidator;
  /** Commits a draft that waits for its RELEASE. */
  readonly settle: LiveView["settle"];
  /** Stops showing what a program committed while its file stays open: from now on it is the head. */
  readonly showHead: (node: number) => void;
}

export class View implements LiveView, LockHolder {
  readonly live: LiveStore;
  readonly slot: number;
  readonly access: "ro" | "rw";
  readonly identity: MountIdentity;
  readonly invalidator: Invalidator;
  readonly seen = new Seen();
  readonly bases: ReadBases;
  readonly drafts = new NumberMap<Draft>();
  /**
   * Drafts that were flushed and not committed: the file may be closed for good, its RELEASE on the way. Also those whose
   * writer gave up a lock. Another mount that looks commits them.
   */
  readonly waiting = new Set<number>();
  /** Notes for the next version of a file that this mount makes. */
  readonly notes = new Map<number, string>();
  /** Commits that take many turns. Until one is over its draft is not changed. They never reject. */
  readonly committing = new Map<number, Promise<void>>();
  readonly handles: Handles;
  readonly settle: LiveView["settle"];
  readonly showHead: ViewOptions["showHead"];
  /** The mount ends: a draft that was refused is kept beside what it was meant for. */
  ending = false;
  readonly failures = new Failures();
  /** What its session reads of the store. */
  readonly reads: SessionReads;
  readonly #refusals: RefusalJournal;
  readonly #actor: Actor;

  constructor(options: ViewOptions) {
    this.live = options.live;
    this.bases = new ReadBases((seq) => this.live.store.history.versionAt(seq));
    this.slot = options.slot;
    this.access = options.access;
    this.identity = options.identity;
    this.invalidator = options.invalidator;
    this.settle = options.settle;
    this.showHead = options.showHead;
    const { agent, sessionId } = options.identity;
    this.#actor = Object.freeze({ type: "session", sessionId, agent });
    this.handles = new Handles(options.identity.generation);
    this.#refusals = new RefusalJournal(options.live.store, options.live.clock);
    this.reads = options.live.reads.join(this.#actor);
    this.live.attach(this);
  }

  ref(number: number): NodeRef {
    return { slot: this.slot, number };
  }

  now(): Timestamp {
    const micros = this.live.clock.now();
    return { sec: Math.floor(micros / 1e6), nsec: (micros % 1e6) * 1000 };
  }

  /** @throws MemfsError `stale` when there is no such node any more */
  node(number: number): NodeRecord {
    const node = this.live.store.node(number);
    if (node === undefined) throw new MemfsError("stale", "the file is gone");
    return node;
  }

  /** The node's attributes, with this mount's own uncommitted changes. */
  attributes(node: NodeRecord): Attributes {
    const draft = this.drafts.get(node.number);
    const atime = this.live.accessTimes.of(node);
    const mtime = draft?.mtime ?? node.mtime;
    const ctime = draft !== undefined && isLater(draft.ctime, node.ctime) ? draft.ctime : node.ctime;
    return {
      mode: node.mode,
      links: linksOf(node),
      uid: this.identity.posixOwner ? node.uid : this.identity.uid,
      gid: this.identity.posixOwner ? node.gid : this.identity.gid,
      rdev: node.rdev,
      size: draft?.size ?? node.size,
      atime: atime.sec,
      atimeNsec: atime.nsec,
      mtime: mtime.sec,
      mtimeNsec: mtime.nsec,
      ctime: ctime.sec,
      ctimeNsec: ctime.nsec,
      btime: node.birth.sec,
      btimeNsec: node.birth.nsec,
    };
  }

  /** The node for an answer by name: the kernel refers to it once more. */
  entry(node: NodeRecord): NodeEntry {
    this.seen.lookedUp(node.number);
    return { node: this.ref(node.number), attributes: this.attributes(node) };
  }

  /** Who is behind a change, with the evidence of the process that asks for it. */
  cause(caller: Caller, handle: FileHandle | null = null, deferred = false): Cause {
    const { connection } = this.identity;
    if (this.reads.pending) this.reads.flush();
    return {
      actor: this.#actor,
      evidence: this.#evidence(caller, handle),
      origin: { connection, uniqueHigh: caller.uniqueHigh, uniqueLow: caller.uniqueLow },
      deferred,
      known: this.bases,
      source: this,
    };
  }

  /** Null when no process asked and none opened the file (a detach, a settled draft), or nobody knows which. */
  #evidence(caller: Caller, handle: FileHandle | null): Evidence | null {
    if ((handle?.opener ?? caller.pid) <= 0) return null;
    const process = handle === null ? this.live.processes.identify(caller.pid) : this.processOf(handle);
    return { uid: handle?.uid ?? caller.uid, pid: process.tgid, program: process.program };
  }

  /** The process that opened a handle. It is alive while it writes, so the first write or flush asks. */
  processOf(handle: FileHandle): { tgid: number; program: string } {
    handle.process ??= this.live.processes.identify(handle.opener);
    return handle.process;
  }

  /**
   * The one door for changes of a node. A refusal is journalled.
   * @throws MemfsError `read_only`, `archived`, `stale` when there is no such node any more
   */
  requireWritable(caller: Caller, operation: string, node: number): void {
    if (this.live.store.info.archivedAt !== null)
      throw new MemfsError("archived", "the store is archived; it can be read and deleted, not changed");
    if (this.access === "rw") return void this.node(node);
    this.#refusals.refused({ operation, path: printable(this.pathOf(node)) }, this.cause(caller));
    throw new MemfsError("read_only", "the store is mounted read-only");
  }

  /** Path of a node, of a file its oldest; `/` for one without a name. Bytes. */
  pathOf(number: number): string {
    const name = this.live.store.node(number)?.names[0];
    return name === undefined ? "/" : pathOf({ node: (parent) => this.node(parent) }, name);
  }

  /** Somebody read the node. A store that this mount cannot change stays as it is. */
  accessed(node: NodeRecord, flags: number): void {
    const { accessTimes, clock, store } = this.live;
    if (this.access === "ro" || (flags & O_NOATIME) !== 0) return;
    const changed = this.drafts.get(node.number) ?? node;
    if (!accessTimes.isDue(node, changed, clock.now() / 1e6) || store.info.archivedAt !== null) return;
    this.live.accessed(this, node.number, this.now());
  }

  /** What a change of the node's bytes waits for, if anything. */
  busy(number: number): Promise<void> | undefined {
    return this.committing.size === 0 ? undefined : this.committing.get(number);
  }

  /** The head version of a file's memory. */
  headOf(node: NodeRecord): Uid | null {
    return node.memory === null ? null : (this.live.store.memoryRecord(node.memory)?.head ?? null);
  }

  invalidate(change: StoreChange): void {
    if (this.bases.hasUnmade) for (const node of change.nodes) this.bases.changed(this.live.store.node(node));
    for (const node of change.contents) if (this.seen.holds(node)) this.invalidator.content(this.ref(node));
    for (const node of change.directories) {
      this.seen.listingChanged(node);
      if (node === ROOT_NODE || this.seen.holds(node)) this.invalidator.names(this.ref(node));
    }
    for (const node of change.nodes)
      if (!change.contents.has(node) && !change.directories.has(node)) this.attributesChanged(node);
  }

  attributesChanged(node: number): void {
    if (node === ROOT_NODE || this.seen.holds(node)) this.invalidator.attributes(this.ref(node));
  }

  /** Who is given a lock sees what was written under it before, also in pages its kernel keeps. */
  granted(node: number): Promise<void> | null {
    this.showHead(node);
    const settling = this.live.settleElsewhere(this, node);
    if (settling === undefined) return this.invalidator.dropped(this.ref(node));
    return settling.then(() => this.invalidator.dropped(this.ref(node)) ?? undefined);
  }

  refersTo(node: number): boolean {
    if (this.seen.holds(node)) return true;
    return this.handles.someFile((handle) => handle.node === node);
  }

  /** True when another handle of this mount can still write the node. */
  hasWriter(node: number, except?: FileHandle): boolean {
    return this.handles.someFile((handle) => handle.node === node && handle !== except && isWritable(handle.flags));
  }

  /** After the kernel or a handle let go of a node: one without names may go. */
  released(number: number): void {
    const node = this.live.store.node(number);
    if (node !== undefined && node.detachedSince === 0) return;
    if (this.refersTo(number)) {
      this.live.orphaned(number);
      return;
    }
    this.gone(number);
    if (node !== undefined) this.live.unreferenced(number);
  }

  /** The mount has ended. */
  end(): void {
    this.live.reads.leave(this.#actor);
    this.live.detach(this);
  }

  gone(number: number): void {
    this.seen.drop(number);
    this.bases.drop(number);
    this.drafts.get(number)?.free();
    this.drafts.delete(number);
    this.waiting.delete(number);
    this.notes.delete(number);
  }
}
