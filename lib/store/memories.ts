/** Memories and their versions: the steps that transactions record history with. */

import { MemfsError } from "../errors.ts";
import type { Uid } from "../id.ts";
import type { MadeFrom } from "./merge/base.ts";
import { isGrown, putContent, putGrown } from "./content/content.ts";
import type { FinishedContent } from "./content/chunk.ts";
import { type FsyncRun, originOfRun } from "./fsync-run.ts";
import { EMPTY_HASH, type Hash } from "./content/hash.ts";
import type { JournalKind } from "./journal.ts";
import { pathKey, versionKey } from "./records/keys.ts";
import type { MemoryRecord } from "./records/memory-record.ts";
import type { NodeName, NodeRecord } from "./records/node-record.ts";
import { type Mutable, type Timestamp } from "./records/record.ts";
import type { Transaction } from "./transaction.ts";
import { pathOf } from "./tree/tree.ts";
import type { Policy } from "./types.ts";
import { foldDetail } from "./records/version-record.ts";

/** New content of a file. */
export interface ContentCommit {
  /** The bytes; digest and size do when a version of the store has them already. */
  readonly content: FinishedContent | { readonly hash: Hash; readonly size: number };
  /** What the bytes were made from; null when from nothing. If the head is another by then, they are merged with it. */
  readonly base: MadeFrom;
  /** Reads the bytes, if they are not stored. */
  readonly bytes?: { read(offset: number, length: number): Buffer };
  /** Default: the store's policy. */
  readonly onConflict?: Policy["onConflict"] | undefined;
  /** Times of the last write and the last change; default the time of the commit. */
  readonly mtime?: Timestamp;
  readonly ctime?: Timestamp;
  /** The handle it came through; 0 when none. */
  readonly handle?: number;
  /** What that handle's fsyncs made before, when this is one of them. */
  readonly run?: FsyncRun | null;
  readonly note?: string | null;
}

/** What a version says, beside who and when. */
export interface NewVersion {
  readonly kind: JournalKind;
  readonly path: string;
  readonly hash: Hash | null;
  readonly size: number;
  readonly mode: number;
  readonly mtime: Timestamp;
  readonly parents: readonly Uid[];
  readonly handle: number;
  readonly run?: FsyncRun | null;
  readonly note: string | null;
  readonly detail: Readonly<Record<string, unknown>> | undefined;
}

export function setContent(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  { hash, size }: { readonly hash: Hash; readonly size: number },
): void {
  if (node.content === hash) return;
  tx.counters.liveBytes += size - node.size;
  node.content = hash;
  node.size = size;
  tx.contentChanged(node.number);
}

/**
 * A file without a memory gets one, with the content it has.
 * @throws MemfsError `file_too_big`, `quota_exceeded` when the store's limits do not let it be one
 */
export function adopt(tx: Transaction, node: Mutable<NodeRecord>): void {
  const { maxMemories } = tx.state.policy();
  checkMemorySize(tx, node);
  if (tx.counters.memories >= maxMemories)
    throw new MemfsError("quota_exceeded", `the store is full: at most ${maxMemories} memories`);
  beginMemory(tx, node);
}

/** As {@link adopt}, for a file that was made within the limits. */
export function beginMemory(tx: Transaction, node: Mutable<NodeRecord>): void {
  const { content, size, mtime } = node;
  const memory = newMemory(tx, node);
  const commit = { content: { hash: content ?? EMPTY_HASH, size }, base: null, mtime };
  appendContent(tx, node, memory, { commit, content: commit.content, parents: [] });
}

/** A scratch file may be larger than a memory. @throws MemfsError `file_too_big` */
export function checkMemorySize(tx: Transaction, { size }: NodeRecord): void {
  const { maxMemoryBytes } = tx.state.policy();
  if (size > maxMemoryBytes)
    throw new MemfsError("file_too_big", `a memory has at most ${maxMemoryBytes} bytes here, unlike a scratch file`);
}

/** A version of the memory with this content, which need not be what was asked to be committed. */
export function appendContent(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  memory: Mutable<MemoryRecord>,
  { commit, content, parents }: { commit: ContentCommit; content: ContentCommit["content"]; parents: readonly Uid[] },
): void {
  const { hash, size } = content;
  const created = memory.headN === 0;
  if ("chunks" in content) storeContent(tx, content);
  appendVersion(tx, memory, {
    kind: created ? "memory.created" : "memory.modified",
    path: memory.path,
    hash,
    size,
    mode: node.mode,
    mtime: commit.mtime ?? tx.now,
    parents,
    handle: commit.handle ?? 0,
    run: commit.run ?? null,
    note: commit.note ?? null,
    detail: undefined,
  });
  setContent(tx, node, content);
  if (created) bindMemory(tx, node, memory);
}

