/** INIT: what the kernel offers and what this driver takes of it. */

import {
  EPOCH_MINOR,
  Init,
  Init2,
  MAX_PAGES,
  MAX_TRANSFER,
  OLDEST_MINOR,
  PROTOCOL_MAJOR,
  PROTOCOL_MINOR,
} from "./abi.ts";
import { FOREVER } from "./encode.ts";
import type { RequestBuffer } from "./request.ts";

/** What was agreed with the kernel. */
export interface Agreement {
  readonly minor: number;
  /** The kernel can be told that names changed. */
  readonly epoch: boolean;
  /**
   * Seconds a name may be believed. Without the epoch there is no way to take a name back that neither waits for the
   * kernel nor needs to know it, so every path walk asks again: slower, and as exact.
   */
  readonly nameSeconds: number;
  readonly flags: number;
  readonly flags2: number;
  readonly maxReadahead: number;
}

/** Result of looking at an INIT request. */
export type Negotiation =
  | { readonly kind: "agreed"; readonly agreement: Agreement }
  /** The kernel has a newer major version and will ask again with ours. */
  | { readonly kind: "again" }
  /** No common protocol. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Flags taken where offered. Left out on purpose:
 * - AUTO_INVAL_DATA reads again after each own write; EXPLICIT_INVAL_DATA gives readers NUL bytes after a size change.
 * - WRITEBACK_CACHE makes the kernel owner of size and mtime: two mounts appending to one file overwrite each other.
 * - POSIX_ACL: no ACLs are stored.
 * - EXPORT_SUPPORT promises LOOKUP of `.` and `..` by node id, which the filesystem does not offer.
 * - ASYNC_DIO splits one O_DIRECT write into several in flight at once, which an append must not be.
 */
const WANTED =
  Init.ASYNC_READ |
  Init.POSIX_LOCKS |
  Init.ATOMIC_O_TRUNC |
  Init.BIG_WRITES |
  Init.FLOCK_LOCKS |
  Init.DO_READDIRPLUS |
  Init.READDIRPLUS_AUTO |
  Init.PARALLEL_DIROPS |
  Init.MAX_PAGES |
  Init.CACHE_SYMLINKS |
  Init.HANDLE_KILLPRIV_V2 |
  Init.INIT_EXT;
const WANTED2 = Init2.DIRECT_IO_ALLOW_MMAP;

/** Background requests (readahead, asynchronous RELEASE) in flight, and where the kernel starts to slow them down. */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

/** Bytes of `struct fuse_init_in` up to and with `flags`, and with `flags2`. */
export const INIT_IN_SIZE = 16;
const INIT_EXT_IN_SIZE = 20;

/** Decides on an INIT whose body is at least {@link INIT_IN_SIZE} bytes. */
export function negotiate(body: RequestBuffer): Negotiation {
  const major = body.u32(0);
  const minor = body.u32(1);
  if (major > PROTOCOL_MAJOR) return { kind: "again" };
  if (major < PROTOCOL_MAJOR || minor < OLDEST_MINOR) {
    const reason = `the kernel speaks FUSE ${String(major)}.${String(minor)}, 7.${String(OLDEST_MINOR)} is the oldest that works`;
    return { kind: "refused", reason };
  }
  const agreed = Math.min(minor, PROTOCOL_MINOR);
  const flags = body.u32(3) & WANTED;
  const extended = (flags & Init.INIT_EXT) !== 0 && body.bodyLength >= INIT_EXT_IN_SIZE;
  const epoch = agreed >= EPOCH_MINOR;
  const agreement: Agreement = {
    minor: agreed,
    epoch,
    nameSeconds: epoch ? FOREVER : 0,
    flags,
    flags2: extended ? body.u32(4) & WANTED2 : 0,
    maxReadahead: Math.min(body.u32(2), MAX_TRANSFER),
  };
  return { kind: "agreed", agreement };
}

/** Fills `struct fuse_init_out` (already zero): with null, only the version, which makes a newer kernel ask again. */
export function fillInit(words: Uint32Array, agreement: Agreement | null): void {
  words[0] = PROTOCOL_MAJOR;
  words[1] = agreement?.minor ?? PROTOCOL_MINOR;
  if (agreement === null) return;
  words[2] = agreement.maxReadahead;
  words[3] = agreement.flags;
  words[4] = (CONGESTION_THRESHOLD << 16) | MAX_BACKGROUND;
  words[5] = MAX_TRANSFER;
  words[6] = 1; // time_gran: nanoseconds are kept
  words[7] = MAX_PAGES;
  words[8] = agreement.flags2;
}
