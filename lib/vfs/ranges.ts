/** Operations on ranges of a file: reserving and punching, finding holes, copying. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { MemfsError } from "../errors.ts";
import { isFile } from "../store/tree/mode.ts";
import { draftOf } from "./commits.ts";
import type { Draft, Head } from "./draft.ts";
import type { Answer, Caller, HandleRef } from "./filesystem.ts";
import { checkSize } from "./limits.ts";
import { dropPrivileges } from "./privileges.ts";
import type { View } from "./view.ts";

/** `FALLOC_FL_*` of fallocate(2). */
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;
/** `SEEK_DATA` and `SEEK_HOLE` of lseek(2). */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Holes are looked for in units of this many bytes. */
const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);
/** Bytes that are looked at in one turn of the event loop. */
const PIECE = 256 * 1024;
const PIECES_PER_TURN = 8;
/** Bytes copied by one request; the caller asks again for the rest. */
const COPY_BYTES = 1024 * 1024;

/** A FALLOCATE request. */
export interface Allocation {
  readonly handle: HandleRef;
  readonly offset: number;
  readonly length: number;
  readonly mode: number;
}

/** Where a copy comes from or goes to. */
export interface CopyEnd {
  readonly number: number;
  readonly handle: HandleRef;
  readonly offset: number;
}

export class Ranges {
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  /**
   * fallocate(2). Nothing is reserved on disk: what counts is the size and the store's limits.
   * @throws MemfsError `not_supported`, `read_only`, `archived`, `bad_handle`, `file_too_big`, `quota_exceeded`, `no_space`
   */
  allocate(caller: Caller, number: number, request: Allocation): Promise<void> | undefined {
    const view = this.#view;
    const busy = view.busy(number);
    if (busy !== undefined) return busy.then(() => this.allocate(caller, number, request));
    const { offset, length, mode } = request;
    view.requireWritable(caller, "fallocate", number);
    if (!isSupported(mode)) throw new MemfsError("not_supported", "that mode of fallocate is not supported");
    if (length <= 0) throw new MemfsError("invalid_argument", "an empty range cannot be allocated");
    const author = view.handles.writer(request.handle, number);
    const node = view.node(number);
    const now = view.drafts.get(number)?.size ?? node.size;
    const end = offset + length;
    if ((mode & PUNCH_HOLE) === 0) checkSize(view.live.store, { node, now, after: end });
    const grows = (mode & KEEP_SIZE) === 0 && end > now;
    const zeroes = (mode & (PUNCH_HOLE | ZERO_RANGE)) !== 0 && offset < now;
    // As on other filesystems: whoever is not root may not keep suid on what is changed.
    if (caller.uid !== 0) dropPrivileges(view, caller, number);
    if (!grows && !zeroes) return undefined;
    const draft = draftOf(view, node);
    if (zeroes) draft.zero(offset, length);
    if (grows) draft.truncate(end);
    draft.written = true;
    draft.touch(view.now());
    draft.author = author;
    return undefined;
  }

