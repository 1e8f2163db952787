/**
 * Lineage: a memory goes on through whatever a program does to save it. What may be a step of a save is held back for a
 * second ({@link Unsettled}); here it is held, taken up again by the next step, or recorded as what it was.
 */

import type { Uid } from "../id.ts";
import { commitContent, continueIn } from "./merge/commit.ts";
import { EMPTY_HASH } from "./content/hash.ts";
import { adopt, beginMemory, checkMemorySize, endMemory, memoryName, recordMove } from "./memories.ts";
import type { NodeName, NodeRecord } from "./records/node-record.ts";
import type { Mutable } from "./records/record.ts";
import type { Transaction } from "./transaction.ts";
import { isDirectory, isFile } from "./tree/mode.ts";
import { pathOf } from "./tree/tree.ts";
import { HOLD_MICROS, type Unsettled } from "./unsettled.ts";

const NOWHERE: NodeName = Object.freeze({ parent: 0, name: "" });

interface Parking {
  /** The name the memory's path is made of. */
  readonly from: NodeName;
  /** Any process of the session may go on with it, not only this one. */
  readonly wholeSession: boolean;
}

/** The memory's file is gone from its path: it has a second to go on in another one. */
export function parkGone(tx: Transaction, uid: Uid, node: NodeRecord, { from, wholeSession }: Parking): void {
  tx.counters.memories -= 1;
  park(tx, "gone", { uid, node, from, wholeSession });
}

/** The memory's file was renamed: within a second it may turn out that it was put aside. */
export function parkMoved(tx: Transaction, uid: Uid, node: NodeRecord, from: NodeName): void {
  park(tx, "moved", { uid, node, from, wholeSession: false });
}

function park(
  tx: Transaction,
  kind: "gone" | "moved",
  { uid, node, from, wholeSession }: Parking & { uid: Uid; node: NodeRecord },
): void {
  tx.unsettled.set({
    kind,
    memory: uid,
    node: kind === "gone" ? 0 : node.number,
    from,
    path: tx.memory(uid).path,
    wholeSession,
    at: tx.at,
    actor: tx.cause.actor,
    evidence: tx.cause.evidence ?? null,
    mode: node.mode,
    mtime: node.mtime,
  });
}

/** A file that was made exclusively, most likely to become another one's content or to be removed soon. */
export function holdProvisional(tx: Transaction, node: NodeRecord): void {
  tx.unsettled.set({
    kind: "provisional",
    memory: null,
    node: node.number,
    from: NOWHERE,
    path: "",
    wholeSession: false,
    at: tx.at,
    actor: tx.cause.actor,
    evidence: tx.cause.evidence ?? null,
    mode: node.mode,
    mtime: node.mtime,
  });
}

/**
 * Something gets a name. Returns the memory that was parked there and goes on with it; it is not held any more, and
 * not counted. A memory that may not go on is recorded as what became of it.
 */
export function takeUp(tx: Transaction, at: NodeName): Unsettled | null {
  if (tx.unsettled.none) return null;
  const held = tx.unsettled.atPath(pathOf(tx, at));
  if (held === undefined) return null;
  if (!mayGoOn(tx, held)) {
    settle(tx, held);
    return null;
  }
  tx.unsettled.drop(held);
  if (held.kind === "moved") leaveBehind(tx, held);
  // The same path in another directory: the one it was in moved away.
  else if (held.kind === "gone" && held.from.parent !== at.parent) recordNameGone(tx, held.from);
  return held;
}

/** A file that came to a place where files are memories. One that was never committed waits for its first commit. */
export function enterHistory(tx: Transaction, node: Mutable<NodeRecord>): void {
  const { memory, content, size, mtime } = node;
  if (memory !== null || content === null) return;
  const at = memoryName(tx, node);
  if (tx.isScratch(at)) return;
  const held = takeUp(tx, at);
  if (held === null || held.memory === null) return adopt(tx, node);
  checkMemorySize(tx, node);
  continueIn(tx, node, { memory: held.memory, commit: { content: { hash: content, size }, base: null, mtime } });
}

/** Something that cannot go on with a memory gets a name. */
export function settleName(tx: Transaction, at: NodeName): void {
  if (tx.unsettled.none) return;
  const held = tx.unsettled.atPath(pathOf(tx, at));
  if (held !== undefined) settle(tx, held);
}

