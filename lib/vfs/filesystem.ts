/**
 * What a mounted filesystem offers to whoever speaks to the kernel. `daemon/fuse` translates requests to these calls
 * and answers to replies; it knows nothing else of `lib/vfs`.
 *
 * Every operation returns its result or a promise of it, and throws (or rejects with) a MemfsError for a refusal.
 */

import type { Parked } from "./parked.ts";

/** A result, at once or later. Drivers must handle both and should not wait a tick for the former. */
export type Answer<T> = T | Promise<T>;

/** Who asks, and through which request. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /**
   * The *thread* id of the caller in the daemon's pid namespace; 0 when unknown, −1 when all that is known is that it
   * is not the process that the file was opened by.
   */
  readonly pid: number;
  /** FUSE `unique` of the request (0, 0 when there is none). */
  readonly uniqueHigh: number;
  readonly uniqueLow: number;
}

/**
 * A node as the driver sees it. On the wire a node id is 64 bits: `slot` in the upper 16 (the sign bit stays 0),
 * `number` in the lower 48. The root of a mount is slot 0, number 1.
 */
export interface NodeRef {
  readonly slot: number;
  readonly number: number;
}

/**
 * Numbers from here on are of nodes that are made up as they are asked for, and that change unannounced: the kernel must
 * not keep their names or attributes. Stored nodes never get there.
 */
export const FIRST_VOLATILE_NODE = 2 ** 47;

/** Attributes of a node as one mount sees them. Times are whole seconds and nanoseconds (0 to 999,999,999). */
export interface Attributes {
  /** `st_mode`: type and permission bits. */
  mode: number;
  links: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  atime: number;
  atimeNsec: number;
  mtime: number;
  mtimeNsec: number;
  ctime: number;
  ctimeNsec: number;
  /** Birth: when the node was made. */
  btime: number;
  btimeNsec: number;
}

/** A node found or made by name. The driver counts one lookup for each entry it sends to the kernel. */
export interface NodeEntry {
  readonly node: NodeRef;
  readonly attributes: Attributes;
}

/** Changes of SETATTR; what is absent stays. A time of `"now"` is the daemon's clock. */
export interface AttributeChanges {
  /** Permission bits only (07777). */
  mode?: number;
  uid?: number;
  gid?: number;
  size?: number;
  atime?: { sec: number; nsec: number } | "now";
  mtime?: { sec: number; nsec: number } | "now";
  /** Clear the suid bit, and the sgid bit where group execute is set: the caller may not keep them. */
  killPrivileges?: boolean;
}

/** An open file or directory. */
export interface OpenedHandle {
  /** 64 bits of `fh` as two unsigned 32-bit halves. */
  readonly fhHigh: number;
  readonly fhLow: number;
  /** FOPEN_KEEP_CACHE: the pages the kernel holds are still right. */
  readonly keepCache: boolean;
  /** FOPEN_DIRECT_IO: reads and writes of this handle bypass the page cache. Of a directory: its listing is not kept. */
  readonly directIo: boolean;
  /** FOPEN_NOFLUSH: closing a descriptor of this handle need not be told. */
  readonly noFlush: boolean;
}

/** A handle as the kernel names it in requests. */
export interface HandleRef {
  readonly fhHigh: number;
  readonly fhLow: number;
}

/** A place in an open file. */
export interface RangeStart {
  readonly node: NodeRef;
  readonly handle: HandleRef;
  readonly offset: number;
}

/** Receives directory entries. `add` returns false when the reply is full: that entry was not taken. */
export interface DirectorySink {
  /** True for READDIRPLUS: each entry taken with `attributes` (but `.` and `..`) counts as a lookup. */
  readonly plus: boolean;
  /** `cookie` is the offset at which the next READDIR continues after this entry. */
  add(name: Buffer, cookie: number, node: NodeRef, mode: number, attributes: Attributes | null): boolean;
}

/** Answer of STATFS, sizes in units of `blockSize` bytes. */
export interface FilesystemStatistics {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly files: number;
  readonly filesFree: number;
  readonly nameMax: number;
}

/** Flags of a WRITE request. */
export interface WriteFlags {
  /** O_* flags of the file at the time of the write (`fcntl` can change them). */
  readonly open: number;
  /** The kernel writes back a dirty page (mmap): uid, gid and pid are not the writer's, the offset counts. */
  readonly writeback: boolean;
  /** Clear suid and sgid as {@link AttributeChanges.killPrivileges} does. */
  readonly killPrivileges?: boolean;
}

