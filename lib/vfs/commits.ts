/** Turns drafts into versions. */

import type { NodeRecord } from "../store/node-record.ts";
import { commitContent } from "../store/memories.ts";
import { Draft } from "./draft.ts";
import type { Caller } from "./filesystem.ts";
import type { FileHandle } from "./handle.ts";
import type { View } from "./view.ts";

/** A change that no request asks for: a settled draft, a detach. */
export const NOBODY: Caller = Object.freeze({ uid: 0, gid: 0, pid: 0, uniqueHigh: 0, uniqueLow: 0 });

/** Who commits: the request, and the handle whose opener is the evidence. */
export interface Committer {
  readonly caller: Caller;
  readonly handle?: FileHandle;
}

/** The mount's draft of a file, made if there is none. */
export function draftOf(view: View, node: NodeRecord): Draft {
  const known = view.drafts.get(node.number);
  if (known !== undefined) return known;
  // What the writer knew: the version this mount was last shown, which may be older than the head.
  const version = view.seen.get(node.number)?.version ?? view.headOf(node);
  const draft = new Draft(view.live, node, { version, hash: node.content, size: node.size });
  view.drafts.set(node.number, draft);
  return draft;
}

/**
 * Commits the mount's draft of a node. A node without names has no history any more: its draft stays for whoever has
 * the file open. When the commit fails the draft stays too, and the next close or fsync tries again.
 * @throws MemfsError `no_space`, `io`, `quota_exceeded`
 */
export function commitDraft(view: View, number: number, { caller, handle }: Committer): void {
  const draft = view.drafts.get(number);
  const node = view.live.store.node(number);
  if (draft === undefined || node === undefined || node.names.length === 0) return;
  const content = draft.finish(node.content);
  const { mtime, ctime, base } = draft;
  const author = handle ?? draft.author;
  const note = view.notes.size === 0 ? null : (view.notes.get(number) ?? null);
  const before = note === null ? null : view.headOf(node);
  const head = view.live.store.update(view.cause(caller, author), (tx) =>
    commitContent(tx, tx.editNode(number), { content, base, mtime, ctime, handle: author?.id ?? 0, note }),
  );
  view.drafts.delete(number);
  view.waiting.delete(number);
  // Bytes equal to the head make no version: the note waits for one.
  if (note !== null && head.head !== before) view.notes.delete(number);
  afterCommit(view, draft, { hash: content.hash, version: head.head, moved: draft.moved });
  if (draft.writer !== null && content.manifest !== null) view.live.keepWriter(content, draft.writer);
}

function afterCommit(view: View, draft: Draft, committed: { hash: string; version: string; moved: boolean }): void {
  const seen = view.seen.get(draft.node);
  if (seen === undefined) return;
  seen.version = committed.version;
  if (committed.moved) {
    seen.pages = null;
    view.invalidator.content(view.ref(draft.node));
  } else if (seen.pages === draft.baseHash) {
    seen.pages = committed.hash;
  }
}

/** Commits what waits for its RELEASE; a failure is logged and leaves the draft. */
export function settleDraft(view: View, number: number): void {
  try {
    commitDraft(view, number, { caller: NOBODY });
  } catch (error) {
    view.live.log.error("a change could not be stored; it is kept and tried again", {
      node: number,
      error: String(error),
    });
    view.failures.add(view.live.clock.now(), { operation: "commit", path: view.pathOf(number), error });
  }
}
