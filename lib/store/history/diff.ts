/** What differs between two versions: of one memory, or of two. */

import { isText } from "../../text/lines.ts";
import { unifiedDiff, type UnifiedHunk } from "../../text/unified.ts";
import { getContent } from "../content/content.ts";
import type { StoreState } from "../state.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** Larger contents are not read: they would keep others waiting for more than ~50 ms. */
const MAX_BYTES = 16 * 1024 * 1024;

/** One side of a difference: a file or a symbolic link. */
export interface DiffSide {
  /** Bytes, `/` first. */
  readonly path: string;
  /** `st_mode`. */
  readonly mode: number;
  /** The content; null for a symbolic link. */
  readonly version: VersionRecord | null;
  /** Target of a symbolic link, bytes; null for a file. */
  readonly target: string | null;
}

/** A file that differs. At least one side is there. */
export interface FileDiff {
  /** Null: it was not there. */
  readonly from: DiffSide | null;
  readonly to: DiffSide | null;
  /**
   * `text`: `hunks` say what differs, and none do when only name or mode differ. `binary` and `too_large` (larger than
   * {@link MAX_BYTES}, or differing over more than a MiB): the contents differ, and it is not said where. `damaged`: a content cannot be read.
   */
  readonly kind: "text" | "binary" | "too_large" | "damaged";
  readonly hunks: readonly UnifiedHunk[];
}

/** The side of a version; null for a deletion, and for one that is erased. `mode` where it is known better. */
export function sideOf(version: VersionRecord, mode = version.made.mode): DiffSide | null {
  if (version.hash === null || version.path === null) return null;
  return { path: version.path, mode, version, target: null };
}

/** Compares two sides; null when nothing differs. @throws MemfsError `damaged` */
export function compareSides(state: StoreState, from: DiffSide | null, to: DiffSide | null): FileDiff | null {
  if (sameContent(from, to)) return sameFile(from, to) ? null : { from, to, kind: "text", hunks: [] };
  if (isTooLarge(from) || isTooLarge(to)) return { from, to, kind: "too_large", hunks: [] };
  const before = bytesOf(state, from);
  const after = bytesOf(state, to);
  if (!isText(before) || !isText(after)) return { from, to, kind: "binary", hunks: [] };
  const hunks = unifiedDiff(before, after);
  return hunks === null ? { from, to, kind: "too_large", hunks: [] } : { from, to, kind: "text", hunks };
}

function sameContent(from: DiffSide | null, to: DiffSide | null): boolean {
  if (from === null || to === null) return from === to;
  return from.target === to.target && from.version?.hash === to.version?.hash;
}

/** Two memories with the same content do not differ; a file at its path that has another mode, and one that moved, do. */
function sameFile(from: DiffSide | null, to: DiffSide | null): boolean {
  if (from?.path === to?.path) return from?.mode === to?.mode;
  return from?.version?.memory !== to?.version?.memory;
}

function isTooLarge(side: DiffSide | null): boolean {
  return (side?.version?.size ?? 0) > MAX_BYTES;
}

function bytesOf(state: StoreState, side: DiffSide | null): Buffer {
  if (side === null) return Buffer.alloc(0);
  const hash = side.version?.hash ?? null;
  return hash === null ? Buffer.from(side.target ?? "", "latin1") : getContent(state, hash);
}
