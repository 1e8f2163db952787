/** The store's nouns in the words of the API. */

import { isUtf8 } from "node:buffer";
import type * as api from "../../lib/api.ts";
import { wirePath } from "../../lib/path.ts";
import type { SessionInfo } from "../../lib/store/history/sessions.ts";
import type * as store from "../../lib/store/types.ts";
import { formatTime } from "../../lib/time.ts";
import type { DraftInfo } from "../../lib/vfs/drafts.ts";
import type { ListedMount, MountInfo } from "../mount-info.ts";

export function wireStore(info: store.StoreInfo): api.MemoryStore {
  return {
    type: "memory_store",
    id: info.id,
    name: info.name,
    description: info.description,
    metadata: info.metadata,
    created_at: formatTime(info.createdAt),
    updated_at: formatTime(info.updatedAt),
    archived_at: timeOrNull(info.archivedAt),
    slug: info.slug,
    encrypted: info.encrypted,
  };
}

export function wireUsage(usage: store.StoreUsage): api.Usage {
  return {
    memories: usage.memories,
    versions: usage.versions,
    live_bytes: usage.liveBytes,
    history_bytes: usage.historyBytes,
    head_seq: usage.headSeq,
  };
}

export function wirePolicy(policy: store.Policy): api.Policy {
  return {
    max_memory_bytes: policy.maxMemoryBytes,
    max_memories: policy.maxMemories,
    max_live_bytes: policy.maxLiveBytes,
    max_history_bytes: policy.maxHistoryBytes,
    on_conflict: policy.onConflict,
    keep_versions: policy.keepVersions,
    keep_days: policy.keepDays,
    scratch: policy.scratch,
    strict_names: policy.strictNames,
  };
}

