/** Turns drafts into versions. */

import type { NodeRecord } from "../store/node-record.ts";
import { continueRun } from "../store/fsync-run.ts";
import { commitContent } from "../store/commit.ts";
import { Draft, type Head } from "./draft.ts";
import type { Caller } from "./filesystem.ts";
import type { FileHandle } from "./handle.ts";
import type { View } from "./view.ts";

/** A change that no request asks for: a settled draft, a detach. */
export const NOBODY: Caller = Object.freeze({ uid: 0, gid: 0, pid: 0, uniqueHigh: 0, uniqueLow: 0 });

/** Who commits: the request, and the handle whose opener is the evidence. */
export interface Committer {
  readonly caller: Caller;
  readonly handle?: FileHandle;
  /** It is an fsync of the handle: versions of several in a row may be one. */
  readonly fsync?: boolean;
}

/** The mount's draft of a file, made if there is none. */
export function draftOf(view: View, node: NodeRecord): Draft {
  const known = view.drafts.get(node.number);
  if (known !== undefined) return known;
  // What the writer knew: the version this mount was last shown, which may be older than the head.
  const version = view.seen.get(node.number)?.version ?? view.headOf(node);
  const draft = new Draft(view.live, node, { version, hash: node.content, size: node.size });
  draft.due = view.live.idle.began();
  view.drafts.set(node.number, draft);
  return draft;
}

/**
 * Commits the mount's draft of a node: at once, or, when it is large, in many turns and with a promise. A node without
 * names has no history any more: its draft stays for whoever has the file open. When the commit fails the draft stays
 * too, and the next close or fsync tries again.
 * @throws MemfsError `no_space`, `io`, `quota_exceeded`
 */
export function commitDraft(view: View, number: number, committer: Committer): Promise<void> | undefined {
  const busy = view.busy(number);
  // Nothing is written meanwhile; so there is something to do afterwards only when it failed.
  if (busy !== undefined) return busy.then(() => commitDraft(view, number, committer));
  const draft = view.drafts.get(number);
  const node = view.live.store.node(number);
  if (draft === undefined || node === undefined || node.names.length === 0) return undefined;
  const head = { hash: node.content, size: node.size };
  if (!draft.isHeavy(head)) {
    record(view, { draft, head }, committer);
    return undefined;
  }
  const commit = commitLater(view, draft, committer);
  const over = (): void => void view.committing.delete(number);
  view.committing.set(number, commit.then(over, over));
  return commit;
}

/** What a commit has done so far is kept when it fails, so that the next attempt has less to do. */
async function commitLater(view: View, draft: Draft, committer: Committer): Promise<void> {
  for (;;) {
    const node = view.live.store.node(draft.node);
    if (view.drafts.get(draft.node) !== draft || node === undefined || node.names.length === 0) return;
    const head = { hash: node.content, size: node.size };
    if (!draft.isHeavy(head)) return record(view, { draft, head }, committer);
    await draft.lighten(head);
  }
}

function record(view: View, { draft, head }: { draft: Draft; head: Head }, { caller, handle, fsync }: Committer): void {
  const content = draft.finish(head);
  const { mtime, ctime, base, node: number } = draft;
  const author = handle ?? draft.author;
  const note = view.notes.size === 0 ? null : (view.notes.get(number) ?? null);
  const run = fsync === true ? (handle?.synced ?? null) : null;
  const memory = view.live.store.update(view.cause(caller, author), (tx) =>
    commitContent(tx, tx.editNode(number), { content, base, mtime, ctime, handle: author?.id ?? 0, run, note }),
  );
  if (fsync === true && handle !== undefined) handle.synced = memory === null ? null : continueRun(run, memory);
  view.drafts.delete(number);
  view.waiting.delete(number);
  // Bytes equal to the head make no version: the note waits for one.
  if (note !== null && memory !== null && memory.hash !== head.hash) view.notes.delete(number);
  draft.free();
  afterCommit(view, draft, { hash: content.hash, version: memory?.head ?? null, moved: draft.moved });
  if (draft.writer !== null && "manifest" in content && content.manifest !== null)
    view.live.keepWriter(content, draft.writer);
}

function afterCommit(
  view: View,
  draft: Draft,
  committed: { hash: string; version: string | null; moved: boolean },
): void {
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

/** Commits what waits for its RELEASE, or stayed open for long; a failure is logged and leaves the draft. */
export function settleDraft(view: View, number: number): Promise<void> | undefined {
  try {
    return commitDraft(view, number, { caller: NOBODY })?.catch((error: unknown) => logFailure(view, number, error));
  } catch (error) {
    logFailure(view, number, error);
    return undefined;
  }
}

function logFailure(view: View, node: number, error: unknown): void {
  const message = "a change could not be stored; it is kept and tried again";
  view.live.log.error(message, { node, error: String(error) });
  view.failures.add(view.live.clock.now(), { operation: "commit", path: view.pathOf(node), error });
}