/** A request that was answered with an error. */
export interface FailedRequest {
  /** What was asked for, in lower case: `write`. */
  readonly operation: string;
  /** The name in the directory, for an operation on a name. */
  readonly name: Buffer | null;
}

/** Who owns a lock: 64 bits that the kernel uses again for others later, as two unsigned 32-bit halves. */
export interface LockOwner {
  readonly ownerHigh: number;
  readonly ownerLow: number;
}

/** The last byte a lock can cover, when it goes to the end of the file wherever that will be: OFFSET_MAX, 2^63 − 1. */
export const LAST_BYTE = 2n ** 63n - 1n;

/** A lock as fcntl(2) knows it. */
export interface Lock {
  readonly type: "read" | "write" | "unlock";
  /** First and last byte, 0 to {@link LAST_BYTE}. */
  readonly start: bigint;
  readonly end: bigint;
  /** The process (not the thread), in the daemon's pid namespace; 0 when unknown. */
  readonly pid: number;
}

/** What a program asks to do with a lock. */
export interface LockRequest extends Lock {
  readonly owner: LockOwner;
  /** Of flock(2): these and the ranges of fcntl(2) do not see each other. */
  readonly flock: boolean;
  /** Until it is granted; else a lock that stands against it is refused with `would_block`. */
  readonly wait: boolean;
}

