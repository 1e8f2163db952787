/** Open files of a store as it was. */

import { MemfsError } from "../../errors.ts";
import { isDirectory, isFile } from "../../store/tree/mode.ts";
import type { Caller, HandleRef, LockOwner, OpenedHandle } from "../filesystem.ts";
import { isWritable, O_TRUNC } from "../handle.ts";
import type { PastView } from "./past-view.ts";

/** Of lseek(2). */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** What every attempt to change something is told. */
export function refusePast(): never {
  throw new MemfsError("read_only", "the store is mounted as it was, and that does not change; copy from it instead");
}

export class PastFiles {
  readonly #view: PastView;

  constructor(view: PastView) {
    this.#view = view;
  }

  /** @throws MemfsError `read_only`, `is_directory`, `invalid_argument`, `stale` */
  open(caller: Caller, number: number, flags: number): OpenedHandle {
    if (isWritable(flags) || (flags & O_TRUNC) !== 0) refusePast();
    const { handles, nodes, live, reads } = this.#view;
    const known = nodes.get(number);
    const { mode, version } = known.node;
    if (isDirectory(mode)) throw new MemfsError("is_directory", "is a directory");
    if (!isFile(mode)) throw new MemfsError("invalid_argument", "not a regular file");
    const handle = handles.openFile({ node: number, flags, opener: caller.pid, uid: caller.uid });
    known.handles += 1;
    if (version !== null) reads.read(version.seq);
    const { fhHigh, fhLow } = handles.refOf(handle);
    return { fhHigh, fhLow, keepCache: true, directIo: false, noFlush: !live.locks.wantsFlush(number) };
  }

  /** @throws MemfsError `bad_handle`, `damaged` */
  read(number: number, ref: HandleRef, range: { offset: number; length: number }): Buffer {
    const { handles, nodes, store } = this.#view;
    handles.file(ref, number);
    return store.contentRange(nodes.get(number).node.hash, range);
  }

  /** All of a file is data, as lseek(2) allows. @throws MemfsError `bad_handle`, `invalid_argument`, `no_such_offset` */
  seek(number: number, ref: HandleRef, { offset, whence }: { offset: number; whence: number }): number {
    const { handles, nodes } = this.#view;
    handles.file(ref, number);
    const { size } = nodes.get(number).node;
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE)
      throw new MemfsError("invalid_argument", "only data and holes are sought here");
    if (offset < 0 || offset >= size) throw new MemfsError("no_such_offset", "the file ends before that offset");
    return whence === SEEK_DATA ? offset : size;
  }

  flush(_caller: Caller, number: number, ref: HandleRef, owner: LockOwner): undefined {
    const { handles, live } = this.#view;
    handles.file(ref, number);
    if (live.locks.held > 0) live.locks.closed(this.#view, number, owner);
  }

  release(_caller: Caller, number: number, ref: HandleRef): undefined {
    const { handles, live, nodes } = this.#view;
    const handle = handles.file(ref, number);
    handles.close(handle);
    if (live.locks.held > 0) live.locks.released(this.#view, number, handle.id);
    nodes.closed(number);
  }

  fsync(_caller: Caller, number: number, ref: HandleRef): Promise<void> {
    this.#view.handles.file(ref, number);
    return Promise.resolve();
  }
}
