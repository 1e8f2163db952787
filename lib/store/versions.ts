/** Reading history: versions by id, number or time, and the memories behind a path. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { MemfsError } from "../errors.ts";
import { formatId, parseId, type Uid } from "../id.ts";
import { hex } from "./content/hash.ts";
import { rangeOf, readU32, readU48, versionKey } from "./records/keys.ts";
import type { MemoryRecord } from "./records/memory-record.ts";
import { timeOf } from "./version-ids.ts";
import { type VersionRecord, versionOf } from "./records/version-record.ts";
import { toBytes } from "./tree/names.ts";
import type { StoreState } from "./state.ts";
import { nodeAt } from "./tree/tree.ts";
import type { Micros, VersionInfo, VersionSpec } from "./types.ts";

/** Where number and seq stand in a version's key, after the kind and the memory. */
const N_AT = 17;
export const SEQ_AT = 21;
/** Of so few versions all are read to find one: that takes no longer than two steps of a bisection. */
const SCANNED_VERSIONS = 128;
/** Journal entries read (~10 µs each) before other work gets its turn. */
const VERSIONS_PER_TURN = 100;

/** The version with this id. @throws MemfsError `not_found` */
export function versionById(state: StoreState, id: string): VersionRecord {
  const version = versionOfId(state, parseId("memver", id));
  if (version === undefined) throw new MemfsError("not_found", `no version ${id} in this store`);
  return version;
}

/** Undefined when there is none. Ids of versions ascend with the journal (`version-ids.ts`); entries that make none have a time at least. */
export function versionOfId(state: StoreState, id: Uid): VersionRecord | undefined {
  const time = id.slice(0, timeOf(0).length);
  let low = 1;
  let high = state.counters.seq + 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    let seq = middle;
    let version: VersionRecord | undefined;
    let order = 0;
    // Entries of that millisecond without a version do not tell: the one before them does.
    for (; seq >= low && version === undefined && order === 0; seq--) {
      const entry = state.journalEntry(seq);
      if (entry === undefined) return undefined;
      version = versionOf(entry);
      order = compare(version?.version ?? timeOf(entry.at), version === undefined ? time : id);
    }
    if (version !== undefined && order === 0) return version;
    if (order > 0) high = seq + 1;
    else low = middle + 1;
  }
  return undefined;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Version n of a memory; undefined when there is none, or it was folded into another. */
export async function findVersion(state: StoreState, memory: Uid, n: number): Promise<VersionRecord | undefined> {
  const place = await placeFrom(state, memory, { from: n, to: n });
  return place === undefined ? undefined : state.versionAt(place.seq);
}

/** Number and seq of a memory's first listed version in a range of numbers. */
async function placeFrom(
  state: StoreState,
  memory: Uid,
  { from, to }: { from: number; to: number },
): Promise<{ n: number; seq: number } | undefined> {
  const range = { gte: versionKey(memory, from), lt: versionKey(memory, to + 1), limit: 1 };
  for await (const page of state.space.scan(range)) {
    for (const { key } of page) return { n: readU32(key, N_AT), seq: readU48(key, SEQ_AT) };
  }
  return undefined;
}

/** As callers see it. */
export function versionInfo(version: VersionRecord): VersionInfo {
  const { made, hash } = version;
  return {
    id: formatId("memver", version.version),
    memoryId: formatId("mem", version.memory),
    n: version.n,
    seq: version.seq,
    operation: version.operation,
    createdAt: version.createdAt,
    path: version.path === null ? null : toBytes(version.path),
    sha256: hash === null ? null : hex(hash),
    size: hash === null ? null : version.size,
    sizeBefore: made.sizeBefore,
    mode: made.mode,
    mtime: made.mtime.sec * 1e6 + Math.floor(made.mtime.nsec / 1000),
    actor: version.actor,
    evidence: made.evidence,
    parents: made.parents.map((parent) => formatId("memver", parent)),
    note: made.note,
    // Nothing redacts yet.
    redactedAt: null,
    redactedBy: null,
  };
}

