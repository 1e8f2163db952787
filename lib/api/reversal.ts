/** Going back, over the wire. */

import type { MemoryVersion } from "../api.ts";

/** What going back did to one thing, or would do. */
export interface Reverted {
  readonly kind: "memory" | "directory" | "symlink";
  /** `restored`: it is there again; `attributes`: only mode, times or further names changed; `none`: it is so already. */
  readonly action: "modified" | "moved" | "restored" | "deleted" | "attributes" | "none";
  /** Null for what is no memory. */
  readonly memory_id: string | null;
  /** Where it is afterwards; where it was, when it is deleted. */
  readonly path: string;
  readonly path_exact: boolean;
  /** Where it was before, if that was elsewhere. */
  readonly from_path: string | null;
  /** The version that it is as again; null when there is none. */
  readonly to: MemoryVersion | null;
  /** The new version; null with `dry_run`, and when none was made. */
  readonly version: MemoryVersion | null;
}

/** What going back left as it is. */
export interface Kept {
  readonly kind: Reverted["kind"];
  readonly memory_id: string | null;
  readonly path: string;
  readonly path_exact: boolean;
  readonly reason: string;
}

/** What a rollback or an undo did, or with `dry_run` would do. */
export interface Reversed {
  readonly type: "rollback" | "undo";
  readonly dry_run: boolean;
  /** Of the journal entry that tells of it; null with `dry_run`, and when there was nothing to do. */
  readonly seq: number | null;
  readonly kept: readonly Kept[];
  readonly changes: readonly Reverted[];
}

/** Body of `POST …/rollback`; one of `path` and `memory_id`. */
export interface RollbackRequest {
  /** Of a memory, or of a directory: then all of it goes back; `/` is the store. */
  readonly path?: string;
  readonly memory_id?: string;
  /** A version, or for a directory a moment. */
  readonly to: string;
  readonly dry_run?: boolean;
  /** The memory goes back to the version's path, too. */
  readonly with_path?: boolean;
  /** The memory goes to this path. */
  readonly as_path?: string;
  /** For the new versions. */
  readonly note?: string;
}

/** Body of `POST …/undo`; one of `session_id`, `agent` and `seq`. */
export interface UndoRequest {
  readonly session_id?: string;
  readonly agent?: string;
  /** Only what the agent did in this span of time. */
  readonly since?: string;
  readonly until?: string;
  /** An entry of the journal: all that was done with it. */
  readonly seq?: number;
  readonly dry_run?: boolean;
  /** What others built on it goes, too. */
  readonly force?: boolean;
  /** For the new versions. */
  readonly note?: string;
}
