/** Where things are to be: what going back asks of a transaction. Paths are absolute, bytes. */

import type { Uid } from "../../id.ts";
import type { ContentCommit } from "../memories.ts";
import type { Timestamp } from "../records/record.ts";

/** A memory as it is to be. */
export interface PlacedFile {
  readonly memory: Uid;
  /** Its names, the memory's own path first. None: it is to be deleted. Null: they stay. */
  readonly paths: readonly string[] | null;
  /** Null: it stays. */
  readonly content: ContentCommit["content"] | null;
  /** `st_mode`; null: it stays. A file that is made anew needs one. */
  readonly mode: number | null;
  /** Null: it stays, or is that of the change when there is other content. */
  readonly mtime: Timestamp | null;
}

export interface PlacedDirectory {
  /** Null: one is made, unless one is at the path. */
  readonly node: number | null;
  readonly path: string;
  /** `st_mode`; null: it stays. */
  readonly mode: number | null;
}

export interface PlacedLink {
  /** Null: one is made. */
  readonly node: number | null;
  readonly path: string;
  readonly target: string;
  /** `st_mode`. */
  readonly mode: number;
  readonly mtime: Timestamp;
}

/** What is to change. What is not named stays where it is, or moves with the directory it is in. */
export interface Arrangement {
  readonly files: readonly PlacedFile[];
  /** Parents before what is in them. */
  readonly directories: readonly PlacedDirectory[];
  /** Symbolic links as they are to be. */
  readonly links: readonly PlacedLink[];
  /** Paths that symbolic links are to leave. */
  readonly removedLinks: readonly string[];
  /** Nodes of directories to remove when nothing is left in them, what is below before what is above. */
  readonly emptied: readonly number[];
}

/** What became of one thing. */
export interface Arranged {
  readonly kind: "memory" | "directory" | "symlink";
  /** `attributes`: mode, times or further names only. `kept`: a directory that has something in it still. */
  readonly action: "modified" | "moved" | "restored" | "deleted" | "attributes" | "kept";
  readonly memory: Uid | null;
  /** Where it is now; where it was, when it is deleted. */
  readonly path: string;
  /** Where it was before, if that was elsewhere. */
  readonly from: string | null;
  /** Seq of the version that was made. */
  readonly version: number | null;
}