/**
 * It is remembered also if the transaction fails: a digest stands for its bytes whether they are stored or not. What was stored
 * lately is not stored as an extension: others may be extensions of it, and would be further away from whole content.
 */
export function storeContent(tx: Transaction, content: FinishedContent): void {
  const { hash, chunks, manifest, begins } = content;
  const { recent, space } = tx.state;
  const known = recent.depthOf(space.id, hash);
  const below = begins === null || known !== undefined ? undefined : recent.depthOf(space.id, begins.hash);
  const grown = below !== undefined && isGrown(content, below);
  tx.counters.historyBytes += grown ? putGrown(tx, content) : putContent(tx, content);
  const bytes = chunks[0]?.bytes;
  if (manifest !== null || bytes === null || bytes === undefined) return;
  // What LevelDB has as an extension stays one: it is not given the bytes then.
  recent.put(hash, bytes, { space: space.id, depth: grown ? below + 1 : (known ?? 0) });
}

/** Of a version that follows the head with content made from `base`. */
export function parentsOf(memory: MemoryRecord, base: MadeFrom): readonly Uid[] {
  if (base !== null && base !== "head" && base.version !== null) return [base.version];
  return memory.headN === 0 ? [] : [memory.head];
}

export function newMemory(tx: Transaction, node: NodeRecord): Mutable<MemoryRecord> {
  const { actor } = tx.cause;
  return tx.addMemory({
    memory: tx.state.ids.uid(),
    node: node.number,
    path: pathOf(tx, memoryName(tx, node)),
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

/** The name a memory is at: its oldest one that is not scratch, if there is one. @throws RangeError without any name */
export function memoryName(tx: Transaction, { names }: NodeRecord): NodeName {
  const [first] = names;
  if (first === undefined) throw new RangeError("a memory is at a name");
  if (names.length === 1) return first;
  return names.find((name) => !tx.isScratch(name)) ?? first;
}

/** The memory goes on at another path: a version with the same content. */
export function moveMemory(tx: Transaction, uid: Uid, node: NodeRecord): void {
  const memory = tx.editMemory(uid);
  const path = pathOf(tx, memoryName(tx, node));
  if (path === memory.path) return;
  const detail = { from: memory.path };
  memory.path = path;
  appendVersion(tx, memory, versionOfHead(memory, node, { kind: "memory.renamed", detail }));
  tx.mark(pathKey(tx.state.tagOfName(path), tx.counters.seq, uid));
}

/** Records a move of the memory's file that was held back. */
export function recordMove(tx: Transaction, uid: Uid): void {
  const held = tx.unsettled.ofMemory(uid);
  if (held?.kind !== "moved") return;
  tx.unsettled.drop(held);
  tx.as(held, () => {
    const node = tx.node(held.node);
    moveMemory(tx, uid, node);
    tx.putPastEntry(held.from, tx.counters.seq, null);
    tx.putPastEntries(node);
  });
}

/** Records that a memory which no file is the present of has ended. */
export function endMemory(tx: Transaction, uid: Uid, { mode, mtime }: Pick<NodeRecord, "mode" | "mtime">): void {
  const memory = tx.editMemory(uid);
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
  let replaced = false;
  for (let seq = memory.headSeq; seq > 0;) {
    const version = tx.versionAt(seq);
    if (version === undefined)
      throw new MemfsError("damaged", `journal entry ${seq} is missing; run memfs audit verify`);
    if (!replaced) tx.counters.versions -= 1;
    replaced = version.folded === version.n - 1;
    tx.delete(versionKey(uid, version.n, seq));
    seq = version.previous;
  }
  memory.state = "folded";
  tx.journal("memory.folded", { memory: uid }, { path: memory.path });
  tx.counters.memories -= 1;
}

/** The memory's next version, and its head. */
export function appendVersion(tx: Transaction, memory: Mutable<MemoryRecord>, made: NewVersion): void {
  const id = tx.newVersionId();
  const n = memory.headN + 1;
  const { path, hash, mode, mtime, note, handle } = made;
  const size = hash === null ? undefined : made.size;
  let { parents, detail } = made;
  let sizeBefore = memory.hash === null ? null : memory.size;
  const origin = originOfRun(tx, memory, { run: made.run ?? null, parents });
  if (origin !== null) {
    tx.delete(versionKey(memory.memory, memory.headN, memory.headSeq));
    tx.counters.versions -= 1;
    parents = origin.parents;
    sizeBefore = origin.sizeBefore;
    detail = foldDetail(memory.headN, origin.operation);
  }
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
