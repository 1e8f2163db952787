/** Creating and removing entries, and changing attributes, with their journal entries. */

import { MemfsError } from "../../errors.ts";
import { orphanKey } from "../records/keys.ts";
import {
  claim,
  dropHeld,
  enterHistory,
  holdProvisional,
  parkGone,
  settleFile,
  settleName,
  takeUp,
} from "../lineage.ts";
import { memoryName, moveMemory } from "../memories.ts";
import { isDirectory, isFile, typeOf } from "./mode.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import type { Mutable, Timestamp } from "../records/record.ts";
import type { Transaction } from "../transaction.ts";
import { addName, directory, existingEntry, type NewNode, newNode, pathOf, removeName } from "./tree.ts";

/** Names of one file. All are in its record, which every change of the file writes again. */
const LINKS_MAX = 1000;

/**
 * Makes a node under a free name. A regular file is journalled with its first version, everything else here, and what is
 * scratch never.
 * @throws MemfsError `exists`, `not_found`, `not_directory`, `name_too_long`, `invalid_argument`
 */
export function create(tx: Transaction, at: NodeName, made: NewNode): Mutable<NodeRecord> {
  const node = tx.addNode(newNode(tx.newNodeNumber(), made, tx.now));
  addName(tx, node, at);
  if (isFile(node.mode)) startFile(tx, node, { at, exclusive: made.exclusive === true });
  else settleName(tx, at);
  if (isDirectory(node.mode)) tx.madeDirectory(node.number);
  if (isFile(node.mode) || tx.isScratch(at, isDirectory(node.mode))) return node;
  recordEntry(tx, node, at);
  return node;
}

/** A memory that was parked at the name goes on in the file; else one that was made exclusively is provisional. */
function startFile(tx: Transaction, node: NodeRecord, { at, exclusive }: { at: NodeName; exclusive: boolean }): void {
  const held = takeUp(tx, at);
  if (held !== null) claim(tx, held, node);
  else if (exclusive && !tx.isScratch(at)) holdProvisional(tx, node);
}

/** What is no file came to a name. */
export function recordEntry(tx: Transaction, node: NodeRecord, at: NodeName): void {
  const seq = tx.journal("entry.created", {}, { path: pathOf(tx, at), detail: { mode: node.mode } });
  tx.putPastEntry(at, seq, node);
}

/** Makes a file without a name in a directory (O_TMPFILE): it goes with whoever has it open, or gets a name later. */
export function createNameless(tx: Transaction, parent: number, made: NewNode): Mutable<NodeRecord> {
  directory(tx, parent);
  const node = tx.addNode(newNode(tx.newNodeNumber(), made, tx.now));
  node.detachedSince = tx.at;
  tx.mark(orphanKey(node.number));
  return node;
}

/**
 * Another name for a file, or the first one for a file that was made without. A removed file stays removed: it has a
 * history that has ended.
 * @throws MemfsError `exists`, `not_found`, `not_directory`, `name_too_long`, `not_permitted`, `too_many_links`
 */
export function link(tx: Transaction, number: number, at: NodeName): NodeRecord {
  const node = tx.node(number);
  if (isDirectory(node.mode)) throw new MemfsError("not_permitted", "a directory has one name");
  if (node.names.length === 0 && (node.content !== null || !isFile(node.mode)))
    throw new MemfsError("not_found", "the file was removed");
  if (node.names.length >= LINKS_MAX)
    throw new MemfsError("too_many_links", `a file has at most ${LINKS_MAX} names; make a copy`);
  settleFile(tx, node);
  const linked = tx.editNode(number);
  const first = node.names.length === 0;
  addName(tx, linked, at);
  // Like any new file: journalled with its first version.
  if (first) {
    tx.delete(orphanKey(number));
    startFile(tx, linked, { at, exclusive: false });
    return linked;
  }
  if (tx.isScratch(at)) return linked;
  if (isFile(node.mode) && node.memory === null) {
    // A scratch file with a name that is not is a memory there. Any other comes to be one at its first name.
    if (becomesMemoryElsewhere(tx, linked, at)) settleName(tx, at);
    else enterHistory(tx, linked);
    return linked;
  }
  settleName(tx, at);
  const seq = tx.journal("entry.created", { memory: node.memory }, { path: pathOf(tx, at) });
  tx.putPastEntry(at, seq, linked);
  return linked;
}