function mayGoOn(tx: Transaction, held: Unsettled): boolean {
  if (tx.at - held.at >= HOLD_MICROS) return false;
  const { actor, evidence } = tx.cause;
  if (held.wholeSession)
    return actor.type === "session" && held.actor.type === "session" && actor.sessionId === held.actor.sessionId;
  const pid = evidence?.pid ?? 0;
  return pid !== 0 && pid === held.evidence?.pid;
}

/** The file that was put aside is a memory of its own. */
function leaveBehind(tx: Transaction, held: Unsettled): void {
  const node = tx.editNode(held.node);
  node.memory = null;
  tx.counters.memories -= 1;
  tx.as(held, () => beginMemory(tx, node));
}

/** The memory goes on in a new file, with its first content. */
export function claim(tx: Transaction, held: Unsettled, node: NodeRecord): void {
  const { memory, from, path, wholeSession, at, actor, evidence, mode, mtime } = held;
  const kind = "claimed";
  tx.unsettled.set({ kind, memory, node: node.number, from, path, wholeSession, at, actor, evidence, mode, mtime });
}

/** Before something else happens to a file: what is held back about its memory is recorded. */
export function settleFile(tx: Transaction, node: NodeRecord): void {
  if (!tx.unsettled.none && node.memory !== null) recordMove(tx, node.memory);
}

/**
 * A file without a memory lost its last name, or is about to be another memory's content: nothing of it is to be
 * recorded. Returns the memory that was to go on in it.
 */
export function dropHeld(tx: Transaction, node: NodeRecord): Unsettled | null {
  if (tx.unsettled.none || node.memory !== null) return null;
  const held = tx.unsettled.ofNode(node.number);
  if (held === undefined) return null;
  tx.unsettled.drop(held);
  return held.kind === "claimed" ? held : null;
}

/** Records what is held back as what it was, when it was and by whom it was done. A claimed memory stays claimed. */
export function settle(tx: Transaction, held: Unsettled): void {
  switch (held.kind) {
    case "gone":
      tx.unsettled.drop(held);
      return tx.as(held, () => recordGone(tx, held));
    case "moved":
      if (held.memory !== null) recordMove(tx, held.memory);
      return;
    case "provisional":
      tx.unsettled.drop(held);
      return settleProvisional(tx, held);
    case "claimed":
  }
}

function recordGone(tx: Transaction, held: Unsettled): void {
  if (held.memory === null) return;
  endMemory(tx, held.memory, held);
  recordNameGone(tx, held.from);
}

/** With the newest journal entry, unless the name is in use. */
function recordNameGone(tx: Transaction, at: NodeName): void {
  // A directory that went and came back has brought the name back, too; or something else has it since.
  const entry = tx.entry(at.parent, at.name);
  if (entry === null || !inHistory(tx, tx.node(entry.node), at)) tx.putPastEntry(at, tx.counters.seq, null);
}

/** True when the past of the name tells of what is there now. */
function inHistory(tx: Transaction, { mode, memory }: NodeRecord, at: NodeName): boolean {
  return memory !== null || (!isFile(mode) && !tx.isScratch(at, isDirectory(mode)));
}

/** A file without content yet is not recorded: its first commit will. */
function settleProvisional(tx: Transaction, held: Unsettled): void {
  const node = tx.node(held.node);
  if (node.memory !== null || node.content === null || node.names.length === 0) return;
  if (tx.isScratch(memoryName(tx, node))) return;
  tx.as(held, () => beginMemory(tx, tx.editNode(held.node)));
}

/** Settles what a daemon that died has left: files that were open then have the content they have. */
export function settleLeftover(tx: Transaction, held: Unsettled): void {
  const node = held.node === 0 ? undefined : tx.state.node(held.node);
  if (held.kind === "gone" || held.kind === "moved") return settle(tx, held);
  tx.unsettled.drop(held);
  if (node === undefined || node.names.length === 0) {
    if (held.kind === "claimed") tx.as(held, () => recordGone(tx, held));
    return;
  }
  // As a memory that is gone would be taken up: the commit finds the claim.
  if (held.kind === "claimed") tx.unsettled.set(held);
  if (held.kind === "provisional" && node.content !== null) return settleProvisional(tx, held);
  commitEmpty(tx, tx.editNode(held.node), held);
}

/** The file is what it shows: empty. */
export function commitEmpty(tx: Transaction, node: Mutable<NodeRecord>, held: Unsettled): void {
  const { mtime, ctime } = node;
  const content = { hash: EMPTY_HASH, size: 0 };
  tx.as(held, () => commitContent(tx, node, { content, base: null, mtime, ctime }));
}
