/** What a mount reads of a store, be it as it is or as it was. */

import type { Answer, Attributes, FailedRequest, FilesystemStatistics, NodeEntry } from "./filesystem.ts";
import type { Directories } from "./directories.ts";
import type { Files } from "./files.ts";
import type { Hidden } from "./hidden/hidden.ts";
import type { Locks } from "./locks.ts";
import type { Names } from "./names.ts";
import type { Ranges } from "./ranges.ts";
import type { Xattrs } from "./xattrs.ts";

/** Nodes are named by their numbers. Every operation throws `stale` for a node that is not there (any more). */
export interface ReadableStore {
  readonly names: Pick<Names, "lookup">;
  readonly files: Pick<Files, "open" | "read" | "flush" | "release" | "fsync">;
  readonly directories: Pick<Directories, "open" | "read" | "close">;
  readonly xattrs: Pick<Xattrs, "get" | "list">;
  readonly ranges: Pick<Ranges, "seek">;
  readonly locks: Pick<Locks, "get" | "set" | "end">;
  /** `.memfs`; null where there is none. */
  readonly hidden: Hidden | null;
  /** The root directory; no lookup is counted. */
  root(): NodeEntry;
  /** The kernel was given the root by name. */
  rootLookedUp(): void;
  getattr(number: number): Answer<Attributes>;
  readlink(number: number): Answer<Buffer>;
  forget(number: number, count: number): void;
  statfs(): FilesystemStatistics;
  /** Makes everything that was committed survive power loss. */
  sync(): Answer<void>;
  failed(number: number, error: unknown, request: FailedRequest): void;
  /** Commits every draft. Resolves with how many could not be stored. */
  commitAll(): Promise<number>;
  detach(): Promise<void>;
}