/** True for a file that is held back, or was never committed, and whose memory will be at another of its names. */
function becomesMemoryElsewhere(tx: Transaction, node: NodeRecord, at: NodeName): boolean {
  if (!tx.unsettled.none && tx.unsettled.ofNode(node.number) !== undefined) return true;
  if (node.content !== null) return false;
  const { parent, name } = memoryName(tx, node);
  return parent !== at.parent || name !== at.name;
}

/** Removes a name that is no directory. @throws MemfsError `not_found`, `is_directory` */
export function unlink(tx: Transaction, at: NodeName): NodeRecord {
  const node = tx.node(existingEntry(tx, at).node);
  if (isDirectory(node.mode)) throw new MemfsError("is_directory", "is a directory");
  settleFile(tx, node);
  const path = pathOf(tx, at);
  const rest = removeName(tx, node.number, at);
  const { memory } = rest;
  if (memory === null) {
    if (!isFile(node.mode)) recordRemoval(tx, at, path);
    else if (rest.names.length === 0) dropUnmade(tx, rest, at);
    return rest;
  }
  const isPath = tx.memory(memory).path === path;
  if (rest.names.length === 0 || (isPath && tx.isScratch(memoryName(tx, rest)))) {
    rest.memory = null;
    parkGone(tx, memory, rest, { from: at, wholeSession: false });
    return rest;
  }
  // A memory with several names lost one: its path is the oldest left.
  if (isPath) moveMemory(tx, memory, rest);
  else if (tx.isScratch(at)) return rest;
  else tx.journal("entry.removed", { memory }, { path });
  tx.putPastEntry(at, tx.counters.seq, null);
  return rest;
}

/** A file that was no memory yet went: it was never there, and the memory that was to go on in it is gone again. */
function dropUnmade(tx: Transaction, node: NodeRecord, from: NodeName): void {
  const held = dropHeld(tx, node);
  if (held?.memory === null || held === null) return;
  tx.counters.memories += 1;
  parkGone(tx, held.memory, node, { from, wholeSession: held.wholeSession });
}

function recordRemoval(tx: Transaction, at: NodeName, path: string, isDirectory = false): void {
  if (!tx.isScratch(at, isDirectory)) tx.putPastEntry(at, tx.journal("entry.removed", {}, { path }), null);
}

/** Removes an empty directory. @throws MemfsError `not_found`, `not_directory`, `not_empty` */
export function rmdir(tx: Transaction, at: NodeName): NodeRecord {
  const node = directory(tx, existingEntry(tx, at).node);
  if (node.entries > 0) throw new MemfsError("not_empty", "the directory is not empty");
  const path = pathOf(tx, at);
  const rest = removeName(tx, node.number, at);
  recordRemoval(tx, at, path, true);
  return rest;
}

/** Attributes to set; what is absent stays. */
export interface NewAttributes {
  readonly permissions?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly atime?: Timestamp;
  readonly mtime?: Timestamp;
}

/** Changes attributes. They are journalled and make no version; looking back shows permissions and mtime as they were. */
export function setAttributes(tx: Transaction, number: number, changes: NewAttributes): NodeRecord {
  const node = tx.editNode(number);
  if (changes.permissions !== undefined) node.mode = typeOf(node.mode) | changes.permissions;
  node.uid = changes.uid ?? node.uid;
  node.gid = changes.gid ?? node.gid;
  node.atime = changes.atime ?? node.atime;
  node.mtime = changes.mtime ?? node.mtime;
  node.ctime = tx.now;
  if (!inHistory(tx, node)) return node;
  const name = node.names[0];
  const path = name === undefined ? undefined : pathOf(tx, name);
  tx.journal("node.changed", { memory: node.memory }, { path, detail: { ...changes } });
  if (changes.permissions !== undefined || changes.mtime !== undefined) tx.putPastEntries(node);
  return node;
}

/** Sets access times. They are no change: neither in the journal nor in ctime. Nodes that are gone are passed over. */
export function setAccessTimes(tx: Transaction, times: ReadonlyMap<number, Timestamp>): void {
  for (const [number, atime] of times) {
    const node = tx.state.node(number);
    if (node !== undefined && node.detachedSince === 0) tx.editNode(number).atime = atime;
  }
}

/** False for what is scratch, and for a file without a version: its first one will have what it is then. */
export function inHistory(tx: Transaction, node: NodeRecord): boolean {
  if (isFile(node.mode)) return node.memory !== null;
  const [name] = node.names;
  return name === undefined || !tx.isScratch(name, isDirectory(node.mode));
}
