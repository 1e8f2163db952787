/** Renames: what happens to names, nodes and memories when a name moves, also over another one. */

import { MemfsError } from "../../errors.ts";
import type { Uid } from "../../id.ts";
import { EMPTY_HASH } from "../content/hash.ts";
import { continueIn } from "../merge/commit.ts";
import { recordEntry } from "./entries.ts";
import { checkMemorySize, type ContentCommit, endMemory, foldMemory, memoryName, moveMemory } from "../memories.ts";
import {
  commitEmpty,
  dropHeld,
  enterHistory,
  parkGone,
  parkMoved,
  settleFile,
  settleName,
  takeUp,
} from "../lineage.ts";
import { isDirectory, isFile } from "./mode.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import type { Mutable } from "../records/record.ts";
import type { Transaction } from "../transaction.ts";
import { checkName, directory, existingEntry, isBelow, type Move, moveName, pathOf, removeName } from "./tree.ts";
import { namesBelow } from "./walk.ts";

/** A rename that is under way: the names are moved, history is to follow. */
export interface Moved extends Move {
  readonly wasScratch: boolean;
  /** The memory whose path the target was. */
  readonly successor?: Uid | null;
  /** The file was a step of saving that memory. */
  readonly folds?: boolean;
  readonly note?: string | null;
}

export interface RenameOptions {
  /** Refuse when the target exists. */
  readonly noReplace: boolean;
  /** The moved file was a step of saving the target: its history is folded into the target's. */
  readonly folds: boolean;
  /** For the version that a replaced target gets. */
  readonly note?: string | null;
}

/**
 * Moves a name. Renaming a directory needs the listings below it in memory (`loadSubtree`).
 * @throws MemfsError `not_found`, `exists`, `not_directory`, `is_directory`, `not_empty`, `invalid_argument`
 */
export function rename(tx: Transaction, from: NodeName, to: NodeName, options: RenameOptions): void {
  checkName(to.name);
  directory(tx, to.parent);
  const node = tx.node(existingEntry(tx, from).node);
  const targetEntry = tx.entry(to.parent, to.name);
  if (targetEntry !== null && options.noReplace) throw new MemfsError("exists", "a file of that name exists");
  if (targetEntry?.node === node.number) return;
  const target = targetEntry === null ? null : tx.node(targetEntry.node);
  checkKinds(tx, node, { to, target });
  const wasScratch = tx.isScratch(from, isDirectory(node.mode));
  settleMover(tx, node);
  const successor = target === null ? comeTo(tx, to, node) : displace(tx, target, { to, by: node });
  moveName(tx, node.number, { from, to });
  if (successor !== null && !isFile(node.mode)) endMemory(tx, successor, node);
  arrive(tx, node.number, { from, to, wasScratch, successor, folds: options.folds, note: options.note ?? null });
}

/** History follows a name that moved. */
export function arrive(tx: Transaction, number: number, moved: Moved): void {
  const node = tx.node(number);
  if (isFile(node.mode)) moveFile(tx, tx.editNode(number), moved);
  else if (isDirectory(node.mode)) moveDirectory(tx, number, moved);
  else recordMove(tx, node, moved);
}

function checkKinds(
  tx: Transaction,
  node: NodeRecord,
  { to, target }: { to: NodeName; target: NodeRecord | null },
): void {
  if (isDirectory(node.mode)) {
    if (target !== null && !isDirectory(target.mode))
      throw new MemfsError("not_directory", "the target is not a directory");
    if (isBelow(tx, to, node)) throw new MemfsError("invalid_argument", "a directory cannot move below itself");
  }
  if (target === null || !isDirectory(target.mode)) return;
  if (!isDirectory(node.mode)) throw new MemfsError("is_directory", "the target is a directory");
  if (target.entries > 0) throw new MemfsError("not_empty", "the target directory is not empty");
}

/** What is held back of the file that moves is recorded, or is nothing to record: where it goes decides. */
export function settleMover(tx: Transaction, node: NodeRecord): void {
  if (tx.unsettled.none || !isFile(node.mode)) return;
  settleFile(tx, node);
  const held = node.memory === null ? tx.unsettled.ofNode(node.number) : undefined;
  if (held?.kind === "claimed") commitEmpty(tx, tx.editNode(node.number), held);
  else if (held !== undefined) tx.unsettled.drop(held);
}

/** A free name is taken. Returns the memory that goes on there; like a displaced one, it is not counted any more. */
function comeTo(tx: Transaction, to: NodeName, node: NodeRecord): Uid | null {
  if (isFile(node.mode)) return takeUp(tx, to)?.memory ?? null;
  settleName(tx, to);
  return null;
}

/**
 * Takes the name from what is there. Returns the memory that is to go on with what comes: the one that was there and has
 * no other name where files are memories, or has one as a backup. It has no file then and is not counted.
 */
function displace(tx: Transaction, target: NodeRecord, { to, by }: { to: NodeName; by: NodeRecord }): Uid | null {
  settleFile(tx, target);
  const path = pathOf(tx, to);
  const rest = removeName(tx, target.number, to);
  const { memory } = rest;
  if (memory === null) return rest.names.length > 0 ? null : (dropHeld(tx, rest)?.memory ?? null);
  if (rest.names.length > 0) {
    if (tx.memory(memory).path !== path) {
      if (!tx.isScratch(to)) tx.journal("entry.removed", { memory }, { path });
      return null;
    }
    // A temporary file comes: the other name is a backup made by linking (`perl -i.orig`), a memory of its own.
    const isBackup = isFile(by.mode) && by.memory === null && by.content !== null;
    if (!isBackup && !tx.isScratch(memoryName(tx, rest))) {
      moveMemory(tx, memory, rest);
      return null;
    }
  }
  rest.memory = null;
  tx.counters.memories -= 1;
  if (rest.names.length > 0) enterHistory(tx, rest);
  return memory;
}