  /**
   * lseek(2) with SEEK_DATA or SEEK_HOLE. A page of zeros that nobody can tell from a hole is one.
   * @throws MemfsError `invalid_argument`, `bad_handle`; `no_such_offset` from the end on, or when only a hole follows
   */
  seek(number: number, handle: HandleRef, { offset, whence }: { offset: number; whence: number }): Answer<number> {
    const view = this.#view;
    view.handles.file(handle, number);
    const draft = view.drafts.get(number);
    const node = view.node(number);
    const size = draft?.size ?? node.size;
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) {
      throw new MemfsError("invalid_argument", "only data and holes are sought here");
    }
    if (offset < 0 || offset >= size) throw new MemfsError("no_such_offset", "the file ends before that offset");
    return this.#seek(number, { offset, hole: whence === SEEK_HOLE });
  }

  /** In turns: a large file without what is sought is read to its end. */
  async #seek(number: number, { offset, hole }: { offset: number; hole: boolean }): Promise<number> {
    let at = offset;
    for (let pieces = 1; ; pieces++) {
      const size = this.#size(number);
      if (at >= size) {
        if (hole) return size;
        throw new MemfsError("no_such_offset", "only a hole follows that offset");
      }
      const known = this.#knownHole(number, at);
      if (known > at && hole) return at;
      const end = Math.min(size, Math.floor(at / PIECE) * PIECE + PIECE);
      const found = known > at ? known : at + scan(this.#read(number, at, end - at), { at, hole });
      if (known <= at && found < end) return found;
      at = found;
      if (pieces % PIECES_PER_TURN === 0) await nextTurn();
    }
  }

  /** Where a hole ends that is known without reading; the offset itself when there is none. */
  #knownHole(number: number, offset: number): number {
    const draft = this.#view.drafts.get(number);
    if (draft === undefined) return this.#view.live.store.holeEnd(this.#view.node(number).content, offset);
    const { stored } = draft;
    if (stored !== null) return this.#view.live.store.holeEnd(stored.hash, offset);
    const stretch = draft.stretch(offset);
    return stretch?.hole === true ? stretch.to : offset;
  }

  /**
   * copy_file_range(2): at most 1 MiB at a time, but all of a file at once when it becomes all of the other one. Returns
   * the bytes copied, 0 at the end of the source.
   * @throws MemfsError `read_only`, `archived`, `bad_handle`, `invalid_argument`, `file_too_big`, `quota_exceeded`, `no_space`
   */
  copy(caller: Caller, from: CopyEnd, to: CopyEnd, length: number): Answer<number> {
    const view = this.#view;
    view.requireWritable(caller, "copy_file_range", to.number);
    const wait = view.busy(to.number) ?? view.busy(from.number) ?? view.drafts.get(to.number)?.room();
    if (wait !== undefined) return wait.then(() => this.copy(caller, from, to, length));
    const author = view.handles.writer(to.handle, to.number);
    view.handles.file(from.handle, from.number);
    const target = view.node(to.number);
    if (!isFile(target.mode) || !isFile(view.node(from.number).mode))
      throw new MemfsError("invalid_argument", "only regular files can be copied");
    const available = Math.max(0, Math.min(length, this.#size(from.number) - from.offset));
    if (from.number === to.number && overlaps(from.offset, to.offset, available))
      throw new MemfsError("invalid_argument", "the ranges overlap");
    if (available === 0) return 0;
    const whole = this.#whole(from, to, available);
    const copied = whole === null ? Math.min(available, COPY_BYTES) : available;
    const after = to.offset + copied;
    checkSize(view.live.store, { node: target, now: this.#size(to.number), after });
    const bytes = whole === null ? this.#read(from.number, from.offset, copied) : null;
    const draft = draftOf(view, target);
    if (bytes !== null) draft.write(to.offset, bytes);
    else if (whole !== null) draft.adopt(whole);
    if (caller.uid !== 0) dropPrivileges(view, caller, to.number);
    draft.touch(view.now());
    draft.author = author;
    return copied;
  }

  /** The stored content that an empty target becomes; null when it does not become the whole of one. */
  #whole(from: CopyEnd, to: CopyEnd, length: number): Head | null {
    if (from.offset !== 0 || to.offset !== 0 || this.#size(to.number) > 0) return null;
    const draft: Draft | undefined = this.#view.drafts.get(from.number);
    const node = this.#view.node(from.number);
    const content = draft === undefined ? { hash: node.content, size: node.size } : draft.stored;
    return content?.size === length ? content : null;
  }

  #size(number: number): number {
    return this.#view.drafts.get(number)?.size ?? this.#view.node(number).size;
  }

  #read(number: number, offset: number, length: number): Buffer {
    const draft = this.#view.drafts.get(number);
    if (draft !== undefined) return draft.read(offset, length);
    return this.#view.live.store.contentRange(this.#view.node(number).content, { offset, length });
  }
}

function isSupported(mode: number): boolean {
  const kind = mode & ~KEEP_SIZE;
  return kind === 0 || kind === ZERO_RANGE || mode === (PUNCH_HOLE | KEEP_SIZE);
}

function overlaps(a: number, b: number, length: number): boolean {
  return Math.abs(a - b) < length;
}

/** How far into `bytes` the first page is that is (not) all zero; the length when there is none. `at`: its offset. */
function scan(bytes: Buffer, { at, hole }: { at: number; hole: boolean }): number {
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, from + PAGE - ((at + from) % PAGE));
    const isZero = bytes.subarray(from, to).equals(ZEROS.subarray(0, to - from));
    if (isZero === hole) return from;
    from = to;
  }
  return bytes.length;
}
