/** Content that was made from another version than the head: merged with the head, or kept beside it. */

import { MemfsError } from "../../errors.ts";
import { formatId } from "../../id.ts";
import { merge } from "../../text/merge.ts";
import type { Base } from "./base.ts";
import { keepBeside, recordConflict } from "./conflicts.ts";
import { getContent } from "../content/content.ts";
import { finishedContent } from "../content/content-writer.ts";
import { EMPTY_HASH, type Hash } from "../content/hash.ts";
import { appendContent, type ContentCommit, parentsOf, setContent, storeContent } from "../memories.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import { printable } from "../tree/names.ts";
import type { NodeRecord } from "../records/node-record.ts";
import type { Mutable } from "../records/record.ts";
import type { Transaction } from "../transaction.ts";

/** Content with more bytes is not merged (of 1 MiB each, text takes 50 ms, JSON 200, and nothing else happens meanwhile). */
export const MERGE_BYTES = 1024 * 1024;

interface Reconciling {
  readonly memory: Mutable<MemoryRecord>;
  readonly commit: ContentCommit;
  /** What the content was made from. */
  readonly base: Base | null;
}

/**
 * Commits to a memory whose head is not what the content was made from.
 * @throws MemfsError `conflict` when both changed the same and the store's policy is to refuse that
 */
export function reconcile(tx: Transaction, node: Mutable<NodeRecord>, { memory, commit, base }: Reconciling): void {
  // Whoever wrote sees something else than what it wrote, so its own mount has to be told, too.
  tx.tellEverybody();
  // Also when something else is committed: the writer may go on from it.
  if ("chunks" in commit.content) storeContent(tx, commit.content);
  const merged = mergedContent(tx, { memory, commit, base });
  if (merged === null) settleConflict(tx, node, { memory, commit, base });
  else acceptMerged(tx, node, { memory, commit, base, merged });
}

/** Null when there is no merge that keeps both. */
function mergedContent(tx: Transaction, { memory, commit, base }: Reconciling): Buffer | null {
  const { content, bytes } = commit;
  if (Math.max(content.size, memory.size, base?.size ?? 0) > MERGE_BYTES) return null;
  const before = base === null ? Buffer.alloc(0) : stored(tx, base.hash);
  const mine = bytes === undefined ? stored(tx, content.hash) : bytes.read(0, content.size);
  const merged = merge(before, stored(tx, memory.hash), mine, { path: memory.path });
  return merged === null || merged.length > tx.state.policy().maxMemoryBytes ? null : merged;
}

function stored(tx: Transaction, hash: Hash | null): Buffer {
  const digest = hash ?? EMPTY_HASH;
  return tx.state.recent.get(digest) ?? getContent(tx.state, digest);
}

function acceptMerged(
  tx: Transaction,
  node: Mutable<NodeRecord>,
  { memory, commit, base, merged }: Reconciling & { merged: Buffer },
): void {
  const content = finishedContent(merged);
  // Somebody else had made the same changes, and more.
  if (content.hash === memory.hash) return setContent(tx, node, content);
  const version = base?.version ?? null;
  const parents = version === null || version === memory.head ? [memory.head] : [memory.head, version];
  appendContent(tx, node, memory, { commit, content, parents });
}

function settleConflict(tx: Transaction, node: Mutable<NodeRecord>, { memory, commit, base }: Reconciling): void {
  switch (commit.onConflict ?? tx.state.policy().onConflict) {
    case "keep_both": {
      keepBeside(tx, node, { memory, commit, base });
      return setContent(tx, node, { hash: memory.hash ?? EMPTY_HASH, size: memory.size });
    }
    case "last_writer_wins": {
      const lost = memory.head;
      const { content } = commit;
      appendContent(tx, node, memory, { commit, content, parents: parentsOf(memory, base) });
      return recordConflict(tx, { memory, head: lost, mine: memory.head, base, beside: null });
    }
    case "refuse":
      throw new MemfsError(
        "conflict",
        `${printable(memory.path)} was changed by others in the same place (${formatId("memver", memory.head)}), and the ` +
          "store refuses conflicts; the draft is kept: memfs drafts",
      );
  }
}