/** A version of one memory as a person names it. @throws MemfsError `not_found` */
export async function resolveVersion(state: StoreState, memory: Uid, spec: VersionSpec): Promise<VersionRecord> {
  const record = state.memory(memory);
  if (record === undefined) throw new MemfsError("not_found", `no memory ${formatId("mem", memory)} in this store`);
  if ("id" in spec) {
    const version = versionById(state, spec.id);
    if (version.memory !== memory) throw new MemfsError("not_found", `${spec.id} is a version of another memory`);
    return version;
  }
  if ("n" in spec) return numberedVersion(state, record, spec.n);
  const seq = "seq" in spec ? spec.seq : (seqUpTo(state, spec.at) ?? 0);
  if (seq > state.counters.seq)
    throw new MemfsError("not_found", `there is no entry ${seq}; the newest is ${state.counters.seq}`);
  const version = await versionAtSeq(state, record, seq);
  if (version === null) throw new MemfsError("not_found", "the memory did not exist at that time");
  return version;
}

/** @param n from 1; 0 for the head, negative counted back from it */
async function numberedVersion(state: StoreState, { memory, headN }: MemoryRecord, n: number): Promise<VersionRecord> {
  const version = n > 0 ? await findVersion(state, memory, n) : await countBack(state, memory, -n);
  if (version !== undefined) return version;
  const why = n > 0 && n <= headN ? "it was folded into a later one" : `the memory has versions 1 to ${headN}`;
  throw new MemfsError("not_found", `there is no version ${n}; ${why}`);
}

/** The listed version so many before the newest. */
async function countBack(state: StoreState, memory: Uid, count: number): Promise<VersionRecord | undefined> {
  let left = count;
  for await (const page of state.space.scan({ ...rangeOf("v", memory), reverse: true, limit: count + 1 })) {
    const entry = page[left];
    if (entry !== undefined) return state.versionAt(readU48(entry.key, SEQ_AT));
    left -= page.length;
  }
  return undefined;
}

/** The newest journal entry up to a time, or null. All entries of a transaction have one time, and every later one a later time. */
export function seqUpTo(state: StoreState, at: Micros): number | null {
  let low = 1;
  let high = state.counters.seq;
  while (low <= high) {
    const seq = Math.floor((low + high) / 2);
    if ((state.journalEntry(seq)?.at ?? 0) <= at) low = seq + 1;
    else high = seq - 1;
  }
  return high < 1 ? null : high;
}

/** What is asked of a memory whose head is newer than what is looked for. */
type Newer = Pick<MemoryRecord, "memory" | "headN" | "headSeq">;

/** Seq of the memory's first listed version after a seq. */
async function scanAfter(state: StoreState, { memory, headSeq }: Newer, seq: number): Promise<number> {
  let later = headSeq;
  for await (const page of state.space.scan({ ...rangeOf("v", memory), reverse: true })) {
    for (const { key } of page) {
      const at = readU48(key, SEQ_AT);
      if (at <= seq) return later;
      later = at;
    }
  }
  return later;
}

/** The same, of many versions. */
async function bisectAfter(state: StoreState, { memory, headN, headSeq }: Newer, seq: number): Promise<number> {
  let later = headSeq;
  let low = 1;
  let high = headN;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const place = await placeFrom(state, memory, { from: middle, to: high });
    if (place !== undefined && place.seq <= seq) {
      low = place.n + 1;
    } else {
      later = place?.seq ?? later;
      high = middle - 1;
    }
  }
  return later;
}

/**
 * The newest version of a memory up to a seq, or null; also one that was folded into a later one: until that came it
 * was the head. Versions are numbered in the order of their seqs.
 */
export async function versionAtSeq(
  state: StoreState,
  { memory, headN, headSeq }: MemoryRecord,
  seq: number,
): Promise<VersionRecord | null> {
  // Mostly it is the head that is asked for.
  if (headSeq <= seq) return state.versionAt(headSeq) ?? null;
  let later = await (headN <= SCANNED_VERSIONS ? scanAfter : bisectAfter)(state, { memory, headN, headSeq }, seq);
  for (let walked = 1; later > seq; walked++) {
    if (walked % VERSIONS_PER_TURN === 0) await nextTurn();
    later = state.versionAt(later)?.previous ?? 0;
  }
  return state.versionAt(later) ?? null;
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
