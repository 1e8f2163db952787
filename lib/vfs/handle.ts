/** Open files and directories of a mount, and the 64 bits that name them to the kernel. */

import { MemfsError } from "../errors.ts";
import { NumberMap } from "../number-map.ts";
import type { EntryRecord } from "../store/records/entry-record.ts";
import type { FsyncRun } from "../store/fsync-run.ts";
import type { HandleRef } from "./filesystem.ts";
import type { ProcessIdentity } from "./processes.ts";

const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
/** A bit of O_SYNC, too. */
const O_DSYNC = 0o10000;
export const O_NOATIME = 0o1000000;

/** Bits of `fhHigh` below the generation. */
const ACCESS_BITS = 2;
const MAX_HANDLE = 0xffff_ffff;

/** A directory's entries in the order of their positions, as they were when reading began. */
export type DirectorySnapshot = readonly { readonly position: number; readonly entry: EntryRecord }[];

export interface FileHandle {
  readonly kind: "file";
  readonly id: number;
  readonly node: number;
  readonly flags: number;
  /** The thread that opened it. */
  readonly opener: number;
  readonly uid: number;
  /** Asked of `/proc` when first needed: a reader never needs it. */
  process: ProcessIdentity | null;
  /** What its fsyncs made of the memory. */
  synced: FsyncRun | null;
}

export interface DirectoryHandle {
  readonly kind: "directory";
  readonly id: number;
  readonly node: number;
  snapshot: DirectorySnapshot | null;
}

export type Handle = FileHandle | DirectoryHandle;

export const isWritable = (flags: number): boolean => (flags & O_ACCMODE) !== O_RDONLY;
/** Every write is followed by an fsync. */
export const isSynchronous = (flags: number): boolean => (flags & O_DSYNC) !== 0;
export const isWriteOnly = (flags: number): boolean => (flags & O_ACCMODE) === O_WRONLY;

/** The handles of one store in one mount. Numbers are not reused until they wrap at 2^32. */
export class Handles {
  readonly #generation: number;
  readonly #open = new NumberMap<Handle>();
  #last = 0;

  /** @param generation tells handles of this daemon from those of one before it; 30 bits */
  constructor(generation: number) {
    this.#generation = generation;
  }

  get size(): number {
    return this.#open.size;
  }

  openFile({ node, flags, opener, uid }: Omit<FileHandle, "id" | "kind" | "process" | "synced">): FileHandle {
    const id = this.#nextId();
    const opened: FileHandle = { kind: "file", id, node, flags, opener, uid, process: null, synced: null };
    this.#open.set(opened.id, opened);
    return opened;
  }

  openDirectory(node: number): DirectoryHandle {
    const opened: DirectoryHandle = { kind: "directory", id: this.#nextId(), node, snapshot: null };
    this.#open.set(opened.id, opened);
    return opened;
  }

  /** The open file `ref`, which must be of `node`. @throws MemfsError `bad_handle` */
  file(ref: HandleRef, node: number): FileHandle {
    const handle = this.#find(ref);
    if (handle.kind !== "file") throw new MemfsError("bad_handle", "the handle is of a directory");
    if (handle.node !== node) throw new MemfsError("bad_handle", "the handle is of another file");
    return handle;
  }

  /** As {@link file}, open for writing. @throws MemfsError `bad_handle` */
  writer(ref: HandleRef, node: number): FileHandle {
    const handle = this.file(ref, node);
    if (!isWritable(handle.flags)) throw new MemfsError("bad_handle", "the file is not open for writing");
    return handle;
  }

  /** @throws MemfsError `bad_handle` */
  directory(ref: HandleRef): DirectoryHandle {
    const handle = this.#find(ref);
    if (handle.kind !== "directory") throw new MemfsError("bad_handle", "the handle is of a file");
    return handle;
  }

  close(handle: Handle): void {
    this.#open.delete(handle.id);
  }

  /** True when one of the open files is what is asked for. */
  someFile(asked: (handle: FileHandle) => boolean): boolean {
    return this.#open.some((handle) => handle.kind === "file" && asked(handle));
  }

  /** The 64 bits: generation and access mode above, number below. */
  refOf(handle: Handle): HandleRef {
    return { fhHigh: this.#highOf(handle), fhLow: handle.id };
  }

  #highOf(handle: Handle): number {
    const access = handle.kind === "file" ? handle.flags & O_ACCMODE : 0;
    return ((this.#generation << ACCESS_BITS) | access) >>> 0;
  }

  #find(ref: HandleRef): Handle {
    const handle = this.#open.get(ref.fhLow);
    if (handle === undefined || ref.fhHigh !== this.#highOf(handle)) {
      throw new MemfsError("bad_handle", "the handle is not open");
    }
    return handle;
  }

  #nextId(): number {
    do this.#last = this.#last === MAX_HANDLE ? 1 : this.#last + 1;
    while (this.#open.has(this.#last));
    return this.#last;
  }
}
