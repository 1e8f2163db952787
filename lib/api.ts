/**
 * What goes over the wire between the daemon's HTTP API and its clients. Field names are those of the published
 * memory-store API; what memfs adds stands beside them. Times are RFC 3339 in UTC with microseconds.
 */

import type { ErrorCode, ErrorDetail } from "./errors.ts";

export type * from "./api/conflicts.ts";

/** Sent by the CLI with its own version and by the daemon with its: both refuse to talk across versions. */
export const VERSION_HEADER = "memfs-version";

/** Bytes of content that one answer in JSON holds at most. */
export const JSON_CONTENT_BYTES = 16 * 1024 * 1024;

/** Body of every answer that is not a success. */
export interface ErrorEnvelope {
  readonly type: "error";
  readonly error: { readonly type: string; readonly message: string; readonly code: ErrorCode } & ErrorDetail;
  readonly request_id: string;
}

/** One page of a list; `next_page` goes back as `page`, with the same other parameters. */
export interface List<T> {
  readonly data: readonly T[];
  readonly next_page: string | null;
}

export interface MemoryStore {
  readonly type: "memory_store";
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly created_at: string;
  readonly updated_at: string;
  readonly archived_at: string | null;
  /** memfs: its directory in a mount of several stores. */
  readonly slug: string;
  /** memfs: whether contents are sealed at rest. */
  readonly encrypted: boolean;
  /** memfs: counts; only when one store is retrieved, and null when it cannot be opened. */
  readonly usage?: Usage | null;
  /** memfs: why it cannot be opened (its key is missing, it is damaged); absent when it can. */
  readonly problem?: string;
}

export interface Usage {
  readonly memories: number;
  readonly versions: number;
  readonly live_bytes: number;
  readonly history_bytes: number;
  /** Sequence number of the newest journal entry. */
  readonly head_seq: number;
}

/** Limits and habits of a store; sizes in bytes, 0 versions or days keep all. */
export interface Policy {
  readonly max_memory_bytes: number;
  readonly max_memories: number;
  readonly max_live_bytes: number;
  readonly max_history_bytes: number;
  readonly on_conflict: "keep_both" | "last_writer_wins" | "refuse";
  readonly keep_versions: number;
  readonly keep_days: number;
  readonly scratch: readonly string[];
  readonly strict_names: boolean;
}

/** Content of a memory or version: both null in a basic view, and where there is none. */
export interface Content {
  readonly content: string | null;
  /** memfs: set instead of `content` when the bytes are not UTF-8. */
  readonly content_base64?: string;
}

