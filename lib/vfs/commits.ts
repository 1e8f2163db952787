/** Turns drafts into versions. */

import { MemfsError } from "../errors.ts";
import { continueRun, type FsyncRun } from "../store/fsync-run.ts";
import { commitContent } from "../store/merge/commit.ts";
import type { MadeFrom } from "../store/merge/base.ts";
import type { Hash } from "../store/content/hash.ts";
import type { ContentCommit } from "../store/memories.ts";
import type { MemoryRecord } from "../store/records/memory-record.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import type { Cause } from "../store/transaction.ts";
import { Draft, type DraftContent, type Head } from "./draft.ts";
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
  /** The handle is being closed: its descriptor was, RELEASE follows. */
  readonly closing?: boolean;
  /** In a conflict the bytes go beside the file, whatever the store's policy. */
  readonly beside?: boolean;
}

/** The mount's draft of a file, made if there is none, to be changed. */
export function draftOf(view: View, node: NodeRecord): Draft {
  const known = view.drafts.get(node.number);
  if (known !== undefined) {
    if (known.due === Infinity) known.due = view.live.idle.began();
    return known;
  }
  const draft = new Draft(view.live, node, view.headOf(node));
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
  if (draft.isRecorded) {
    if (!isOpen(view, number, committer)) showHead(view, number);
    return undefined;
  }
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

function record(view: View, { draft, head }: { draft: Draft; head: Head }, committer: Committer): void {
  const content = draft.finish(head);
  const number = draft.node;
  const before = view.live.store.node(number)?.memory ?? null;
  const headSeq = before === null ? 0 : (view.live.store.memoryRecord(before)?.headSeq ?? 0);
  const author = committer.handle ?? draft.author;
  const note = view.notes.size === 0 ? null : (view.notes.get(number) ?? null);
  const { handle } = committer;
  const run = committer.fsync === true ? (handle?.synced ?? null) : null;
  const beside = committer.beside ?? view.ending;
  const commit = contentOf(view, draft, { content, handle: author?.id ?? 0, run, note, beside });
  const cause = view.cause(committer.caller, author);
  const memory = update(view, draft, { cause, commit, syncs: committer.fsync === true });
  // When others have changed it meanwhile it may have become something else.
  const asWritten = view.live.store.node(number)?.content === content.hash;
  // A head that is not only this handle's is not folded into its next version.
  if (committer.fsync === true && handle !== undefined)
    handle.synced = memory === null || !asWritten || note !== null ? null : continueRun(run, memory);
  view.waiting.delete(number);
  // Bytes equal to the head make no version: the note waits for one.
  if (note !== null && memory !== null && memory.hash !== head.hash) view.notes.delete(number);
  if (!asWritten && memory !== null) return superseded(view, draft, { content, memory, committer });
  // Whoever adds to a file, or changes it in places, need not have seen what others have put into it before.
  if (memory !== null && draft.isRewrite) view.bases.saw(memory);
  else if (memory !== null) view.bases.added(memory, headSeq);
  const writer = "manifest" in content && content.manifest !== null ? draft.writer : null;
  if (memory !== null && staysOpen(view, draft, committer)) {
    if (writer !== null && "manifest" in content) writer.stored(content);
    draft.goOnFrom({ version: memory.head, hash: content.hash, size: content.size });
    return;
  }
  view.drafts.delete(number);
  draft.free();
  afterCommit(view, draft, content.hash);
  if (writer !== null && "manifest" in content) view.live.keepWriter(content, writer);
}

/**
 * True for a program that goes on writing a text that is all its own: where it writes is in its own bytes, whatever
 * others make of the file. Programs that lock a file, or change it in place, mean the file as it is.
 */
function staysOpen(view: View, draft: Draft, committer: Committer): boolean {
  if (committer.closing === true || !draft.isRewrite || draft.onlyAppends) return false;
  return !view.live.locks.concern(draft.node) && isOpen(view, draft.node, committer);
}

/** What the mount shows is the head from now on, if its draft is committed. */
export function showHead(view: View, number: number): void {
  const draft = view.drafts.get(number);
  if (draft === undefined || !draft.isRecorded) return;
  const { base } = draft;
  if (base === null || base === "head" || base === "seen" || base.hash !== view.live.store.node(number)?.content)
    return discardDraft(view, draft);
  view.drafts.delete(number);
  view.waiting.delete(number);
  draft.free();
  afterCommit(view, draft, base.hash);
}

/** Bytes that did not become the head as they were: what is written next is made from them, until the file is opened again. */
function superseded(
  view: View,
  draft: Draft,
  { content, memory, committer }: { content: DraftContent; memory: MemoryRecord; committer: Committer },
): void {
  const base = { version: memory.head, hash: content.hash, size: content.size };
  view.bases.wrote(memory.memory, base);
  if (isOpen(view, draft.node, committer)) draft.goOnFrom(base);
  else discardDraft(view, draft);
}

interface Recording {
  readonly content: DraftContent;
  readonly handle: number;
  readonly run: FsyncRun | null;
  readonly note: string | null;
  readonly beside: boolean;
}

/** What a draft's bytes were made from, in the mount's knowledge of this moment. */
function madeFrom(view: View, draft: Draft): MadeFrom {
  const { base } = draft;
  if (base !== "seen") return base;
  const { memory = null } = view.live.store.node(draft.node) ?? {};
  const record = memory === null ? undefined : view.live.store.memoryRecord(memory);
  const seen = record === undefined ? view.bases.ofUnmade(draft.node) : view.bases.of(record);
  return seen ?? draft.head;
}

function contentOf(view: View, draft: Draft, { content, handle, run, note, beside }: Recording): ContentCommit {
  const { mtime, ctime } = draft;
  const base = madeFrom(view, draft);
  return {
    content,
    base,
    mtime,
    ctime,
    handle,
    run,
    note,
    bytes: draft,
    onConflict: beside ? "keep_both" : undefined,
  };
}

function update(
  view: View,
  draft: Draft,
  { cause, commit, syncs }: { cause: Cause; commit: ContentCommit; syncs: boolean },
): MemoryRecord | null {
  try {
    return view.live.store.update(cause, (tx) => {
      tx.syncs = syncs;
      return commitContent(tx, tx.editNode(draft.node), commit);
    });
  } catch (error) {
    draft.refused = error instanceof MemfsError && error.code === "conflict";
    throw error;
  }
}

/** True when a program can go on writing: a descriptor that is just being closed does not count. */
function isOpen(view: View, number: number, { handle, closing }: Committer): boolean {
  return view.hasWriter(number, closing === true ? handle : undefined);
}

/** Drops the draft: what the mount shows then is the head, which is not what its kernel has cached. */
export function discardDraft(view: View, draft: Draft): void {
  view.drafts.delete(draft.node);
  view.waiting.delete(draft.node);
  draft.free();
  dropPages(view, draft.node);
}

function dropPages(view: View, number: number): void {
  const seen = view.seen.get(number);
  if (seen === undefined) return;
  seen.pages = null;
  view.invalidator.content(view.ref(number));
}

function afterCommit(view: View, draft: Draft, hash: Hash): void {
  if (draft.moved) return dropPages(view, draft.node);
  const seen = view.seen.get(draft.node);
  if (seen?.pages === draft.baseHash) seen.pages = hash;
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
