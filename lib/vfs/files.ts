/** Operations on open files: open, read, write, and the requests at which a draft is committed. */

import { MemfsError } from "../errors.ts";
import { isDirectory, isFile } from "../store/tree/mode.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import { commitDraft, draftOf } from "./commits.ts";
import { dropPrivileges } from "./privileges.ts";
import type { Answer, Caller, HandleRef, LockOwner, OpenedHandle, WriteFlags } from "./filesystem.ts";
import { type FileHandle, isSynchronous, isWritable, isWriteOnly, O_APPEND, O_TRUNC } from "./handle.ts";
import { checkSize } from "./limits.ts";
import type { View } from "./view.ts";

/** A WRITE request. */
export interface WriteRequest {
  readonly handle: HandleRef;
  readonly offset: number;
  readonly data: Buffer;
  readonly flags: WriteFlags;
}

/** What is read of large content, until it is in the kernel; as large as the largest request. */
const ANSWER = Buffer.allocUnsafeSlow(1024 * 1024);

export class Files {
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  open(caller: Caller, number: number, flags: number, killPrivileges = false): Answer<OpenedHandle> {
    const view = this.#view;
    if (isWritable(flags) || (flags & O_TRUNC) !== 0) view.requireWritable(caller, "open", number);
    if (killPrivileges) dropPrivileges(view, caller, number);
    const busy = (flags & O_TRUNC) === 0 ? undefined : view.busy(number);
    if (busy !== undefined) return busy.then(() => this.open(caller, number, flags));
    const settling = view.live.settleElsewhere(view, number);
    if (settling !== undefined) return settling.then(() => this.#openSettled(caller, number, flags));
    return this.#openSettled(caller, number, flags);
  }

  #openSettled(caller: Caller, number: number, flags: number): OpenedHandle {
    const view = this.#view;
    const node = view.node(number);
    requireFile(node);
    view.live.store.folding.opened(node, view.identity.sessionId);
    if ((flags & O_TRUNC) !== 0) this.#truncate(node, 0);
    else if (!isWriteOnly(flags)) this.#serve(node);
    return this.openNode(caller, node, flags);
  }

  /** A handle on a node that was just looked at or made. */
  openNode(caller: Caller, node: NodeRecord, flags: number): OpenedHandle {
    const view = this.#view;
    const seen = view.seen.get(node.number);
    const content = view.drafts.get(node.number)?.baseHash ?? node.content;
    const keepCache = seen?.pages === content;
    if (seen !== undefined) seen.pages = content;
    const handle = view.handles.openFile({ node: node.number, flags, opener: caller.pid, uid: caller.uid });
    const draft = isWritable(flags) ? view.drafts.get(node.number) : undefined;
    if (draft !== undefined) draft.author ??= handle;
    // Written bytes reach other readers at once, and the kernel does not ask for security.capability per write.
    // Not with O_SYNC: then the kernel forgets the fsync after each write.
    const direct = isWriteOnly(flags) || (isWritable(flags) && (flags & O_APPEND) !== 0);
    const directIo = direct && !isSynchronous(flags);
    // Closing a handle that cannot write matters only to the fcntl locks of whoever closes it.
    const noFlush = !isWritable(flags) && !view.live.locks.wantsFlush(node.number);
    const { fhHigh, fhLow } = view.handles.refOf(handle);
    return { fhHigh, fhLow, keepCache, directIo, noFlush };
  }

