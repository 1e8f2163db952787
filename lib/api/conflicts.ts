/** Conflicts and drafts, as `lib/api.ts` has the rest. */

/** Two changes of a memory that do not go together, until somebody decides. */
export interface Conflict {
  readonly type: "conflict";
  /** The memory that both changed, and its path, its last one if it is deleted. */
  readonly memory_id: string;
  readonly path: string;
  readonly path_exact: boolean;
  /** Its head; null when it is deleted. */
  readonly memory_version_id: string | null;
  /** What was the head when the conflict arose. */
  readonly conflicting_version_id: string;
  /** What the other text was made from; null when from nothing. */
  readonly base_version_id: string | null;
  /** The memory beside that holds the other text. */
  readonly beside: {
    readonly memory_id: string;
    readonly path: string;
    readonly path_exact: boolean;
    readonly memory_version_id: string;
    /** Who wrote it. */
    readonly session_id: string | null;
  };
  readonly created_at: string;
}

/** Body of `POST …/conflicts/{memory}/resolve`, where the memory is the one beside. */
export interface ResolveRequest {
  /** `mine`: the text beside; `theirs`: the head; `content`: what is given. */
  readonly take: "mine" | "theirs" | "content";
  readonly content_base64?: string;
  /** The two versions that were looked at: nothing happens if either is another by now. */
  readonly memory_version_id?: string;
  readonly beside_version_id?: string;
  readonly note?: string;
}

/** Bytes that a mount holds and that are no version yet. */
export interface Draft {
  readonly type: "draft";
  readonly mount_id: string;
  readonly mountpoint: string;
  readonly agent: string;
  readonly session_id: string;
  readonly memory_store_id: string;
  readonly path: string;
  readonly path_exact: boolean;
  readonly size_bytes: number;
  readonly modified_at: string;
  /** A program has the file open for writing. */
  readonly open: boolean;
  /** Its commit was refused, because others changed the same (`on_conflict` is `refuse`). */
  readonly refused: boolean;
}

/** Body of `POST /v1/drafts/save` and `/v1/drafts/discard`. */
export interface DraftRequest {
  readonly mount_id: string;
  readonly memory_store_id: string;
  readonly path: string;
}
