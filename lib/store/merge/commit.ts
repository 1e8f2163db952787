/** Committing content: what a file gets as its next version, or without history. */

import type { Uid } from "../../id.ts";
import { baseOf, isCurrent, type MadeFrom } from "./base.ts";
import {
  appendContent,
  type ContentCommit,
  memoryName,
  newMemory,
  parentsOf,
  recordMove,
  setContent,
  storeContent,
} from "../memories.ts";
import { pathKey } from "../records/keys.ts";
import { reconcile } from "./merging.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import type { NodeRecord } from "../records/node-record.ts";
import { isLater, type Mutable } from "../records/record.ts";
import type { Transaction } from "../transaction.ts";
import { pathOf } from "../tree/tree.ts";
import { HOLD_MICROS, type Unsettled } from "../unsettled.ts";

/**
 * Makes the bytes the present content of a file that has a name, as a version of its memory: the first one creates the
 * memory. Bytes equal to the head make no version. Returns the memory as it is then, or null for a scratch file.
 */
export function commitContent(tx: Transaction, node: Mutable<NodeRecord>, commit: ContentCommit): MemoryRecord | null {
  if (node.memory !== null) {
    if (!tx.unsettled.none) recordMove(tx, node.memory);
    return commitVersion(tx, node, commit, commit.base);
  }
  const held = tx.unsettled.none ? undefined : tx.unsettled.ofNode(node.number);
  if (held !== undefined) return commitHeld(tx, node, { held, commit });
  return isLoose(tx, node) ? commitLoose(tx, node, commit) : commitVersion(tx, node, commit, commit.base);
}

function commitVersion(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  commit: ContentCommit,
  base: MadeFrom,
): MemoryRecord {
  const memory = node.memory === null ? newMemory(tx, node) : tx.editMemory(node.memory);
  const { content } = commit;
  if (memory.hash === content.hash) setContent(tx, node, content);
  else if (isCurrent(memory, base))
    appendContent(tx, node, memory, { commit, content, parents: parentsOf(memory, base) });
  else reconcile(tx, node, { memory, commit, base });
  setTimes(tx, node, commit);
  return memory;
}

function setTimes(tx: Transaction, node: Mutable<NodeRecord>, commit: ContentCommit): void {
  node.mtime = commit.mtime ?? tx.now;
  const ctime = commit.ctime ?? tx.now;
  // A name or an attribute may have changed after the last write.
  if (isLater(ctime, node.ctime)) node.ctime = ctime;
}

/** The first content of a file that a memory goes on in, or content of one that is to be a memory in a moment. */
function commitHeld(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  { held, commit }: { held: Unsettled; commit: ContentCommit },
): MemoryRecord | null {
  if (held.memory === null && tx.at - held.at < HOLD_MICROS) return commitLoose(tx, node, commit);
  tx.unsettled.drop(held);
  return held.memory === null
    ? commitVersion(tx, node, commit, commit.base)
    : continueIn(tx, node, { memory: held.memory, commit });
}

/** A memory that was parked goes on in another file, with the bytes given: made from the head, or else from what their writer last saw. */
export function continueIn(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  { memory: uid, commit }: { memory: Uid; commit: ContentCommit },
): MemoryRecord {
  const memory = tx.editMemory(uid);
  const base = commit.base === "head" ? "head" : baseOf(tx.cause.known, memory);
  const path = pathOf(tx, memoryName(tx, node));
  const moved = path !== memory.path;
  memory.path = path;
  memory.node = node.number;
  node.memory = uid;
  tx.counters.memories += 1;
  commitVersion(tx, node, commit, base);
  tx.putPastEntries(node);
  if (moved) tx.mark(pathKey(tx.state.tagOfName(path), tx.counters.seq, uid));
  return memory;
}

/** A file without a memory: one that was scratch at its first commit, or is about to be. */
function isLoose(tx: Transaction, node: NodeRecord): boolean {
  return node.content !== null || tx.isScratch(memoryName(tx, node));
}

/** Content without history. */
function commitLoose(tx: Transaction, node: Mutable<NodeRecord>, commit: ContentCommit): null {
  const { content } = commit;
  if (node.content !== content.hash) {
    // Counted like history: until it is collected it takes as much room.
    if ("chunks" in content) storeContent(tx, content);
    setContent(tx, node, content);
  }
  setTimes(tx, node, commit);
  return null;
}
