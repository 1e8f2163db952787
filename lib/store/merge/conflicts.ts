/** Conflicts: two writers changed the same. One text stays the head, the other is kept in a file beside it. */

import { formatId, type Uid } from "../../id.ts";
import type { Base } from "./base.ts";
import { decodeConflict, encodeConflict } from "../records/conflict-record.ts";
import { conflictKey } from "../records/keys.ts";
import { appendContent, type ContentCommit, memoryName, newMemory, recordMove } from "../memories.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import { isFile } from "../tree/mode.ts";
import { printable } from "../tree/names.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import type { Mutable } from "../records/record.ts";
import type { Transaction } from "../transaction.ts";
import { addName, NAME_MAX, newNode } from "../tree/tree.ts";

/** A conflict, as the journal says it. */
export interface Conflict {
  /** The memory that both changed. */
  readonly memory: MemoryRecord;
  /** The version that was the head. */
  readonly head: Uid;
  /** The version with the other text. */
  readonly mine: Uid;
  /** What that was made from. */
  readonly base: Base | null;
  /** The memory beside it that holds the other text; null when that became the head. */
  readonly beside: MemoryRecord | null;
}

/** Puts the content into a memory beside the one it was meant for: the one of the session, if there is one already. */
export function keepBeside(
  tx: Transaction,
  node: NodeRecord,
  { memory, commit, base }: { memory: MemoryRecord; commit: ContentCommit; base: Base | null },
): void {
  const { content } = commit;
  const file = fileBeside(tx, node, memory);
  if (file.memory !== null && !tx.unsettled.none) recordMove(tx, file.memory);
  const beside = file.memory === null ? newMemory(tx, file) : tx.editMemory(file.memory);
  if (beside.hash !== content.hash) {
    const version = base?.version ?? null;
    appendContent(tx, file, beside, { commit, content, parents: version === null ? [] : [version] });
  }
  file.mtime = commit.mtime ?? tx.now;
  recordConflict(tx, { memory, head: memory.head, mine: beside.head, base, beside });
}

/** Makes it known. */
export function recordConflict(tx: Transaction, { memory, head, mine, base, beside }: Conflict): void {
  const detail = {
    head: formatId("memver", head),
    mine: formatId("memver", mine),
    base: base?.version ? formatId("memver", base.version) : null,
    beside: beside === null ? null : { memory: formatId("mem", beside.memory), path: printable(beside.path) },
  };
  tx.journal("memory.conflict", { memory: memory.memory }, { path: memory.path, detail });
  if (beside === null) return;
  const record = { memory: memory.memory, head, base: base?.version ?? null, mine, at: tx.at };
  tx.put(conflictKey(beside.memory), encodeConflict(record));
}

function fileBeside(tx: Transaction, node: NodeRecord, memory: MemoryRecord): Mutable<NodeRecord> {
  const { parent, name } = memoryName(tx, node);
  const { actor } = tx.cause;
  const author = actor.type === "session" ? actor.sessionId : actor.type === "user" ? actor.userId : actor.apiKeyId;
  for (let count = 1; ; count++) {
    const at = { parent, name: nameBeside(name, author, count) };
    const entry = tx.entry(parent, at.name);
    if (entry === null) return makeFile(tx, node, at);
    const there = tx.node(entry.node);
    if (isFile(there.mode) && there.memory !== null && isAbout(tx, there.memory, memory.memory))
      return tx.editNode(there.number);
  }
}

function isAbout(tx: Transaction, beside: Uid, memory: Uid): boolean {
  const stored = tx.get(conflictKey(beside));
  return stored !== undefined && decodeConflict(stored).memory === memory;
}

function makeFile(tx: Transaction, { mode, uid, gid }: NodeRecord, at: NodeName): Mutable<NodeRecord> {
  const file = tx.addNode(newNode(tx.newNodeNumber(), { mode, uid, gid }, tx.now));
  addName(tx, file, at);
  return file;
}

/** `NAME.conflict-AUTHOR.EXT`, a number behind the author from the second on; what is too long is cut from NAME. */
function nameBeside(name: string, author: string, count: number): string {
  const dot = name.lastIndexOf(".");
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const extension = dot > 0 ? name.slice(dot) : "";
  const safe = Buffer.from(author).toString("latin1").replace(/[/\0]/g, "_");
  const end = `.conflict-${safe.slice(0, NAME_MAX / 2)}${count === 1 ? "" : `-${count}`}`;
  const room = Math.max(1, NAME_MAX - end.length - extension.length);
  return (stem.slice(0, room) + end + extension).slice(0, NAME_MAX);
}
