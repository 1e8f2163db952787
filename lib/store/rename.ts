/** Renames: what happens to names, nodes and memories when a name moves, also over another one. */

import { MemfsError } from "../errors.ts";
import { EMPTY_HASH } from "./hash.ts";
import { commitContent, deleteMemory, foldMemory, moveMemory } from "./memories.ts";
import { isDirectory } from "./mode.ts";
import type { NodeName, NodeRecord } from "./node-record.ts";
import type { Mutable } from "./record.ts";
import type { Transaction } from "./transaction.ts";
import { checkName, directory, existingEntry, isBelow, type Move, moveName, pathOf, removeName } from "./tree.ts";
import { filesBelow } from "./walk.ts";

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
  const successor = target === null ? null : displace(tx, target.number, to);
  moveName(tx, node.number, { from, to });
  if (isDirectory(node.mode)) moveBelow(tx, node.number, { from, to });
  else settleMemories(tx, node.number, { from, to, successor, folds: options.folds, note: options.note ?? null });
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

/** Takes the name from what is there. Returns the memory that was there and has no other name. */
function displace(tx: Transaction, target: number, to: NodeName): string | null {
  const path = pathOf(tx, to);
  const rest = removeName(tx, target, to);
  const { memory } = rest;
  if (memory === null) return null;
  if (rest.names.length > 0) {
    if (tx.memory(memory).path === path) moveMemory(tx, memory, rest);
    return null;
  }
  rest.memory = null;
  return memory;
}

/** A moved file: its memory moves with it, or the memory that was at the target takes over its bytes. */
function settleMemories(
  tx: Transaction,
  number: number,
  move: Move & { successor: string | null; folds: boolean; note: string | null },
): void {
  const { from, to, successor, folds } = move;
  const node = tx.editNode(number);
  const own = node.memory;
  const before = tx.counters.seq;
  if (successor === null) {
    if (own !== null) moveMemory(tx, own, node);
    // No memory, or one whose path is another name of the file.
    if (tx.counters.seq === before) tx.journal("entry.renamed", { memory: own }, { path: pathOf(tx, from) });
  } else if (own === null || node.content === null) {
    deleteMemory(tx, successor, node);
  } else if (node.names.length > 1) {
    // The file lives on at its other names, and with it its own memory.
    deleteMemory(tx, successor, node);
    node.memory = own;
    moveMemory(tx, own, node);
  } else {
    if (folds) foldMemory(tx, own);
    else deleteMemory(tx, own, node);
    inherit(tx, node, { successor, note: move.note });
  }
  recordMove(tx, node, { from, to });
}

/** The memory goes on with the bytes of another file. */
function inherit(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  { successor, note }: { successor: string; note: string | null },
): void {
  const memory = tx.editMemory(successor);
  memory.node = node.number;
  node.memory = successor;
  const { content, size, mtime } = node;
  commitContent(tx, node, { content: { hash: content ?? EMPTY_HASH, size }, base: memory.head, mtime, note });
  tx.putPastEntries(node);
}

function recordMove(tx: Transaction, node: NodeRecord, { from, to }: Move): void {
  tx.putPastEntry(from, tx.counters.seq, null);
  tx.putPastEntry(to, tx.counters.seq, node);
}

function moveBelow(tx: Transaction, number: number, move: Move): void {
  tx.journal("entry.renamed", {}, { path: pathOf(tx, move.from) });
  recordMove(tx, tx.node(number), move);
  for (const file of filesBelow(tx, number)) if (file.memory !== null) moveMemory(tx, file.memory, file);
}