/** Only what is set changes. */
export function policyChanges(body: Partial<api.Policy>): Partial<store.Policy> {
  const changes = {
    maxMemoryBytes: body.max_memory_bytes,
    maxMemories: body.max_memories,
    maxLiveBytes: body.max_live_bytes,
    maxHistoryBytes: body.max_history_bytes,
    onConflict: body.on_conflict,
    keepVersions: body.keep_versions,
    keepDays: body.keep_days,
    scratch: body.scratch,
    strictNames: body.strict_names,
  };
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

export function wireConflict(conflict: store.ConflictInfo): api.Conflict {
  const { path, exact } = wirePath(conflict.path);
  const beside = wirePath(conflict.besidePath);
  return {
    type: "conflict",
    memory_id: conflict.memoryId,
    path,
    path_exact: exact,
    memory_version_id: conflict.headId,
    conflicting_version_id: conflict.headThenId,
    base_version_id: conflict.baseId,
    beside: {
      memory_id: conflict.besideId,
      path: beside.path,
      path_exact: beside.exact,
      memory_version_id: conflict.besideHeadId,
      session_id: conflict.sessionId,
    },
    created_at: formatTime(conflict.at),
  };
}

export function wireDraft(mount: MountInfo, draft: DraftInfo): api.Draft {
  const { path, exact } = wirePath(draft.path);
  return {
    type: "draft",
    mount_id: mount.id,
    mountpoint: mount.mountpoint,
    agent: mount.agent,
    session_id: mount.sessionId,
    memory_store_id: draft.storeId,
    path,
    path_exact: exact,
    size_bytes: draft.size,
    modified_at: formatTime(draft.modifiedAt),
    open: draft.open,
    refused: draft.refused,
  };
}

/** `content` is null for a basic view. */
export function wireMemory(storeId: string, memory: store.MemoryInfo, content: Buffer | null): api.Memory {
  const { path, exact } = wirePath(memory.path);
  return {
    type: "memory",
    id: memory.id,
    memory_store_id: storeId,
    memory_version_id: memory.headId,
    path,
    path_exact: exact,
    ...wireContent(content),
    content_sha256: memory.sha256,
    content_size_bytes: memory.size,
    created_at: formatTime(memory.createdAt),
    updated_at: formatTime(memory.updatedAt),
  };
}

export function wirePrefix(prefix: Buffer): api.MemoryPrefix {
  // Its slash is no segment of its own.
  const { path, exact } = wirePath(prefix.subarray(0, -1));
  return { type: "memory_prefix", path: `${path}/`, path_exact: exact };
}

/** `content` is null for a basic view, and where there is none. */
export function wireVersion(storeId: string, version: store.VersionInfo, content: Buffer | null): api.MemoryVersion {
  const path = version.path === null ? null : wirePath(version.path);
  return {
    type: "memory_version",
    id: version.id,
    memory_id: version.memoryId,
    memory_store_id: storeId,
    operation: version.operation,
    created_at: formatTime(version.createdAt),
    path: path?.path ?? null,
    path_exact: path?.exact ?? true,
    ...wireContent(content),
    content_sha256: version.sha256,
    content_size_bytes: version.size,
    created_by: wireActor(version.actor),
    redacted_at: timeOrNull(version.redactedAt),
    redacted_by: version.redactedBy === null ? null : wireActor(version.redactedBy),
    n: version.n,
    seq: version.seq,
    agent: version.actor.type === "session" ? version.actor.agent : null,
    parents: version.parents,
    process: version.evidence,
    note: version.note,
    content_size_change_bytes: sizeChange(version),
  };
}

export function wireSession(storeId: string, session: SessionInfo, mounted: boolean): api.Session {
  return {
    type: "session",
    memory_store_id: storeId,
    session_id: session.sessionId,
    agent: session.agent,
    first_at: formatTime(session.firstAt),
    last_at: formatTime(session.lastAt),
    writes: session.writes,
    conflicts: session.conflicts,
    mounts: session.mounts,
    mounted,
  };
}

export function wireRead({ sessionId, agent, at, seq, version }: store.ReadInfo): api.MemoryRead {
  const path = version.path === null ? null : wirePath(version.path);
  return {
    type: "memory_read",
    session_id: sessionId,
    agent,
    created_at: formatTime(at),
    seq,
    memory_version_id: version.id,
    memory_id: version.memoryId,
    n: version.n,
    path: path?.path ?? null,
    path_exact: path?.exact ?? true,
  };
}

function sizeChange(version: store.VersionInfo): number | null {
  if (version.redactedAt !== null) return null;
  return (version.size ?? 0) - (version.sizeBefore ?? 0);
}

export function wireActor(actor: store.Actor): api.CreatedBy {
  switch (actor.type) {
    case "session":
      return { type: "session_actor", session_id: actor.sessionId };
    case "api":
      return { type: "api_actor", api_key_id: actor.apiKeyId };
    case "user":
      return { type: "user_actor", user_id: actor.userId };
  }
}

/** Bytes that are not UTF-8 would come back changed from a JSON string, so they travel as base64. */
function wireContent(content: Buffer | null): api.Content {
  if (content === null) return { content: null };
  if (isUtf8(content)) return { content: content.toString("utf8") };
  return { content: null, content_base64: content.toString("base64") };
}

/** `describe` tells what the catalogue knows of a store now; null when it is gone. */
export function wireMount(mount: ListedMount, describe: (id: string) => store.StoreInfo | null): api.Mount {
  return {
    type: "mount",
    id: mount.id,
    mountpoint: mount.mountpoint,
    agent: mount.agent,
    session_id: mount.sessionId,
    owner: mount.owner,
    posix_owner: mount.posixOwner,
    allow_other: mount.allowOther,
    suid: mount.suid,
    dev: mount.dev,
    persist: mount.persist,
    problem: mount.problem,
    driver: mount.driver,
    created_at: formatTime(mount.createdAt),
    stores: mount.stores.map(({ id, access, directory, at }) => {
      const { name, description } = describe(id) ?? { name: directory ?? id, description: "" };
      const moment = at === undefined ? null : { when: at.when, seq: at.seq, created_at: formatTime(at.time) };
      return { memory_store_id: id, name, description, access, directory, at: moment };
    }),
  };
}

function timeOrNull(micros: number | null): string | null {
  return micros === null ? null : formatTime(micros);
}