/** A moved file: its memory moves with it, or the memory that was at the target takes over its bytes. */
function moveFile(tx: Transaction, node: Mutable<NodeRecord>, moved: Moved): void {
  const { from, successor = null } = moved;
  const own = node.memory;
  if (successor !== null && own !== null && node.names.length > 1) {
    // The file lives on at its other names, and with it its own memory.
    endMemory(tx, successor, node);
    moveOneName(tx, node, { own, moved });
  } else if (successor !== null) {
    succeed(tx, node, { ...moved, successor });
  } else if (own === null) {
    enterHistory(tx, node);
  } else if (!moved.wasScratch && tx.isScratch(memoryName(tx, node))) {
    node.memory = null;
    parkGone(tx, own, node, { from, wholeSession: true });
  } else if (node.names.length === 1) {
    parkMoved(tx, own, node, from);
  } else {
    moveOneName(tx, node, { own, moved });
  }
}

/** The memory at the target goes on with the file's bytes; the file's own was a step of that, or is gone. */
function succeed(tx: Transaction, node: Mutable<NodeRecord>, moved: Moved & { successor: Uid }): void {
  const { from, successor, folds = false, note = null } = moved;
  const own = node.memory;
  if (own === null) checkMemorySize(tx, node);
  else if (folds) foldMemory(tx, own);
  else parkGone(tx, own, node, { from, wholeSession: false });
  continueIn(tx, node, { memory: successor, commit: contentOf(node, { isSave: own === null || folds, note }) });
  if (own !== null && folds) tx.putPastEntry(from, tx.counters.seq, null);
}

/** What a file holds, as the next content of a memory. */
function contentOf(
  { content, size, mtime }: NodeRecord,
  { isSave, note }: { isSave: boolean; note: string | null },
): ContentCommit {
  // Whoever moves a file of its own over another one means to replace that, whatever it is.
  return { content: { hash: content ?? EMPTY_HASH, size }, base: isSave ? null : "head", mtime, note };
}

function moveOneName(tx: Transaction, node: NodeRecord, { own, moved }: { own: Uid; moved: Moved }): void {
  const before = tx.counters.seq;
  moveMemory(tx, own, node);
  // The memory's path is another name of the file.
  if (tx.counters.seq === before) {
    const detail = { to: pathOf(tx, moved.to) };
    tx.journal("entry.renamed", { memory: own }, { path: pathOf(tx, moved.from), detail });
  }
  recordNames(tx, node, moved);
}

function recordNames(tx: Transaction, node: NodeRecord, { from, to }: Move): void {
  tx.putPastEntry(from, tx.counters.seq, null);
  if (!tx.isScratch(to)) tx.putPastEntry(to, tx.counters.seq, node);
}

/** A name of what is no file: it moves within history, into it, out of it, or stays outside. */
function recordMove(tx: Transaction, node: NodeRecord, { from, to, wasScratch }: Moved): void {
  const isScratch = tx.isScratch(to, isDirectory(node.mode));
  if (wasScratch && isScratch) return;
  if (wasScratch) return recordEntry(tx, node, to);
  const kind = isScratch ? "entry.removed" : "entry.renamed";
  const seq = tx.journal(kind, {}, { path: pathOf(tx, from), detail: { to: pathOf(tx, to) } });
  tx.putPastEntry(from, seq, null);
  if (!isScratch) tx.putPastEntry(to, seq, node);
}

function moveDirectory(tx: Transaction, number: number, moved: Moved): void {
  tx.movedDirectory();
  recordMove(tx, tx.node(number), moved);
  moveBelow(tx, number, moved.wasScratch);
}

/** History follows what is below a directory that moved. */
export function moveBelow(tx: Transaction, number: number, wasScratch: boolean): void {
  for (const { at, node } of namesBelow(tx, number)) {
    if (isFile(node.mode)) moveFileBelow(tx, node);
    else if (tx.isScratch(at, isDirectory(node.mode))) tx.putPastEntry(at, tx.counters.seq, null);
    else if (wasScratch) recordEntry(tx, node, at);
  }
}

function moveFileBelow(tx: Transaction, node: NodeRecord): void {
  const { memory } = node;
  const [from] = node.names;
  if (memory === null || from === undefined) {
    if (node.content !== null) enterHistory(tx, tx.editNode(node.number));
    return;
  }
  if (tx.isScratch(memoryName(tx, node)) && !tx.state.scratch.hasPath(tx.memory(memory).path)) {
    tx.editNode(node.number).memory = null;
    for (const name of node.names.slice(1)) tx.putPastEntry(name, tx.counters.seq, null);
    parkGone(tx, memory, node, { from, wholeSession: true });
  } else {
    moveMemory(tx, memory, node);
    // A name that is not its path may have come out of scratch.
    if (node.names.length > 1) tx.putPastEntries(tx.node(node.number));
  }
}