  /** The mount is shown the head: what it writes next is based on that. */
  #serve(node: NodeRecord): void {
    const { bases, drafts, live, reads } = this.#view;
    if (drafts.has(node.number)) return;
    if (node.memory === null) {
      if (!live.store.isScratch(node)) bases.sawUnmade(node);
      return;
    }
    const memory = live.store.memoryRecord(node.memory);
    if (memory === undefined) return;
    bases.saw(memory);
    reads.read(memory.headSeq);
  }

  read(number: number, ref: HandleRef, { offset, length }: { offset: number; length: number }): Buffer {
    const view = this.#view;
    const node = view.node(number);
    view.accessed(node, view.handles.file(ref, number).flags);
    const draft = view.drafts.get(number);
    if (draft !== undefined) return draft.read(offset, length);
    // Also through a file that was opened long ago: a program that reads under a lock has seen what is there then.
    this.#serve(node);
    return view.live.store.contentRange(node.content, { offset, length, memory: ANSWER });
  }

  write(caller: Caller, number: number, request: WriteRequest): Answer<number> {
    const view = this.#view;
    const known = view.drafts.get(number);
    const wait = view.busy(number) ?? known?.room();
    if (wait !== undefined) return this.#writeLater(caller, number, { wait, request });
    const { handle, offset, data, flags } = request;
    view.requireWritable(caller, "write", number);
    const author = view.handles.writer(handle, number);
    const node = view.node(number);
    const now = known?.size ?? node.size;
    const appends = (flags.open & O_APPEND) !== 0 && !flags.writeback;
    const at = appends ? now : offset;
    checkSize(view.live.store, { node, now, after: at + data.length });
    if (flags.killPrivileges === true) dropPrivileges(view, caller, number);
    const draft = draftOf(view, node);
    if (appends) draft.append(data);
    else draft.write(at, data);
    draft.touch(view.now());
    draft.author = author;
    if (at !== offset) view.invalidator.content(view.ref(number));
    return data.length;
  }

  async #writeLater(
    caller: Caller,
    number: number,
    { wait, request }: { wait: Promise<void>; request: WriteRequest },
  ): Promise<number> {
    const { handle, offset, flags } = request;
    const data = Buffer.from(request.data);
    await wait;
    return this.write(caller, number, { handle, offset, data, flags });
  }

  /** Sets the size: at once when no writer will close the file later. */
  setSize(
    caller: Caller,
    number: number,
    { size, handle }: { size: number; handle: HandleRef | null },
  ): Promise<void> | undefined {
    const view = this.#view;
    const busy = view.busy(number);
    if (busy !== undefined) return busy.then(() => this.setSize(caller, number, { size, handle }));
    const node = view.node(number);
    requireFile(node);
    // Whoever cannot write will not close the file as a writer: that is a truncation by path.
    const open = handle === null ? null : view.handles.file(handle, number);
    const now = view.drafts.get(number)?.size ?? node.size;
    checkSize(view.live.store, { node, now, after: size });
    this.#truncate(node, size);
    const draft = view.drafts.get(number);
    if (draft !== undefined) draft.written = true;
    return open === null || !isWritable(open.flags) ? commitDraft(view, number, { caller }) : undefined;
  }

  #truncate(node: NodeRecord, size: number): void {
    const draft = draftOf(this.#view, node);
    draft.truncate(size);
    draft.touch(this.#view.now());
    const seen = this.#view.seen.get(node.number);
    // The kernel drops the pages behind the new end itself: what it holds is in step with the draft.
    if (seen !== undefined && size === 0) seen.pages = draft.baseHash;
  }

  /**
   * One FLUSH comes for every closed duplicate, also from children that inherited the descriptor. The opener's close
   * after a write is the commit; anything else waits for RELEASE or the next commit point.
   */
  flush(caller: Caller, number: number, ref: HandleRef, owner: LockOwner): Promise<void> | undefined {
    const view = this.#view;
    const handle = view.handles.file(ref, number);
    let commit: Promise<void> | undefined;
    try {
      commit = this.#flush(caller, number, handle);
    } finally {
      if (commit === undefined) this.#closed(number, owner);
    }
    return commit?.finally(() => this.#closed(number, owner));
  }

  /** After the commit: whoever waits for the lock sees what was written under it. */
  #closed(number: number, owner: LockOwner): void {
    const { locks } = this.#view.live;
    if (locks.held > 0) locks.closed(this.#view, number, owner);
  }

  #flush(caller: Caller, number: number, handle: FileHandle): Promise<void> | undefined {
    const view = this.#view;
    const draft = view.drafts.get(number);
    if (draft === undefined || !isWritable(handle.flags)) return undefined;
    if (draft.written && this.#isOpener(caller, handle))
      return commitDraft(view, number, { caller, handle, closing: true });
    view.waiting.add(number);
    return undefined;
  }

  #isOpener(caller: Caller, handle: FileHandle): boolean {
    if (caller.pid === handle.opener) return true;
    return this.#view.live.processes.identify(caller.pid).tgid === this.#view.processOf(handle).tgid;
  }

  /** The last reference is gone: nothing is lost when the commit fails, the draft is tried again. */
  release(caller: Caller, number: number, ref: HandleRef): Promise<void> | undefined {
    const view = this.#view;
    const handle = view.handles.file(ref, number);
    view.handles.close(handle);
    let commit: Promise<void> | undefined;
    try {
      const draft = view.drafts.get(number);
      const writer = isWritable(handle.flags);
      // A file can be created by an open for reading: its draft has no other end than this one.
      if (draft !== undefined && ((writer && draft.written) || !view.hasWriter(number)))
        commit = commitDraft(view, number, { caller, handle: writer ? handle : (draft.author ?? handle) });
    } finally {
      if (commit === undefined) this.#released(number, handle.id);
    }
    return commit?.finally(() => this.#released(number, handle.id));
  }

  #released(number: number, handle: number): void {
    const { live } = this.#view;
    if (live.locks.held > 0) live.locks.released(this.#view, number, handle);
    this.#view.released(number);
  }

  async fsync(caller: Caller, number: number, ref: HandleRef): Promise<void> {
    await commitDraft(this.#view, number, { caller, handle: this.#view.handles.file(ref, number), fsync: true });
    await this.#view.live.store.sync();
  }
}

/** @throws MemfsError `is_directory`, `invalid_argument` */
function requireFile(node: NodeRecord): void {
  if (isFile(node.mode)) return;
  if (isDirectory(node.mode)) throw new MemfsError("is_directory", "is a directory");
  throw new MemfsError("invalid_argument", "not a regular file");
}
