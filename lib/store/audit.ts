/** Walks the journal's hash chain, and the content its versions speak of, and names the first break. */

import { isDeepStrictEqual } from "node:util";
import { MemfsError } from "../errors.ts";
import { formatId } from "../id.ts";
import { getContent } from "./content.ts";
import { hex, sha256, ZERO_HASH } from "./hash.ts";
import { decodeJournalEntry, type JournalEntry } from "./journal.ts";
import { rangeOf, versionIdKey } from "./keys.ts";
import { decodePlace, type VersionRecord } from "./version-record.ts";
import type { StoreState } from "./state.ts";
import type { AuditReport } from "./types.ts";

/** @param head hash (hex) of an entry the caller remembers: it must be in the chain */
export async function verifyJournal(state: StoreState, head?: string): Promise<AuditReport> {
  const walk = new ChainWalk(state);
  const until = state.counters.seq;
  const chainEnd = state.counters.journalHash;
  let seen = head === undefined;
  for await (const page of state.space.scan(rangeOf("j"))) {
    for (const { value } of page) {
      if (walk.entries === until) break;
      const problem = walk.step(value);
      if (problem !== null) return walk.report(problem);
      seen ||= hex(walk.last) === head;
    }
  }
  if (walk.entries !== until) return walk.report(`entry ${walk.entries + 1} is missing, of ${until}`);
  if (walk.last !== chainEnd) return walk.report(`entry ${until} is not the one that the journal ended with`);
  return walk.report(seen ? null : `no entry has the hash ${head}; the journal was replaced or cut`);
}

/** Author, time, place and content of a version are in its journal entry, too. */
function agrees(version: VersionRecord, entry: JournalEntry): boolean {
  if (version.version !== entry.version || version.memory !== entry.memory) return false;
  if (version.seq !== entry.seq || version.createdAt !== entry.at) return false;
  if (!isDeepStrictEqual(version.actor, entry.actor)) return false;
  if (entry.erasable === null || version.redactedAt > 0) return true;
  const { path, hash = null, size = 0 } = entry.erasable;
  return version.path === path && version.hash === hash && version.size === size;
}

class ChainWalk {
  readonly #state: StoreState;
  entries = 0;
  #erased = 0;
  last = ZERO_HASH;

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Null, or what is wrong with the next entry. */
  step(stored: Buffer): string | null {
    const seq = this.entries + 1;
    try {
      const entry = decodeJournalEntry(stored);
      if (entry.seq !== seq) return `entry ${seq} is missing`;
      if (entry.prev !== this.last) return `entry ${seq} does not follow from the one before it`;
      if (!entry.intact) return `entry ${seq} was altered`;
      if (entry.erasable === null) this.#erased += 1;
      const problem = this.#checkVersion(entry);
      if (problem !== null) return `entry ${seq}: ${problem}`;
      this.entries = seq;
      this.last = entry.hash;
      return null;
    } catch (error) {
      if (error instanceof MemfsError) return `entry ${seq}: ${error.message}`;
      throw error;
    }
  }

  #checkVersion(entry: JournalEntry): string | null {
    if (entry.version === null) return null;
    const id = formatId("memver", entry.version);
    const place = this.#state.get(versionIdKey(entry.version));
    const found = place === undefined ? undefined : decodePlace(place);
    const version = found === undefined ? undefined : this.#state.version(found.memory, found.n);
    if (version === undefined) return `version ${id} is missing`;
    if (!agrees(version, entry)) return `version ${id} is not what was journalled`;
    return this.#checkContent(version);
  }

  #checkContent(version: VersionRecord): string | null {
    if (version.redactedAt > 0 || version.hash === null) return null;
    const content = getContent(this.#state, version.hash);
    return sha256(content) === version.hash ? null : "its content is damaged";
  }

  report(problem: string | null): AuditReport {
    return { ok: problem === null, entries: this.entries, erased: this.#erased, head: hex(this.last), problem };
  }
}
