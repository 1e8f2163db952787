/** Versions: what a journal entry that makes one says, in the words of history. */

import type { Uid } from "../../id.ts";
import type { Hash } from "../content/hash.ts";
import type { JournalEntry, Made } from "../journal.ts";
import type { Actor, Micros, Operation } from "../types.ts";

/** An immutable version. Redaction erases what can be erased: then `path`, `hash` and `made` are gone. */
export interface VersionRecord {
  readonly version: Uid;
  readonly memory: Uid;
  readonly n: number;
  readonly seq: number;
  /** Seq of the memory's version before it; 0 for the first. */
  readonly previous: number;
  readonly operation: Operation;
  readonly createdAt: Micros;
  readonly actor: Actor;
  /** Bytes; null when erased. */
  readonly path: string | null;
  /** The path before, bytes, of a version that was made by moving the memory; else null. */
  readonly movedFrom: string | null;
  /** Null for a deletion, and when erased. */
  readonly hash: Hash | null;
  readonly size: number;
  readonly made: Made;
  /** Number of the version before it, if lists show this one in its place. */
  readonly folded: number | null;
  readonly erased: boolean;
}

const ERASED: Made = Object.freeze({
  sizeBefore: null,
  mode: 0,
  mtime: Object.freeze({ sec: 0, nsec: 0 }),
  evidence: null,
  parents: Object.freeze([]),
  note: null,
  handle: 0,
});

/** The version that a journal entry makes; undefined when it makes none. */
export function versionOf(entry: JournalEntry): VersionRecord | undefined {
  const { version, memory, erasable } = entry;
  if (version === null || memory === null) return undefined;
  return {
    version: version.id,
    memory,
    n: version.n,
    seq: entry.seq,
    previous: version.previous,
    operation: operationOf(entry),
    createdAt: entry.at,
    actor: entry.actor,
    path: erasable?.path ?? null,
    movedFrom: movedFrom(entry),
    hash: erasable?.hash ?? null,
    size: erasable?.size ?? 0,
    made: erasable?.made ?? ERASED,
    folded: foldedBy(entry),
    erased: erasable === null,
  };
}

function movedFrom({ kind, erasable }: JournalEntry): string | null {
  const from = kind === "memory.renamed" ? erasable?.detail?.["from"] : null;
  return typeof from === "string" ? from : null;
}

function operationOf({ kind, erasable }: JournalEntry): Operation {
  if (kind === "memory.created" || erasable?.detail?.["created"] === true) return "created";
  return kind === "memory.deleted" ? "deleted" : "modified";
}

function foldedBy({ erasable }: JournalEntry): number | null {
  const folded = erasable?.detail?.["folded"];
  return typeof folded === "number" ? folded : null;
}

/** Detail of the journal entry that makes the version in the place of another. */
export function foldDetail(n: number, operation: Operation): Readonly<Record<string, unknown>> {
  return operation === "created" ? { folded: n, created: true } : { folded: n };
}
