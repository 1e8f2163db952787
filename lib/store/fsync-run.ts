/**
 * Versions that one open file makes by fsync: programs that sync every write (O_SYNC, databases) mean one change, not
 * hundreds. Of those within a second lists show the last; the others stay in the journal.
 */

import type { Uid } from "../id.ts";
import type { MemoryRecord } from "./records/memory-record.ts";
import type { Transaction } from "./transaction.ts";
import type { Micros, Operation } from "./types.ts";

/** Microseconds from the first version of a run to the last. */
const RUN_MICROS = 1e6;

/** Where an open file's fsyncs have got to. */
export interface FsyncRun {
  /** The version that the last one made. */
  readonly version: Uid;
  /** When the first one of the run was. */
  readonly since: Micros;
  /** What that version follows, once it was asked; the same for all that take its place. */
  origin: Origin | null;
}

/** What a version follows. */
export interface Origin {
  readonly parents: readonly Uid[];
  readonly sizeBefore: number | null;
  /** `created` when it is the memory's first one, or takes its place. */
  readonly operation: Operation;
}

/** The run of an open file after an fsync that left its memory like this, and with no note. */
export function continueRun(run: FsyncRun | null, { head, updatedAt }: MemoryRecord): FsyncRun {
  if (run !== null && updatedAt - run.since < RUN_MICROS)
    return { version: head, since: run.since, origin: run.origin };
  return { version: head, since: updatedAt, origin: null };
}

/**
 * What the head of a memory follows, if the version that comes now takes its place: made by the same run and from its
 * bytes. A version with a note was meant to be seen. @throws MemfsError `damaged`
 */
export function originOfRun(
  tx: Transaction,
  memory: MemoryRecord,
  { run, parents }: { run: FsyncRun | null; parents: readonly Uid[] },
): Origin | null {
  if (run === null) return null;
  const follows = run.version === memory.head && parents.length === 1 && parents[0] === memory.head;
  run.origin = follows && tx.at - run.since < RUN_MICROS ? (run.origin ?? originOf(tx, memory.headSeq)) : null;
  return run.origin;
}

function originOf(tx: Transaction, seq: number): Origin | null {
  const version = tx.versionAt(seq);
  if (version === undefined || version.erased || version.made.note !== null) return null;
  const { parents, sizeBefore } = version.made;
  return { parents, sizeBefore, operation: version.operation };
}
