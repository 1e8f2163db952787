/** Who wrote each line of a version: the version that brought it in. */

import { MemfsError } from "../../errors.ts";
import { formatId } from "../../id.ts";
import { MAX_TEXT_BYTES, type Step, stepsTo, textOf } from "./provenance.ts";
import type { StoreState } from "../state.ts";
import { Turns } from "../turns.ts";
import type { VersionRecord } from "../records/version-record.ts";

/** An answer with more lines would be larger than anybody reads, and than a string can be. */
const MAX_LINES = 100_000;

/** A line and the version that it came with. */
export interface BlamedLine {
  /** Its bytes as latin1, without the line feed. */
  readonly text: string;
  readonly version: VersionRecord;
}

/**
 * The lines of a version, in their order. A line keeps its author through renames and merges; one that was removed and
 * came back is that of the version it came back with. A memory whose first version was made from one of another memory,
 * as those of conflicts are, has its lines from there.
 * @throws MemfsError `not_found` when the version has no content, `invalid_data` when it is binary, `too_large`, `damaged`
 */
export async function blame(state: StoreState, version: VersionRecord): Promise<BlamedLine[]> {
  const lines = linesOf(state, version);
  const attribution = new Attribution(lines.length);
  const walk = { turns: new Turns(), across: true };
  for await (const step of stepsTo(state, version, walk)) {
    attribution.take(step);
    if (attribution.isDone) break;
  }
  return lines.map((text, line) => ({ text, version: attribution.of(line) ?? version }));
}

function linesOf(state: StoreState, version: VersionRecord): readonly string[] {
  const id = formatId("memver", version.version);
  if (version.hash === null) {
    const how = version.erased ? "redacted" : "a deletion";
    throw new MemfsError("not_found", `${id} has no content (it is ${how}); name another version`);
  }
  if (version.size > MAX_TEXT_BYTES)
    throw new MemfsError("too_large", `${id} has more than ${LIMIT}; look at: memfs log`);
  const text = textOf(state, version);
  if (text === null) throw new MemfsError("invalid_data", `${id} is binary and has no lines; look at: memfs log`);
  if (text.lines.length <= MAX_LINES) return text.lines;
  throw new MemfsError("too_large", `${id} has more than ${MAX_LINES} lines; look at: memfs log`);
}

const LIMIT = `${MAX_TEXT_BYTES / 2 ** 20} MiB`;

/** Nothing in the version asked for came from this line. */
const NOBODY = -1;

/** Follows the lines of a version back through its steps. */
class Attribution {
  readonly #authors: (VersionRecord | null)[];
  /** For each line of the text that was reached: the line it became in the version asked for, or {@link NOBODY}. */
  #became: Int32Array;
  #open: number;

  constructor(lines: number) {
    this.#authors = new Array<VersionRecord | null>(lines).fill(null);
    this.#became = Int32Array.from({ length: lines }, (_, line) => line);
    this.#open = lines;
  }

  /** True when every line has its version. */
  get isDone(): boolean {
    return this.#open === 0;
  }

  of(line: number): VersionRecord | null {
    return this.#authors[line] ?? null;
  }

  /** The next older step: what it added is its version's, the rest was there before. */
  take({ version, before, hunks }: Step): void {
    if (hunks.length === 0) return;
    const became = new Int32Array(before?.lines.length ?? 0).fill(NOBODY);
    let at = 0;
    let newAt = 0;
    for (const { from, to, newFrom, newTo } of hunks) {
      became.set(this.#became.subarray(newAt, newFrom), at);
      for (let line = newFrom; line < newTo; line++) this.#give(this.#became[line] ?? NOBODY, version);
      if (from - at !== newFrom - newAt) throw new RangeError("hunks do not fit the lines");
      at = to;
      newAt = newTo;
    }
    became.set(this.#became.subarray(newAt), at);
    this.#became = became;
  }

  #give(line: number, version: VersionRecord): void {
    if (line === NOBODY) return;
    this.#authors[line] = version;
    this.#open -= 1;
  }
}
