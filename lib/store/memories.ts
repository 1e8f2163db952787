/** Memories and their versions: the steps that transactions record history with. */

import type { Uid } from "../id.ts";
import { putContent } from "./content.ts";
import type { FinishedContent } from "./content-writer.ts";
import { EMPTY_HASH, type Hash } from "./hash.ts";
import type { JournalKind } from "./journal.ts";
import { pathKey, referenceKey, versionIdKey, versionKey } from "./keys.ts";
import { encodePlace, encodeVersion, type MemoryRecord, type NodeRecord, type Timestamp, type VersionRecord } from "./records.ts";
import type { Transaction } from "./transaction.ts";
import { pathOf } from "./tree.ts";
import type { Operation } from "./types.ts";

/** New content of a file. */
export interface ContentCommit {
  readonly hash: Hash;
  readonly size: number;
  /** The bytes; may be left out when a version of the store already has them. */
  readonly content?: FinishedContent;
  /** The version the bytes were made from; null when they were made from nothing. */
  readonly base: Uid | null;
  /** Times of the last write and the last change; default the time of the commit. */
  readonly mtime?: Timestamp;
  readonly ctime?: Timestamp;
  /** The handle it came through; 0 when none. */
  readonly handle?: number;
  readonly note?: string | null;
}

interface NewVersion {
  readonly operation: Operation;
  readonly kind: JournalKind;
  readonly path: Buffer;
  readonly hash: Hash | null;
  readonly size: number;
  readonly mode: number;
  readonly mtime: Timestamp;
  readonly parents: readonly Uid[];
  readonly handle: number;
  readonly note: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * Makes the bytes the present content of a file that has a name, as a version of its memory: the first one creates the
 * memory. Bytes equal to the head make no version. Returns the memory as it is then.
 */
export function commitContent(tx: Transaction, node: NodeRecord, commit: ContentCommit): MemoryRecord {
  const timed = { ...commit, mtime: commit.mtime ?? tx.now, ctime: commit.ctime ?? tx.now };
  storeContent(tx, commit.content);
  const memory = node.memory === null ? null : tx.memory(node.memory);
  if (memory !== null && memory.hash === commit.hash) {
    tx.putNode({ ...node, mtime: timed.mtime, ctime: timed.ctime });
    return memory;
  }
  return memory === null ? createMemory(tx, node, timed) : modifyMemory(tx, node, memory, timed);
}

function storeContent(tx: Transaction, content: FinishedContent | undefined): void {
  if (content === undefined) return;
  tx.counters.historyBytes += putContent(tx, content);
}

type TimedCommit = ContentCommit & { readonly mtime: Timestamp; readonly ctime: Timestamp };

function createMemory(tx: Transaction, node: NodeRecord, commit: TimedCommit): MemoryRecord {
  const name = node.names[0];
  if (name === undefined) throw new RangeError("a memory is made of a file that has a name");
  const path = pathOf(tx, name);
  const blank: MemoryRecord = {
    memory: tx.state.ids.uid(),
    node: node.number,
    path,
    head: "",
    headN: 0,
    hash: null,
    size: 0,
    createdAt: tx.at,
    updatedAt: tx.at,
    state: "live",
    origin: tx.cause.actor.type === "session" ? tx.cause.actor.sessionId : null,
  };
  const memory = appendVersion(tx, blank, {
    ...versionOfContent(node, path, commit),
    operation: "created",
    kind: "memory.created",
    parents: commit.base === null ? [] : [commit.base],
  });
  const bound = putContentOfNode(tx, { ...node, memory: memory.memory }, commit);
  tx.putPastEntry(name, tx.counters.seq, bound);
  tx.mark(pathKey(tx.state.tagOfName(path.toString("latin1")), tx.counters.seq, memory.memory));
  tx.counters.memories += 1;
  return memory;
}

function modifyMemory(tx: Transaction, node: NodeRecord, memory: MemoryRecord, commit: TimedCommit): MemoryRecord {
  const modified = appendVersion(tx, memory, {
    ...versionOfContent(node, memory.path, commit),
    operation: "modified",
    kind: "memory.modified",
    parents: [commit.base ?? memory.head],
  });
  putContentOfNode(tx, node, commit);
  return modified;
}

function versionOfContent(node: NodeRecord, path: Buffer, commit: TimedCommit): Omit<NewVersion, "operation" | "kind" | "parents"> {
  const { hash, size, mtime } = commit;
  return { path, hash, size, mode: node.mode, mtime, handle: commit.handle ?? 0, note: commit.note ?? null };
}

function putContentOfNode(tx: Transaction, node: NodeRecord, commit: TimedCommit): NodeRecord {
  const { hash, size, mtime, ctime } = commit;
  const changed = { ...node, content: hash, size, mtime, ctime };
  tx.putNode(changed);
  tx.contentChanged(node.number);
  tx.counters.liveBytes += size - node.size;
  return changed;
}

/** The memory goes on at another path: a version with the same content. */
export function moveMemory(tx: Transaction, uid: Uid, node: NodeRecord): void {
  const memory = tx.memory(uid);
  const name = node.names[0];
  if (name === undefined) throw new RangeError("a memory moves to a name");
  const path = pathOf(tx, name);
  if (path.equals(memory.path)) return;
  const from = memory.path.toString("latin1");
  const moved = appendVersion(tx, { ...memory, path }, {
    ...versionOfHead(memory, node),
    path,
    operation: "modified",
    kind: "memory.renamed",
    detail: { from },
  });
  tx.mark(pathKey(tx.state.tagOfName(path.toString("latin1")), tx.counters.seq, moved.memory));
}

/** The memory ends. Its node may live on as an orphan that is no memory. */
export function deleteMemory(tx: Transaction, uid: Uid, node: NodeRecord): void {
  const memory = tx.memory(uid);
  const deleted = appendVersion(tx, memory, {
    ...versionOfHead(memory, node),
    operation: "deleted",
    kind: "memory.deleted",
    hash: null,
    size: 0,
  });
  tx.putMemory({ ...deleted, state: "deleted" });
  tx.putNode({ ...tx.node(node.number), memory: null });
  tx.counters.memories -= 1;
}

function versionOfHead(memory: MemoryRecord, node: NodeRecord): Omit<NewVersion, "operation" | "kind"> {
  const { path, hash, size, head } = memory;
  return { path, hash, size, mode: node.mode, mtime: node.mtime, parents: [head], handle: 0, note: null };
}

/** The memory's versions leave all lists: they were steps of saving `into`. They stay in the journal. */
export function foldMemory(tx: Transaction, uid: Uid, into: Uid): void {
  const memory = tx.memory(uid);
  for (let n = 1; n <= memory.headN; n++) {
    const version = tx.state.version(uid, n);
    if (version !== undefined) tx.put(versionKey(uid, n), encodeVersion({ ...version, foldedInto: into }));
  }
  tx.putMemory({ ...memory, state: "folded" });
  tx.journal("memory.folded", { memory: uid }, { path: memory.path });
  tx.counters.memories -= 1;
  tx.counters.versions -= memory.headN;
}

function appendVersion(tx: Transaction, memory: MemoryRecord, made: NewVersion): MemoryRecord {
  const { path, hash, size, detail } = made;
  const version = tx.state.ids.uid();
  const n = memory.headN + 1;
  const erasable = hash === null ? { path, detail } : { path, hash, size, detail };
  const seq = tx.journal(made.kind, { memory: memory.memory, version }, erasable);
  const record: VersionRecord = {
    version,
    memory: memory.memory,
    n,
    seq,
    operation: made.operation,
    createdAt: tx.at,
    path,
    hash,
    size,
    sizeBefore: memory.hash === null ? null : memory.size,
    mode: made.mode,
    mtime: made.mtime,
    actor: tx.cause.actor,
    evidence: tx.cause.evidence ?? null,
    parents: made.parents,
    note: made.note,
    handle: made.handle,
    foldedInto: null,
    redactedAt: 0,
    redactedBy: null,
  };
  tx.put(versionKey(memory.memory, n), encodeVersion(record));
  tx.put(versionIdKey(version), encodePlace(memory.memory, n));
  if (hash !== null && hash !== EMPTY_HASH) tx.mark(referenceKey(tx.state.tagOfHash(hash), memory.memory, n));
  tx.counters.versions += 1;
  const head = { ...memory, head: version, headN: n, hash, size, updatedAt: tx.at };
  tx.putMemory(head);
  return head;
}
