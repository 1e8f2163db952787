/** Walks the journal's hash chain, and the content its versions speak of, and names the first break. */

import { MemfsError } from "../../errors.ts";
import { getContent } from "../content/content.ts";
import { hex, sha256, ZERO_HASH } from "../content/hash.ts";
import { decodeJournalEntry, type JournalEntry } from "../journal.ts";
import { rangeOf } from "../records/keys.ts";
import type { StoreState } from "../state.ts";
import type { AuditReport } from "../types.ts";

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
      const problem = this.#checkContent(entry);
      if (problem !== null) return `entry ${seq}: ${problem}`;
      this.entries = seq;
      this.last = entry.hash;
      return null;
    } catch (error) {
      if (error instanceof MemfsError) return `entry ${seq}: ${error.message}`;
      throw error;
    }
  }

  /** The content that the entry's version has must be there, and be what it was. */
  #checkContent({ version, erasable }: JournalEntry): string | null {
    const hash = erasable?.hash;
    if (version === null || hash === undefined) return null;
    return sha256(getContent(this.#state, hash)) === hash ? null : "its content is damaged";
  }

  report(problem: string | null): AuditReport {
    return { ok: problem === null, entries: this.entries, erased: this.#erased, head: hex(this.last), problem };
  }
}
