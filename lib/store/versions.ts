/** Reading history: versions by id, number or time, and the memories behind a path. */

import { MemfsError } from "../errors.ts";
import { formatId, parseId, type Uid } from "../id.ts";
import { hex } from "./hash.ts";
import { rangeOf, readU32, versionIdKey } from "./keys.ts";
import { decodePlace, decodeVersion, type VersionRecord } from "./version-record.ts";
import type { MemoryRecord } from "./memory-record.ts";
import { toBytes } from "./names.ts";
import type { StoreState } from "./state.ts";
import { nodeAt } from "./tree.ts";
import type { VersionInfo, VersionSpec } from "./types.ts";

/** The version with this id. @throws MemfsError `not_found` */
export function versionById(state: StoreState, id: string): VersionRecord {
  const uid = parseId("memver", id);
  const place = state.get(versionIdKey(uid));
  const found = place === undefined ? undefined : decodePlace(place);
  const version = found === undefined ? undefined : state.version(found.memory, found.n);
  if (version === undefined) throw new MemfsError("not_found", `no version ${id} in this store`);
  return version;
}

/** As callers see it. */
export function versionInfo(version: VersionRecord): VersionInfo {
  const gone = version.operation === "deleted" || version.redactedAt > 0;
  return {
    id: formatId("memver", version.version),
    memoryId: formatId("mem", version.memory),
    n: version.n,
    seq: version.seq,
    operation: version.operation,
    createdAt: version.createdAt,
    path: version.path === null ? null : toBytes(version.path),
    sha256: gone || version.hash === null ? null : hex(version.hash),
    size: gone ? null : version.size,
    sizeBefore: version.sizeBefore,
    mode: version.mode,
    mtime: version.mtime.sec * 1e6 + Math.floor(version.mtime.nsec / 1000),
    actor: version.actor,
    evidence: version.evidence,
    parents: version.parents.map((parent) => formatId("memver", parent)),
    note: version.note,
    redactedAt: version.redactedAt > 0 ? version.redactedAt : null,
    redactedBy: version.redactedBy,
  };
}

/** A version of one memory as a person names it. @throws MemfsError `not_found` */
export async function resolveVersion(state: StoreState, memory: Uid, spec: VersionSpec): Promise<VersionRecord> {
  const head = state.memory(memory)?.headN ?? 0;
  if ("id" in spec) {
    const version = versionById(state, spec.id);
    if (version.memory !== memory) throw new MemfsError("not_found", `${spec.id} is a version of another memory`);
    return version;
  }
  if ("at" in spec) return headAt(state, memory, spec.at);
  const n = spec.n > 0 ? spec.n : head + spec.n;
  const version = n > 0 ? state.version(memory, n) : undefined;
  if (version === undefined)
    throw new MemfsError("not_found", `there is no version ${spec.n}; the memory has versions 1 to ${head}`);
  return version;
}

/** The newest version of a memory up to a seq, or null. Versions are numbered in the order of their seqs. */
export function versionAtSeq(state: StoreState, { memory, headN }: MemoryRecord, seq: number): VersionRecord | null {
  let found: VersionRecord | null = null;
  let low = 1;
  let high = headN;
  while (low <= high) {
    // The head first: mostly it is what is asked for.
    const n = high === headN && found === null ? high : (low + high) >>> 1;
    const version = state.version(memory, n);
    if (version !== undefined && version.seq > seq) {
      high = n - 1;
      continue;
    }
    if (version !== undefined) found = version;
    low = n + 1;
  }
  return found;
}

/** Where n stands in a version's key: after the kind and the memory. */
const N_AT = 17;

async function headAt(state: StoreState, memory: Uid, at: number): Promise<VersionRecord> {
  for await (const page of state.space.scan({ ...rangeOf("v", memory), reverse: true })) {
    for (const { key, value } of page) {
      const version = decodeVersion(memory, readU32(key, N_AT), value);
      if (version.createdAt <= at) return version;
    }
  }
  throw new MemfsError("not_found", "the memory did not exist at that time");
}

/** The memories that are or were at a path: the present one, then the last before it, and so on. */
export async function memoriesAt(state: StoreState, path: string): Promise<Uid[]> {
  const found = new Set<Uid>();
  const present = nodeAt(state, path)?.memory ?? null;
  if (present !== null) found.add(present);
  const tag = state.tagOfName(path);
  for await (const page of state.space.scan({ ...rangeOf("p", tag), reverse: true })) {
    for (const { key } of page) {
      const memory = key.slice(-16);
      if (state.memory(memory)?.state !== "folded") found.add(memory);
    }
  }
  return [...found];
}