export interface Memory extends Content {
  readonly type: "memory";
  readonly id: string;
  readonly memory_store_id: string;
  readonly memory_version_id: string;
  readonly path: string;
  /** memfs: false when `path` carries bytes as `%XX`, because they cannot be in a path of this API. */
  readonly path_exact: boolean;
  readonly content_sha256: string;
  readonly content_size_bytes: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/** Everything below a directory, rolled into one item of a list with depth 1. */
export interface MemoryPrefix {
  readonly type: "memory_prefix";
  readonly path: string;
  readonly path_exact: boolean;
}

export type CreatedBy =
  | { readonly type: "session_actor"; readonly session_id: string }
  | { readonly type: "api_actor"; readonly api_key_id: string }
  | { readonly type: "user_actor"; readonly user_id: string };

export interface MemoryVersion extends Content {
  readonly type: "memory_version";
  readonly id: string;
  readonly memory_id: string;
  readonly memory_store_id: string;
  readonly operation: "created" | "modified" | "deleted";
  readonly created_at: string;
  /** Null when redacted. */
  readonly path: string | null;
  readonly path_exact: boolean;
  /** Null when deleted or redacted; so is the size. */
  readonly content_sha256: string | null;
  readonly content_size_bytes: number | null;
  readonly created_by: CreatedBy;
  readonly redacted_at: string | null;
  readonly redacted_by: CreatedBy | null;
  /** memfs: counts from 1 per memory; what `@n` means. */
  readonly n: number;
  /** memfs: sequence number in the store's journal. */
  readonly seq: number;
  /** memfs: who wrote it through a mount. */
  readonly agent: string | null;
  readonly parents: readonly string[];
  /** memfs: the process that wrote it, as the kernel told. */
  readonly process: { readonly uid: number; readonly pid: number; readonly program: string } | null;
  readonly note: string | null;
  /** memfs: bytes more or less than before this version; null when redacted. */
  readonly content_size_change_bytes: number | null;
}

/** A line of a text. Bytes that are not UTF-8 travel as base64, and `text` is null then. */
export interface LineText {
  /** Without the line feed; a carriage return before it belongs to the line. */
  readonly text: string | null;
  readonly text_base64?: string;
}

/** A line, and the version that it came with. */
export interface BlamedLine extends LineText {
  /** From 1. */
  readonly line: number;
  /** Another memory than the one asked about where that was made from this one's version. */
  readonly memory_id: string;
  readonly memory_version_id: string;
  readonly n: number;
  /** Null when no session wrote it. */
  readonly agent: string | null;
  readonly session_id: string | null;
  readonly created_by: CreatedBy;
  readonly created_at: string;
}

export interface Blame {
  readonly type: "blame";
  readonly memory_store_id: string;
  readonly memory_id: string;
  /** The version whose lines these are. */
  readonly memory_version_id: string;
  readonly path: string | null;
  readonly path_exact: boolean;
  readonly lines: readonly BlamedLine[];
}

/** One side of a file that differs. */
export interface DiffSide {
  readonly path: string;
  readonly path_exact: boolean;
  /** `st_mode` in octal digits: `100644`, `120000` for a symbolic link. */
  readonly mode: string;
  /** Null for a symbolic link, which has no versions; so are the next three. */
  readonly memory_id: string | null;
  readonly memory_version_id: string | null;
  readonly n: number | null;
  readonly content_sha256: string | null;
}

export interface DiffLine extends LineText {
  readonly kind: "context" | "removed" | "added";
  /** Present and true for a last line without a line feed. */
  readonly no_newline?: boolean;
}

/** Lines from `from_line` of one side, and from `to_line` of the other: counted from 1; the line before where there are none. */
export interface DiffHunk {
  readonly from_line: number;
  readonly from_count: number;
  readonly to_line: number;
  readonly to_count: number;
  readonly lines: readonly DiffLine[];
}

/** A file that differs; a side where it is not there is null. */
export interface FileDiff {
  readonly from: DiffSide | null;
  readonly to: DiffSide | null;
  /**
   * Of `binary` contents, and those that are `too_large` (over 16 MiB, or differing over more than 1 MiB), it is only known
   * that they differ; one that is `damaged` cannot be read.
   */
  readonly kind: "text" | "binary" | "too_large" | "damaged";
  /** None when only the path or the mode differs. */
  readonly hunks: readonly DiffHunk[];
}

export interface Diff {
  readonly type: "diff";
  readonly memory_store_id: string;
  /** By path; empty when nothing differs. */
  readonly files: readonly FileDiff[];
}

/** What an agent did in a session, in one store. */
export interface Session {
  readonly type: "session";
  readonly memory_store_id: string;
  readonly session_id: string;
  readonly agent: string;
  /** Of its first and its newest journal entry. */
  readonly first_at: string;
  readonly last_at: string;
  /** Versions it made. */
  readonly writes: number;
  readonly conflicts: number;
  /** How often a mount of the store was attached in it. */
  readonly mounts: number;
  /** True while one is. */
  readonly mounted: boolean;
}

/** The newest journal entry. */
export interface AuditHead {
  readonly type: "audit_head";
  readonly memory_store_id: string;
  readonly seq: number;
  readonly hash: string;
  readonly created_at: string;
}

/** A version that a session opened through a mount. */
export interface MemoryRead {
  readonly type: "memory_read";
  readonly session_id: string;
  readonly agent: string;
  /** Time and sequence number of the journal entry; the read was at most a second or so before. */
  readonly created_at: string;
  readonly seq: number;
  readonly memory_version_id: string;
  readonly memory_id: string;
  /** Number of the version. */
  readonly n: number;
  /** Of the version; null when redacted. */
  readonly path: string | null;
  readonly path_exact: boolean;
}

export interface AuditReport {
  readonly type: "audit_report";
  readonly memory_store_id: string;
  readonly ok: boolean;
  readonly entries: number;
  readonly erased: number;
  /** Hash of the newest journal entry. */
  readonly head: string;
  /** The first break, in words; null when ok. */
  readonly problem: string | null;
}

export type Access = "ro" | "rw";

/** A user with a group, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Mount {
  readonly type: "mount";
  readonly id: string;
  /** Absolute, without symbolic links. */
  readonly mountpoint: string;
  readonly agent: string;
  readonly session_id: string;
  readonly owner: Owner;
  /** Files have owners and groups of their own, and the kernel checks modes against them. */
  readonly posix_owner: boolean;
  /** Users other than the daemon's may enter. */
  readonly allow_other: boolean;
  /** Set-user-id bits and devices count. */
  readonly suid: boolean;
  readonly dev: boolean;
  /** The next daemon of the home mounts it again. */
  readonly persist: boolean;
  /** Why it is not there at the moment, though it should be; null when it is. */
  readonly problem: string | null;
  readonly driver: "kernel" | "native";
  readonly created_at: string;
  readonly stores: readonly MountedStore[];
}

