/**
 * Versions that one open file makes by fsync: programs that sync every write (O_SYNC, databases) mean one change, not
 * hundreds. Of those within a second lists show the last; the others stay in the journal.
 */

import type { Uid } from "../id.ts";
import type { MemoryRecord } from "./memory-record.ts";
import type { Transaction } from "./transaction.ts";
import type { Micros } from "./types.ts";
import type { VersionRecord } from "./version-record.ts";

/** Microseconds from the first version of a run to the last. */
const RUN_MICROS = 1e6;

/** Where an open file's fsyncs have got to. */
export interface FsyncRun {
  /** The version that the last one made. */
  readonly version: Uid;
  /** When the first one of the run was. */
  readonly since: Micros;
}

/** The run of an open file after an fsync that left its memory like this. */
export function continueRun(run: FsyncRun | null, { head, updatedAt }: MemoryRecord): FsyncRun {
  if (run !== null && updatedAt - run.since < RUN_MICROS) return { version: head, since: run.since };
  return { version: head, since: updatedAt };
}

/**
 * The head of a memory, if a version that follows it takes its place: made by the same run and from its bytes. A version
 * with a note was meant to be seen. @throws MemfsError `damaged`
 */
export function headOfRun(
  tx: Transaction,
  memory: MemoryRecord,
  { run, parents }: { run: FsyncRun | null; parents: readonly Uid[] },
): VersionRecord | null {
  if (run === null || run.version !== memory.head || tx.at - run.since >= RUN_MICROS) return null;
  if (parents.length !== 1 || parents[0] !== memory.head) return null;
  const head = tx.versionAt(memory.headSeq);
  return head === undefined || head.erased || head.made.note !== null ? null : head;
}
