/** What new content was made from. */

import type { Uid } from "../../id.ts";
import type { Hash } from "../content/hash.ts";
import type { MemoryRecord } from "../records/memory-record.ts";

/** Stored content that other content was made from. */
export interface Base {
  /** The version it is of; null for content that no version has. */
  readonly version: Uid | null;
  readonly hash: Hash;
  readonly size: number;
}

/** What a commit is made from: `"head"` for whatever that is then, null for nothing. */
export type MadeFrom = Base | "head" | null;

/** The version of each memory that somebody last read or wrote. */
export interface KnownVersions {
  of(memory: MemoryRecord): MadeFrom | undefined;
}

/** What a whole rewrite of a memory is made from: what its writer last saw of it, else its head. */
export function baseOf(known: KnownVersions | undefined, memory: MemoryRecord): MadeFrom {
  return known?.of(memory) ?? "head";
}

/** True when nobody else has changed the memory since. */
export function isCurrent({ hash }: MemoryRecord, base: MadeFrom): base is Base | "head" {
  return hash === null || base === "head" || base?.hash === hash;
}
