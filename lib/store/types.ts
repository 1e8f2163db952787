/** The nouns of the store as its callers see them. Times are microseconds since the epoch (exact in a double until 2255). */

/** Microseconds since the epoch. */
export type Micros = number;

/** Who made a change. */
export type Actor =
  | { readonly type: "session"; readonly sessionId: string; readonly agent: string }
  | { readonly type: "api"; readonly apiKeyId: string }
  | { readonly type: "user"; readonly userId: string };

/** The kernel's evidence of the process behind a change. */
export interface Evidence {
  readonly uid: number;
  readonly pid: number;
  /** `/proc/PID/comm`: the tool that wrote; empty when it could not be seen. */
  readonly program: string;
}

/** What a store allows; every key is set. Sizes in bytes. */
export interface Policy {
  readonly maxMemoryBytes: number;
  readonly maxMemories: number;
  readonly maxLiveBytes: number;
  readonly maxHistoryBytes: number;
  readonly onConflict: "keep_both" | "last_writer_wins" | "refuse";
  /** Versions kept per memory; 0 keeps all. */
  readonly keepVersions: number;
  /** Days versions are kept; 0 keeps all. */
  readonly keepDays: number;
  /** gitignore patterns of files that are not memories. */
  readonly scratch: readonly string[];
  readonly strictNames: boolean;
}

/** A store as the catalogue knows it. */
export interface StoreInfo {
  readonly id: string;
  readonly name: string;
  /** Directory name in a mount of several stores: lower case, `[a-z0-9-]`, unique. */
  readonly slug: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly encrypted: boolean;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  readonly archivedAt: Micros | null;
}

/** A memory: a lineage of one document, bound to a path. */
export interface MemoryInfo {
  readonly id: string;
  /** Absolute path in the store as raw bytes, `/` first. */
  readonly path: Buffer;
  readonly headId: string;
  readonly headN: number;
  /** SHA-256 of the exact bytes, lower-case hex. */
  readonly sha256: string;
  readonly size: number;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
}

export type Operation = "created" | "modified" | "deleted";

/** An immutable version of a memory. */
export interface VersionInfo {
  readonly id: string;
  readonly memoryId: string;
  /** Counts from 1 per memory. */
  readonly n: number;
  /** Sequence number of its journal entry. */
  readonly seq: number;
  readonly operation: Operation;
  readonly createdAt: Micros;
  /** Null when redacted. */
  readonly path: Buffer | null;
  /** Null when deleted or redacted. */
  readonly sha256: string | null;
  readonly size: number | null;
  /** Size of the content before this version; null for the first and after a deletion. */
  readonly sizeBefore: number | null;
  readonly mode: number;
  readonly mtime: Micros;
  readonly actor: Actor;
  readonly evidence: Evidence | null;
  /** Ids of the versions this one was made from. */
  readonly parents: readonly string[];
  readonly note: string | null;
  readonly redactedAt: Micros | null;
  readonly redactedBy: Actor | null;
}

/** One page of a list; `next` continues after it, null at the end. Cursors are opaque. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** A directory prefix in a listing with depth 1: everything deeper rolled into one item. */
export interface PrefixInfo {
  readonly prefix: Buffer;
}

export interface ListMemories {
  /** Ends with `/`; default `/`. */
  readonly prefix?: Buffer;
  /** 0: the whole subtree; 1: direct children, deeper ones as prefixes. */
  readonly depth?: 0 | 1;
  /** 1 to 100. */
  readonly limit: number;
  readonly cursor?: string;
}

export interface ListVersions {
  readonly memoryId?: string;
  /** The memory now at the path, then former memories there. */
  readonly path?: Buffer;
  /** Ends with `/`: versions of what was below this directory then, and of what moved away from there. */
  readonly pathPrefix?: Buffer;
  readonly operation?: Operation;
  readonly sessionId?: string;
  readonly agent?: string;
  readonly apiKeyId?: string;
  readonly createdFrom?: Micros;
  readonly createdTo?: Micros;
  readonly limit: number;
  readonly cursor?: string;
}

/** A version that a session read: opened, through a mount. */
export interface ReadInfo {
  readonly sessionId: string;
  readonly agent: string;
  /** Sequence number and time of the journal entry: the read was at most a second or so before. */
  readonly seq: number;
  readonly at: Micros;
  readonly version: VersionInfo;
}

export interface ListReads {
  readonly versionId?: string | undefined;
  readonly memoryId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Id of a version: what was read before that was made, by its author unless a session is given. */
  readonly before?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** A version as a person names it. */
export type VersionSpec =
  | { readonly id: string }
  /** From 1; 0 is the head, and negative ones count back from it: −1 is the one before it. */
  | { readonly n: number }
  /** The version that was the head at that time. */
  | { readonly at: Micros }
  /** The version that was the head after that journal entry. */
  | { readonly seq: number };

/** Two changes that do not go together, until somebody decides. */
export interface ConflictInfo {
  /** The memory that both changed, and its path: its last one if it is deleted. */
  readonly memoryId: string;
  readonly path: Buffer;
  /** Its head; null when it is deleted. */
  readonly headId: string | null;
  /** Its head when the conflict arose. */
  readonly headThenId: string;
  /** The version the other text was made from; null when that was none. */
  readonly baseId: string | null;
  /** The memory beside that holds the other text. */
  readonly besideId: string;
  readonly besidePath: Buffer;
  readonly besideHeadId: string;
  /** Who wrote the other text; null when no session did. */
  readonly sessionId: string | null;
  /** Time of the last conflict of the two. */
  readonly at: Micros;
}

/** Result of walking the journal's hash chain and the content behind it. */
export interface AuditReport {
  readonly ok: boolean;
  readonly entries: number;
  readonly erased: number;
  /** Hash of the newest entry, hex; what to keep elsewhere. */
  readonly head: string;
  /** The first break, in words; null when ok. */
  readonly problem: string | null;
}

/** What going back does, or would do, to one thing. */
export interface Reverted {
  readonly kind: "memory" | "directory" | "symlink";
  /** `restored`: it is there again; `attributes`: only mode, times or further names changed; `none`: it is so already. */
  readonly action: "modified" | "moved" | "restored" | "deleted" | "attributes" | "none";
  /** Null for what is no memory. */
  readonly memoryId: string | null;
  /** Where it is afterwards; where it was, when it is deleted. */
  readonly path: Buffer;
  /** Where it was before, if that was elsewhere. */
  readonly from: Buffer | null;
  /** The version that it is as again; null when there is none. */
  readonly to: VersionInfo | null;
  /** The new version; null in a preview, and when none was made. */
  readonly version: VersionInfo | null;
}

/** What going back leaves as it is, and why. */
export interface Kept {
  readonly kind: Reverted["kind"];
  readonly memoryId: string | null;
  readonly path: Buffer;
  /** In words. */
  readonly reason: string;
}

/** What going back did, or would do. */
export interface Reversed {
  /** Of the journal entry that tells of it; null in a preview, and when there was nothing to do. */
  readonly seq: number | null;
  readonly changes: readonly Reverted[];
  readonly kept: readonly Kept[];
}

/** What a rollback of one memory did or would do. */
export interface RollbackResult extends Reverted {
  /** As in {@link Reversed}. */
  readonly seq: number | null;
  readonly memoryId: string;
  readonly to: VersionInfo;
}

/** Counts shown by `store show` and statfs. */
export interface StoreUsage {
  readonly memories: number;
  readonly versions: number;
  readonly liveBytes: number;
  readonly historyBytes: number;
  readonly headSeq: number;
}
