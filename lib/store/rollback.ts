/** Going back, always forward: a former content becomes a new version. */

import { MemfsError } from "../errors.ts";
import { formatId, type Uid } from "../id.ts";
import { create } from "./entries.ts";
import { EMPTY_HASH } from "./hash.ts";
import { pathKey } from "./keys.ts";
import { commitContent } from "./commit.ts";
import { S_IFDIR } from "./mode.ts";
import type { MemoryRecord } from "./memory-record.ts";
import type { NodeRecord } from "./node-record.ts";
import type { Mutable } from "./record.ts";
import type { VersionRecord } from "./version-record.ts";
import { printable } from "./names.ts";
import type { Transaction } from "./transaction.ts";
import { ROOT_NODE } from "./tree.ts";

/**
 * Gives the memory the content of one of its versions again. A deleted memory returns, with its id, to its last path.
 * Equal content makes no version.
 * @throws MemfsError `not_found` when the version has no content, `exists` when the last path is taken
 */
export function rollbackMemory(tx: Transaction, uid: Uid, to: VersionRecord): MemoryRecord {
  if (to.hash === null) {
    const id = formatId("memver", to.version);
    throw new MemfsError(
      "not_found",
      `${id} has no content to go back to (it is ${to.erased ? "redacted" : "a deletion"})`,
    );
  }
  const memory = tx.memory(uid);
  if (memory.state === "folded") throw new MemfsError("not_found", "the memory was a step of saving another one");
  const node = memory.state === "live" ? tx.editNode(memory.node) : revive(tx, memory, to);
  const content = { hash: to.hash, size: to.size };
  commitContent(tx, node, { content, base: "head", note: `rollback to version ${to.n}` });
  return tx.memory(uid);
}

/** A file, and the directories above it, for a memory that was deleted. */
function revive(tx: Transaction, memory: MemoryRecord, to: VersionRecord): Mutable<NodeRecord> {
  const names = memory.path.split("/").slice(1);
  const last = names.pop();
  if (last === undefined) throw new MemfsError("damaged", "a memory has no path");
  let parent = ROOT_NODE;
  for (const name of names) parent = enter(tx, parent, name);
  if (tx.entry(parent, last) !== null)
    throw new MemfsError("exists", `its last path ${printable(memory.path)} is taken`);
  const { uid, gid } = tx.node(ROOT_NODE);
  const node = create(tx, { parent, name: last }, { mode: to.made.mode, uid, gid });
  node.memory = memory.memory;
  const revived = tx.editMemory(memory.memory);
  revived.node = node.number;
  revived.state = "live";
  tx.counters.memories += 1;
  tx.putPastEntry({ parent, name: last }, tx.nextSeq, node);
  tx.mark(pathKey(tx.state.tagOfName(memory.path), tx.nextSeq, memory.memory));
  return node;
}

function enter(tx: Transaction, parent: number, name: string): number {
  const entry = tx.entry(parent, name);
  if (entry === null) {
    const { uid, gid } = tx.node(ROOT_NODE);
    return create(tx, { parent, name }, { mode: S_IFDIR | 0o755, uid, gid }).number;
  }
  if (entry.type !== S_IFDIR) throw new MemfsError("exists", `${printable(name)} is in the way of its last path`);
  return entry.node;
}

/** What a rollback would make of the memory now; null when nothing would change. */
export function wouldChange(memory: MemoryRecord, to: VersionRecord): boolean {
  return memory.state === "deleted" || (memory.hash ?? EMPTY_HASH) !== to.hash;
}
