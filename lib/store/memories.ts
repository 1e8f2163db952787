/** Memories and their versions: the steps that transactions record history with. */

import { MemfsError } from "../errors.ts";
import type { Uid } from "../id.ts";
import { putContent } from "./content.ts";
import type { FinishedContent } from "./chunk.ts";
import type { Hash } from "./hash.ts";
import type { JournalKind } from "./journal.ts";
import { pathKey, versionKey } from "./keys.ts";
import type { MemoryRecord } from "./memory-record.ts";
import type { NodeName, NodeRecord } from "./node-record.ts";
import { isLater, type Mutable, type Timestamp } from "./record.ts";
import type { Transaction } from "./transaction.ts";
import { pathOf } from "./tree.ts";

/** New content of a file. */
export interface ContentCommit {
  /** The bytes; digest and size do when a version of the store has them already. */
  readonly content: FinishedContent | { readonly hash: Hash; readonly size: number };
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
  readonly kind: JournalKind;
  readonly path: string;
  readonly hash: Hash | null;
  readonly size: number;
  readonly mode: number;
  readonly mtime: Timestamp;
  readonly parents: readonly Uid[];
  readonly handle: number;
  readonly note: string | null;
  readonly detail: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Makes the bytes the present content of a file that has a name, as a version of its memory: the first one creates the
 * memory. Bytes equal to the head make no version. Returns the memory as it is then.
 */
export function commitContent(tx: Transaction, node: Mutable<NodeRecord>, commit: ContentCommit): MemoryRecord {
  const memory = node.memory === null ? newMemory(tx, node) : tx.editMemory(node.memory);
  if (memory.hash !== commit.content.hash) appendContent(tx, node, memory, commit);
  node.mtime = commit.mtime ?? tx.now;
  const ctime = commit.ctime ?? tx.now;
  // A name or an attribute may have changed after the last write.
  if (isLater(ctime, node.ctime)) node.ctime = ctime;
  return memory;
}

function appendContent(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  memory: Mutable<MemoryRecord>,
  commit: ContentCommit,
): void {
  const { content, base } = commit;
  const { hash, size } = content;
  const created = memory.headN === 0;
  if ("chunks" in content) {
    tx.counters.historyBytes += putContent(tx, content);
    rememberContent(tx, content);
  }
  appendVersion(tx, memory, {
    kind: created ? "memory.created" : "memory.modified",
    path: memory.path,
    hash,
    size,
    mode: node.mode,
    mtime: commit.mtime ?? tx.now,
    parents: parentsOf(memory, base),
    handle: commit.handle ?? 0,
    note: commit.note ?? null,
    detail: undefined,
  });
  tx.counters.liveBytes += size - node.size;
  node.content = hash;
  node.size = size;
  tx.contentChanged(node.number);
  if (created) bindMemory(tx, node, memory);
}

/** Also if the transaction fails: a digest stands for its bytes whether they are stored or not. */
function rememberContent(tx: Transaction, { hash, chunks, manifest }: FinishedContent): void {
  const bytes = chunks[0]?.bytes;
  if (manifest === null && bytes !== null && bytes !== undefined) tx.state.recent.put(hash, bytes);
}

function parentsOf(memory: MemoryRecord, base: Uid | null): readonly Uid[] {
  if (base !== null) return [base];
  return memory.headN === 0 ? [] : [memory.head];
}

function newMemory(tx: Transaction, node: NodeRecord): Mutable<MemoryRecord> {
  const { actor } = tx.cause;
  return tx.addMemory({
    memory: tx.state.ids.uid(),
    node: node.number,
    path: pathOf(tx, firstName(node)),
    head: "",
    headN: 0,
    headSeq: 0,
    hash: null,
    size: 0,
    createdAt: tx.at,
    updatedAt: tx.at,
    state: "live",
    origin: actor.type === "session" ? actor.sessionId : null,
  });
}

/** The file is the present of the memory from its first version on. */
function bindMemory(tx: Transaction, node: Mutable<NodeRecord>, memory: MemoryRecord): void {
  node.memory = memory.memory;
  tx.putPastEntries(node);
  tx.mark(pathKey(tx.state.tagOfName(memory.path), tx.counters.seq, memory.memory));
  tx.counters.memories += 1;
}

function firstName(node: NodeRecord): NodeName {
  const [name] = node.names;
  if (name === undefined) throw new RangeError("a memory is at a name");
  return name;
}

/** The memory goes on at another path: a version with the same content. */
export function moveMemory(tx: Transaction, uid: Uid, node: NodeRecord): void {
  const memory = tx.editMemory(uid);
  const path = pathOf(tx, firstName(node));
  if (path === memory.path) return;
  const detail = { from: memory.path };
  memory.path = path;
  appendVersion(tx, memory, versionOfHead(memory, node, { kind: "memory.renamed", detail }));
  tx.mark(pathKey(tx.state.tagOfName(path), tx.counters.seq, uid));
}

/** The memory ends. Its node may live on as an orphan that is no memory. */
export function deleteMemory(tx: Transaction, uid: Uid, node: NodeRecord): void {
  const memory = tx.editMemory(uid);
  const { mode, mtime } = node;
  const deleted: NewVersion = {
    kind: "memory.deleted",
    path: memory.path,
    hash: null,
    size: 0,
    mode,
    mtime,
    parents: [memory.head],
    handle: 0,
    note: null,
    detail: undefined,
  };
  appendVersion(tx, memory, deleted);
  memory.state = "deleted";
  tx.editNode(node.number).memory = null;
  tx.counters.memories -= 1;
}

function versionOfHead(
  memory: MemoryRecord,
  node: NodeRecord,
  made: { kind: JournalKind; detail: NewVersion["detail"] },
): NewVersion {
  return {
    kind: made.kind,
    path: memory.path,
    hash: memory.hash,
    size: memory.size,
    mode: node.mode,
    mtime: node.mtime,
    parents: [memory.head],
    handle: 0,
    note: null,
    detail: made.detail,
  };
}

/** The memory's versions leave all lists: they were steps of saving another memory. They stay in the journal. */
export function foldMemory(tx: Transaction, uid: Uid): void {
  const memory = tx.editMemory(uid);
  for (let seq = memory.headSeq; seq > 0;) {
    const version = tx.state.versionAt(seq);
    if (version === undefined)
      throw new MemfsError("damaged", `journal entry ${seq} is missing; run memfs audit verify`);
    tx.delete(versionKey(uid, version.n, seq));
    seq = version.previous;
  }
  memory.state = "folded";
  tx.journal("memory.folded", { memory: uid }, { path: memory.path });
  tx.counters.memories -= 1;
  tx.counters.versions -= memory.headN;
}

function appendVersion(tx: Transaction, memory: Mutable<MemoryRecord>, made: NewVersion): void {
  const id = tx.state.versionIds.next(tx.at);
  const n = memory.headN + 1;
  const { path, hash, detail } = made;
  const size = hash === null ? undefined : made.size;
  const sizeBefore = memory.hash === null ? null : memory.size;
  const { mode, mtime, parents, note, handle } = made;
  const evidence = tx.cause.evidence ?? null;
  const seq = tx.journal(
    made.kind,
    { memory: memory.memory, version: { id, n, previous: memory.headSeq } },
    { path, hash: hash ?? undefined, size, detail, made: { sizeBefore, mode, mtime, evidence, parents, note, handle } },
  );
  tx.mark(versionKey(memory.memory, n, seq));
  tx.counters.versions += 1;
  memory.head = id;
  memory.headN = n;
  memory.headSeq = seq;
  memory.hash = hash;
  memory.size = made.size;
  memory.updatedAt = tx.at;
}