/** A mounted view of one or more stores. Flags and modes are Linux values; names are raw bytes. */
export interface Filesystem {
  /** Null when the name is absent (the driver may let the kernel remember that). */
  lookup(caller: Caller, parent: NodeRef, name: Buffer): Answer<NodeEntry | null>;
  /** The kernel drops `count` lookups of a node. Never throws. */
  forget(node: NodeRef, count: number): void;
  getattr(caller: Caller, node: NodeRef, handle: HandleRef | null): Answer<Attributes>;
  setattr(caller: Caller, node: NodeRef, handle: HandleRef | null, changes: AttributeChanges): Answer<Attributes>;
  readlink(caller: Caller, node: NodeRef): Answer<Buffer>;
  symlink(caller: Caller, parent: NodeRef, name: Buffer, target: Buffer): Answer<NodeEntry>;
  /** `mode`: type and permission bits. */
  mknod(caller: Caller, parent: NodeRef, name: Buffer, mode: number, rdev: number): Answer<NodeEntry>;
  /** `mode`: permission bits only (07777), here and in `create`. The caller's umask is applied already. */
  mkdir(caller: Caller, parent: NodeRef, name: Buffer, mode: number): Answer<NodeEntry>;
  unlink(caller: Caller, parent: NodeRef, name: Buffer): Answer<void>;
  rmdir(caller: Caller, parent: NodeRef, name: Buffer): Answer<void>;
  /** `flags`: 0, RENAME_NOREPLACE 1, or RENAME_EXCHANGE 2 (both names exist and change places). */
  rename(
    caller: Caller,
    from: { parent: NodeRef; name: Buffer },
    to: { parent: NodeRef; name: Buffer },
    flags: number,
  ): Answer<void>;
  link(caller: Caller, node: NodeRef, parent: NodeRef, name: Buffer): Answer<NodeEntry>;
  /** `killPrivileges` goes with O_TRUNC, see {@link AttributeChanges}. */
  open(caller: Caller, node: NodeRef, flags: number, killPrivileges?: boolean): Answer<OpenedHandle>;
  /** The name may exist after all: then it is opened (O_EXCL: `exists`), and truncated with O_TRUNC. */
  create(
    caller: Caller,
    parent: NodeRef,
    name: Buffer,
    flags: number,
    mode: number,
    killPrivileges?: boolean,
  ): Answer<{ entry: NodeEntry; opened: OpenedHandle }>;
  /** O_TMPFILE: a file in a directory without a name; a LINK may give it one. `links` of its attributes is 0. */
  tmpfile(
    caller: Caller,
    parent: NodeRef,
    flags: number,
    mode: number,
  ): Answer<{ entry: NodeEntry; opened: OpenedHandle }>;
  /** At most `size` bytes; fewer only at the end of the file. They are valid until the next call. */
  read(caller: Caller, node: NodeRef, handle: HandleRef, offset: number, size: number): Answer<Buffer>;
  /**
   * Writes all of `data` and returns its length. `data` is only valid until the call returns: what is kept is copied.
   */
  write(
    caller: Caller,
    node: NodeRef,
    handle: HandleRef,
    offset: number,
    data: Buffer,
    flags: WriteFlags,
  ): Answer<number>;
  /** `mode`: FALLOC_FL_* of fallocate(2). */
  fallocate(
    caller: Caller,
    node: NodeRef,
    handle: HandleRef,
    range: { offset: number; length: number },
    mode: number,
  ): Answer<void>;
  /** `whence`: SEEK_DATA 3 or SEEK_HOLE 4. `no_such_offset` when there is none. */
  lseek(caller: Caller, node: NodeRef, handle: HandleRef, offset: number, whence: number): Answer<number>;
  /** Copies up to `length` bytes and returns how many: fewer are no error, 0 is the end of the source. */
  copyRange(caller: Caller, from: RangeStart, to: RangeStart, length: number): Answer<number>;
  /**
   * A descriptor of the handle was closed: once per close, also of a duplicate. `owner` is the process that did, whose
   * fcntl locks on the node are gone. Not called for handles opened with `noFlush`.
   */
  flush(caller: Caller, node: NodeRef, handle: HandleRef, owner: LockOwner): Answer<void>;
  /** The last reference to the handle is gone. Never refused for its content. */
  release(caller: Caller, node: NodeRef, handle: HandleRef): Answer<void>;
  fsync(caller: Caller, node: NodeRef, handle: HandleRef, dataOnly: boolean): Answer<void>;
  /** A lock that stands against the one asked for; null when it would be granted. */
  getlock(caller: Caller, node: NodeRef, handle: HandleRef, request: LockRequest): Answer<Lock | null>;
  /** Refused with `would_block`, `deadlock`, `no_locks`; `interrupted` only after {@link Parked.interrupt}. */
  setlock(caller: Caller, node: NodeRef, handle: HandleRef, request: LockRequest): Answer<void> | Parked;
  opendir(caller: Caller, node: NodeRef): Answer<OpenedHandle>;
  readdir(caller: Caller, node: NodeRef, handle: HandleRef, cookie: number, sink: DirectorySink): Answer<void>;
  releasedir(caller: Caller, node: NodeRef, handle: HandleRef): Answer<void>;
  fsyncdir(caller: Caller, node: NodeRef, handle: HandleRef): Answer<void>;
  /** Value of an extended attribute (`no_attribute` when it has none, `not_supported` outside `user.`). */
  getxattr(caller: Caller, node: NodeRef, name: Buffer): Answer<Buffer>;
  /** `value` is only valid until the call returns. `flags`: XATTR_CREATE 1 (`exists`), XATTR_REPLACE 2. */
  setxattr(caller: Caller, node: NodeRef, name: Buffer, value: Buffer, flags: number): Answer<void>;
  /** Names, each ended by a NUL. */
  listxattr(caller: Caller, node: NodeRef): Answer<Buffer>;
  removexattr(caller: Caller, node: NodeRef, name: Buffer): Answer<void>;
  statfs(caller: Caller, node: NodeRef): Answer<FilesystemStatistics>;
  /** The driver answers a request about `node` with an error. `request` is called at once or never. Never throws. */
  failed(node: NodeRef, error: unknown, request: () => FailedRequest): void;
  /** True while requests should wait at the door (storage is behind); then {@link relieved} resolves when not. */
  readonly pressed: boolean;
  relieved(): Promise<void>;
  /** The kernel side is gone: commits every draft and drops every handle. Idempotent. */
  detach(): Promise<void>;
}

/** What the vfs needs from whoever speaks to the kernel: drop what it has cached. None of these calls ever waits. */
export interface Invalidator {
  /** The node's attributes changed. */
  attributes(node: NodeRef): void;
  /** The node's content changed: attributes at once, pages from the background. */
  content(node: NodeRef): void;
  /** Names in this directory changed: cached lookups and listings are doubtful. */
  names(directory: NodeRef): void;
  /** Resolves when the pages that {@link content} was to drop are dropped; null when none are left. Never rejects. */
  dropped(node: NodeRef): Promise<void> | null;
}
