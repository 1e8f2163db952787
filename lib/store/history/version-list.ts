/** Lists of versions, newest first, with filters and cursors. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { MemfsError } from "../../errors.ts";
import { parseId, type Uid } from "../../id.ts";
import type { Range } from "../../kv/kv.ts";
import { actorKey, rangeOf, readU32, readU48, RUN_LENGTH, type Tag, versionKey } from "../records/keys.ts";
import type { VersionRecord } from "../records/version-record.ts";
import { fromBytes } from "../tree/names.ts";
import type { StoreState } from "../state.ts";
import type { ListVersions, Micros, Page, VersionInfo } from "../types.ts";
import { memoriesAt, SEQ_AT, seqUpTo, versionInfo } from "../versions.ts";

/** Lengths of parts of keys: kind, id, tag. */
const KIND = 1;
const UID = 16;
const TAG = 16;
/** Journal entries looked at (~10 µs each) before other work gets its turn. */
const SEQS_PER_TURN = 100;

/**
 * Newest first; with a path the memory that is there, then the ones that were. Versions folded into others are left out.
 * @throws MemfsError `not_found` for an id that is none, `invalid_argument` for a cursor that is none
 */
export async function listVersions(state: StoreState, options: ListVersions): Promise<Page<VersionInfo>> {
  const items: VersionRecord[] = [];
  const prefix = options.pathPrefix === undefined ? null : fromBytes(options.pathPrefix);
  const byMemory = options.memoryId !== undefined || options.path !== undefined;
  for await (const version of byMemory ? versionsOfMemories(state, options) : versionsInOrder(state, options)) {
    // What follows in the order of the journal is older still.
    if (options.createdFrom !== undefined && version.createdAt < options.createdFrom && !byMemory) break;
    if (!matches(version, options) || (prefix !== null && !isBelow(version, prefix))) continue;
    const last = items.at(-1);
    if (items.length === options.limit && last !== undefined) {
      return { items: items.map(versionInfo), next: byMemory ? placeCursor(last) : seqCursor(last.seq) };
    }
    items.push(version);
  }
  return { items: items.map(versionInfo), next: null };
}

function matches(version: VersionRecord, options: ListVersions): boolean {
  const { actor, createdAt } = version;
  if (options.operation !== undefined && version.operation !== options.operation) return false;
  if (options.createdFrom !== undefined && createdAt < options.createdFrom) return false;
  if (options.createdTo !== undefined && createdAt > options.createdTo) return false;
  if (options.sessionId !== undefined && (actor.type !== "session" || actor.sessionId !== options.sessionId))
    return false;
  if (options.agent !== undefined && (actor.type !== "session" || actor.agent !== options.agent)) return false;
  return options.apiKeyId === undefined || (actor.type === "api" && actor.apiKeyId === options.apiKeyId);
}

function isBelow({ path, movedFrom }: VersionRecord, prefix: string): boolean {
  return path?.startsWith(prefix) === true || movedFrom?.startsWith(prefix) === true;
}

async function* versionsOfMemories(state: StoreState, options: ListVersions): AsyncGenerator<VersionRecord> {
  const all = await memoriesOf(state, options);
  const start = options.cursor === undefined ? null : readPlaceCursor(options.cursor);
  const from = start === null ? 0 : all.indexOf(start.memory);
  if (from < 0) throw new MemfsError("invalid_argument", "the page cursor does not belong to this list");
  for (const memory of all.slice(from)) {
    const range = rangeOf("v", memory);
    const lt = start?.memory === memory ? versionKey(memory, start.n) : range.lt;
    yield* versionsSince(state, { gte: range.gte, lt, reverse: true }, options.createdFrom ?? 0);
  }
}

/** The versions that a range of keys names, up to the first one before a time. */
async function* versionsSince(state: StoreState, range: Range, from: Micros): AsyncGenerator<VersionRecord> {
  for await (const page of state.space.scan(range)) {
    for (const { key } of page) {
      const version = state.versionAt(readU48(key, SEQ_AT));
      if (version !== undefined && version.createdAt < from) return;
      if (version !== undefined) yield version;
    }
  }
}

async function memoriesOf(state: StoreState, options: ListVersions): Promise<Uid[]> {
  const at = options.path === undefined ? null : await memoriesAt(state, fromBytes(options.path));
  if (options.memoryId === undefined) return at ?? [];
  const memory = parseId("mem", options.memoryId);
  return at === null || at.includes(memory) ? [memory] : [];
}

/** All versions of the store, or those of a session or agent, by descending seq. */
async function* versionsInOrder(state: StoreState, options: ListVersions): AsyncGenerator<VersionRecord> {
  const start = options.cursor === undefined ? state.counters.seq + 1 : readSeqCursor(options.cursor);
  const end = options.createdTo === undefined ? start : Math.min(start, (seqUpTo(state, options.createdTo) ?? 0) + 1);
  const tag = actorTagOf(state, options);
  const seqs = tag === null ? down(end, 1) : seqsOfActor(state, tag, end);
  let looked = 0;
  for await (const seq of seqs) {
    if (++looked % SEQS_PER_TURN === 0) await nextTurn();
    const version = state.versionAt(seq);
    if (version !== undefined && state.isListed(version)) yield version;
  }
}

function actorTagOf(state: StoreState, { sessionId, agent }: ListVersions): Tag | null {
  if (sessionId !== undefined) return state.tagOfActor("session", sessionId);
  return agent === undefined ? null : state.tagOfActor("agent", agent);
}

function* down(end: number, start: number): Generator<number> {
  for (let seq = end - 1; seq >= start; seq--) yield seq;
}

/** The index names where runs start; a run ends before an entry of somebody else or the next multiple of RUN_LENGTH. */
export async function* seqsOfActor(state: StoreState, tag: Tag, before: number): AsyncGenerator<number> {
  const range = rangeOf("a", tag);
  let end = before;
  for await (const page of state.space.scan({ gte: range.gte, lt: actorKey(tag, before), reverse: true })) {
    for (const { key } of page) {
      const start = readU48(key, KIND + TAG);
      const limit = Math.min(end, start - (start % RUN_LENGTH) + RUN_LENGTH);
      yield* down(endOfRun(state, start, limit), start);
      // Two mounts of one session, or a restart, start runs of the same actor next to each other.
      end = start;
    }
  }
}

function endOfRun(state: StoreState, start: number, limit: number): number {
  const first = state.journalEntry(start);
  for (let seq = start + 1; seq < limit; seq++) {
    const entry = state.journalEntry(seq);
    if (first === undefined || entry === undefined || !isDeepStrictEqual(entry.actor, first.actor)) return seq;
  }
  return limit;
}

function placeCursor(version: VersionRecord): string {
  return Buffer.from(versionKey(version.memory, version.n), "latin1").toString("base64url");
}

function readPlaceCursor(cursor: string): { memory: Uid; n: number } {
  const key = Buffer.from(cursor, "base64url").toString("latin1");
  if (key.length !== KIND + UID + 4) throw new MemfsError("invalid_argument", "the page cursor is not valid");
  return { memory: key.slice(KIND, KIND + UID), n: readU32(key, KIND + UID) };
}

function seqCursor(seq: number): string {
  return Buffer.from(`s${seq}`).toString("base64url");
}

function readSeqCursor(cursor: string): number {
  const match = /^s(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  if (match === null) throw new MemfsError("invalid_argument", "the page cursor is not valid");
  return Number(match[1]);
}
