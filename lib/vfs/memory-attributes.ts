/**
 * What memfs shows of a memory as extended attributes, so that ordinary tools can ask (`getfattr -d f`): its id, and of
 * its head version the id, the digest and who made it.
 */

import { formatId } from "../id.ts";
import { EMPTY_HASH, hex } from "../store/content/hash.ts";
import type { MemoryRecord } from "../store/records/memory-record.ts";
import type { Store } from "../store/store.ts";
import type { Actor } from "../store/types.ts";
import type { VersionRecord } from "../store/records/version-record.ts";

/** Names below this prefix are memfs's own: none of them is ever stored. */
export const MEMFS_PREFIX = "user.memfs.";
/** The one that can be written. */
export const NOTE = "user.memfs.note";

/** Every memory has all of them, so that a list needs no look at its head version. */
export const SHOWN: readonly string[] = ["id", "version", "sha256", "agent", "session"].map(
  (name) => MEMFS_PREFIX + name,
);

/** The value as text; undefined for a name that is not {@link SHOWN}. @throws MemfsError `not_found`, `damaged` */
export function shownAttribute(store: Store, memory: MemoryRecord, name: string): string | undefined {
  switch (name.slice(MEMFS_PREFIX.length)) {
    case "id":
      return formatId("mem", memory.memory);
    case "version":
      return formatId("memver", memory.head);
    case "sha256":
      return hex(memory.hash ?? EMPTY_HASH);
    case "agent":
      return agentOf(headActor(store, memory));
    case "session":
      return sessionOf(headActor(store, memory));
    default:
      return undefined;
  }
}

/** As {@link shownAttribute}, of a version of the past; it has its note too, if it has one. */
export function versionAttribute(version: VersionRecord, name: string): string | undefined {
  switch (name.slice(MEMFS_PREFIX.length)) {
    case "id":
      return formatId("mem", version.memory);
    case "version":
      return formatId("memver", version.version);
    case "sha256":
      return hex(version.hash ?? EMPTY_HASH);
    case "agent":
      return agentOf(version.actor);
    case "session":
      return sessionOf(version.actor);
    case "note":
      return version.made.note ?? undefined;
    default:
      return undefined;
  }
}

function headActor(store: Store, memory: MemoryRecord): Actor {
  return store.history.version(formatId("memver", memory.head)).actor;
}

/** Empty for a version that no agent made. */
function agentOf(actor: Actor): string {
  return actor.type === "session" ? actor.agent : "";
}

function sessionOf(actor: Actor): string {
  return actor.type === "session" ? actor.sessionId : "";
}