export interface MountedStore {
  readonly memory_store_id: string;
  readonly name: string;
  readonly description: string;
  readonly access: Access;
  /** Its directory below the mountpoint; null when the mountpoint is the store. */
  readonly directory: string | null;
  /** The moment that is shown, for ever; null: the store as it is. */
  readonly at: MountedMoment | null;
}

/** A moment of a store. */
export interface MountedMoment {
  /** As it was asked for. */
  readonly when: string;
  /** The last journal entry that is seen, and its time. */
  readonly seq: number;
  readonly created_at: string;
}

/** A store to mount. */
export interface StoreSpec {
  /** A name or an id. */
  readonly store: string;
  readonly access: Access;
  /** `#1234`, `memver_…` or a time: read-only, as it was after that journal entry, or then. */
  readonly at?: string;
}

/** Body of `POST /v1/mounts`. */
export interface MountRequest {
  readonly mountpoint: string;
  readonly stores: readonly StoreSpec[];
  readonly agent: string;
  /** Default: a new one. */
  readonly session_id?: string;
  /** Makes the stores that are not there. */
  readonly create?: boolean;
  /** Default: the daemon's user; only root's daemon takes another. */
  readonly owner?: Owner;
  readonly posix_owner?: boolean;
  /** Always so when the daemon is root's. */
  readonly allow_other?: boolean;
  /** Root's daemon only. */
  readonly suid?: boolean;
  readonly dev?: boolean;
  /** Mounts it again after a restart or crash of the daemon. */
  readonly persist?: boolean;
  /** Who speaks to the kernel; default: memfs itself. */
  readonly driver?: "kernel" | "native";
}

export interface DaemonStatus {
  readonly type: "daemon";
  readonly pid: number;
  /** The process that restarts it; null without one. */
  readonly supervisor_pid: number | null;
  readonly version: string;
  readonly home: string;
  readonly started_at: string;
  readonly uptime_seconds: number;
  readonly mounts: number;
  /** Where a daemon that died had mounts, which this one cleared away at its start. */
  readonly cleared_mountpoints: readonly string[];
  /** Version of the FUSE protocol agreed with the kernel; null before the first mount. */
  readonly fuse_protocol: string | null;
  /** Where mounts should be that could not be restored, or were taken away. */
  readonly absent_mountpoints: readonly string[];
  readonly stores: number;
}

export interface Capabilities {
  readonly type: "capabilities";
  readonly version: string;
  readonly limits: {
    readonly page_size: number;
    readonly page_size_full: number;
    readonly request_bytes: number;
    readonly path_bytes: number;
    readonly path_segments: number;
    readonly segment_bytes: number;
  };
  readonly features: readonly string[];
}
