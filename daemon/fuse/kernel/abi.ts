/**
 * Numbers and sizes of the FUSE protocol, as in `/usr/include/linux/fuse.h` (protocol 7.38) and, where newer, as in
 * `include/uapi/linux/fuse.h` of Linux 6.18 (7.45). Sizes are bytes; all structures are multiples of eight bytes and
 * in the byte order of the host, which this driver requires to be little-endian.
 */

/** The protocol spoken here. The kernel uses the smaller of its minor version and ours. */
export const PROTOCOL_MAJOR = 7;
export const PROTOCOL_MINOR = 45;
/** Linux 4.20: MAX_PAGES, cached directories and symlinks. The structures used here have not changed since. */
export const OLDEST_MINOR = 28;
/** First minor version whose kernel knows {@link Notification.INC_EPOCH} (Linux 6.16). */
export const EPOCH_MINOR = 44;

/** `struct fuse_in_header`. */
export const IN_HEADER_SIZE = 40;
/** `struct fuse_out_header`. */
export const OUT_HEADER_SIZE = 16;
/** `struct fuse_attr`, `fuse_entry_out`, `fuse_attr_out`, `fuse_open_out`. */
export const ATTR_SIZE = 88;
export const ENTRY_OUT_SIZE = 128;
export const ATTR_OUT_SIZE = 104;
export const OPEN_OUT_SIZE = 16;
/** `struct fuse_statx_out`, of which `struct fuse_statx` is the last 256 bytes. */
export const STATX_OUT_SIZE = 288;
/** `struct fuse_dirent` without its name; records are padded to eight bytes. */
export const DIRENT_SIZE = 24;
export const KSTATFS_SIZE = 80;
export const INIT_OUT_SIZE = 64;
/** `struct fuse_write_in`: the data of a WRITE follows it. */
export const WRITE_IN_SIZE = 40;
/** `struct fuse_interrupt_in`. */
export const INTERRUPT_IN_SIZE = 8;
/** `struct fuse_lk_in` and `struct fuse_lk_out`. */
export const LK_IN_SIZE = 48;
export const LK_OUT_SIZE = 24;

/** The largest READ answer or WRITE payload: 256 pages of 4 KiB, what Linux allows without a raised sysctl. */
export const MAX_PAGES = 256;
export const MAX_TRANSFER = MAX_PAGES * 4096;

/** `enum fuse_opcode`. */
export const Opcode = Object.freeze({
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
});

/** Name of an opcode. */
export type OpcodeName = keyof typeof Opcode;

const OPCODE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(Opcode).map(([name, code]) => [code, name]));

/** The opcode in words, for logs: `LOOKUP`, or the bare number of one that is not known here. */
export function opcodeName(opcode: number): string {
  return OPCODE_NAMES.get(opcode) ?? `opcode ${String(opcode)}`;
}

/** `enum fuse_notify_code`. */
export const Notification = Object.freeze({ INVAL_INODE: 2, INC_EPOCH: 8 });

/** INIT flags, bits 0 to 31. */
export const Init = Object.freeze({
  ASYNC_READ: 1 << 0,
  POSIX_LOCKS: 1 << 1,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  FLOCK_LOCKS: 1 << 10,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  HANDLE_KILLPRIV_V2: 1 << 28,
  INIT_EXT: 1 << 30,
});

/** INIT flags, bits 32 to 63, which travel in `flags2` when `INIT_EXT` is set. */
export const Init2 = Object.freeze({ DIRECT_IO_ALLOW_MMAP: 1 << 4 });

/** `FOPEN_*`, the flags of an answer to OPEN, OPENDIR and CREATE. */
export const OpenReply = Object.freeze({ DIRECT_IO: 1 << 0, KEEP_CACHE: 1 << 1, CACHE_DIR: 1 << 3, NOFLUSH: 1 << 5 });

/** `FUSE_OPEN_KILL_SUIDGID`: an OPEN or CREATE that truncates clears suid and sgid bits. */
export const OPEN_KILL_SUIDGID = 1 << 0;

/** `FUSE_GETATTR_FH`: the handle of a GETATTR is valid. */
export const GETATTR_FH = 1 << 0;

/** `FUSE_LK_FLOCK`: the lock is one of flock(2). */
export const LK_FLOCK = 1 << 0;

/** `F_RDLCK`, `F_WRLCK`, `F_UNLCK` of fcntl(2). */
export const LOCK_TYPES = Object.freeze(["read", "write", "unlock"] as const);

/** `STATX_BASIC_STATS | STATX_BTIME`: everything that the kernel can use of an answer to STATX. */
export const STATX_ALL = 0xfff;

/** `FUSE_FSYNC_FDATASYNC`. */
export const FSYNC_DATA_ONLY = 1 << 0;

/** `FUSE_WRITE_CACHE` and `FUSE_WRITE_KILL_SUIDGID`. */
export const WriteRequest = Object.freeze({ CACHE: 1 << 0, KILL_SUIDGID: 1 << 2 });

/** `FATTR_*`, which fields of a SETATTR count. */
export const SetattrValid = Object.freeze({
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
});

/** `RENAME_NOREPLACE` and `RENAME_EXCHANGE` of renameat2(2). */
export const Rename = Object.freeze({ NOREPLACE: 1, EXCHANGE: 2 });
