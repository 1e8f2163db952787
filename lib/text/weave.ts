/**
 * Every line that a text ever had, in one sequence, each with whether _they_ or others added it and removed it. From this
 * follows what the text would be without their changes: their lines go, the lines that they removed come back in place,
 * and all lines of others stay. Where others have built on a change of theirs, it is left as it is and listed.
 */

import type { Hunk } from "./diff.ts";

/** Changes that hang together: one hunk of theirs, joined with those whose lines it replaced. */
class Change {
  #joined: Change | null = null;
  /** It took lines of others away. */
  #replaces = false;
  /** Others took a line of it away. */
  #rebuilt = false;

  get root(): Change {
    return this.#joined === null ? this : this.#joined.root;
  }

  /** The younger one joins the older one: what was joined before stays one step from its root. */
  join(older: Change): void {
    const [joined, root] = [this.root, older.root];
    if (root === joined) return;
    joined.#joined = root;
    root.#replaces ||= joined.#replaces;
    root.#rebuilt ||= joined.#rebuilt;
  }

  replaces(): void {
    this.root.#replaces = true;
  }

  rebuilt(): void {
    this.root.#rebuilt = true;
  }

  /** What it replaced cannot come back: something else is there. */
  get isBlocked(): boolean {
    const { root } = this;
    return root.#replaces && root.#rebuilt;
  }
}

interface Line {
  readonly text: string;
  /** Count of the step that added it. */
  readonly added: number;
  /** Their change that added it; null for a line of others. */
  readonly addedBy: Change | null;
  /** Count of the step that removed it; 0 while it is there. */
  removed: number;
  /** Their change that removed it. */
  removedBy: Change | null;
  next: Line | null;
}

/** A line that could not be undone. */
export interface KeptLine {
  /** `rewritten`: others changed what they wrote; `restored`: others put back what they removed. */
  readonly reason: "rewritten" | "restored";
  readonly text: string;
}

export interface Unwoven {
  readonly lines: readonly string[];
  readonly kept: readonly KeptLine[];
  /** The last line is that of the present text. */
  readonly endsAlike: boolean;
}

export class Weave {
  /** Stands before all lines. */
  readonly #start: Line = { text: "", added: 0, addedBy: null, removed: 0, removedBy: null, next: null };
  #present: Line[] = [];
  readonly #kept: KeptLine[] = [];
  #steps = 0;

  /** @param lines of others, to begin with */
  constructor(lines: readonly string[]) {
    this.#insert(this.#start, lines, null);
    for (let line = this.#start.next; line !== null; line = line.next) this.#present.push(line);
  }

  /**
   * The next text, as what differs from the one before.
   * @param theirs whether they made it
   * @param force whether what others built on lines of theirs counts as theirs
   */
  step(lines: readonly string[], hunks: readonly Hunk[], { theirs, force }: { theirs: boolean; force: boolean }): void {
    this.#steps += 1;
    const present: Line[] = [];
    let at = 0;
    for (const hunk of hunks) {
      for (; at < hunk.from; at++) present.push(this.#at(at));
      const removed = this.#present.slice(hunk.from, hunk.to);
      const builtOn = removed.some(({ addedBy }) => addedBy !== null);
      const change = theirs || (force && builtOn) ? new Change() : null;
      const added = lines.slice(hunk.newFrom, hunk.newTo);
      for (const line of removed) this.#remove(line, change, added);
      // Behind what went from there before, so that what comes back stands before it.
      const last = removed.at(-1) ?? this.#lastBefore(hunk.from);
      present.push(...this.#insert(last, added, change));
      at = hunk.to;
    }
    for (; at < this.#present.length; at++) present.push(this.#at(at));
    this.#present = present;
  }

  #at(index: number): Line {
    return this.#present[index] ?? this.#start;
  }

  /** The line, present or not, that stands before a place in the present text. */
  #lastBefore(index: number): Line {
    const next = this.#present[index] ?? null;
    let last = index === 0 ? this.#start : this.#at(index - 1);
    while (last.next !== null && last.next !== next) last = last.next;
    return last;
  }

  #remove(line: Line, change: Change | null, added: readonly string[]): void {
    line.removed = this.#steps;
    line.removedBy = change;
    if (change === null) {
      line.addedBy?.rebuilt();
      if (line.addedBy !== null && added.length > 0) this.#kept.push({ reason: "rewritten", text: added[0] ?? "" });
    } else if (line.addedBy === null) change.replaces();
    else change.join(line.addedBy);
  }

  #insert(after: Line, lines: readonly string[], addedBy: Change | null): Line[] {
    const inserted: Line[] = [];
    let last = after;
    for (const text of lines) {
      last.next = { text, added: this.#steps, addedBy, removed: 0, removedBy: null, next: last.next };
      last = last.next;
      inserted.push(last);
    }
    return inserted;
  }

  /** The text without their changes. */
  unweave(): Unwoven {
    const lines: string[] = [];
    const kept = [...this.#kept];
    let end: Line | null = null;
    const taken = new Set<Line>();
    for (const gap of this.#gaps()) {
      for (const line of gap) {
        const shown = this.#isShown(line, { gap, taken, kept });
        if (!shown) continue;
        lines.push(line.text);
        end = line;
      }
    }
    const last = this.#present.at(-1) ?? null;
    return { lines, kept: distinct(kept), endsAlike: end === last };
  }

  /** Lines between two that others wrote before all changes here and that are still there. */
  *#gaps(): Generator<Line[]> {
    let gap: Line[] = [];
    for (let line = this.#start.next; line !== null; line = line.next) {
      gap.push(line);
      if (line.added > 0 || line.removed > 0) continue;
      yield gap;
      gap = [];
    }
    if (gap.length > 0) yield gap;
  }

  #isShown(line: Line, { gap, taken, kept }: { gap: readonly Line[]; taken: Set<Line>; kept: KeptLine[] }): boolean {
    if (line.addedBy !== null) {
      // Theirs: it stays only where others rewrote a part of the same change.
      if (line.removed > 0 || !line.addedBy.isBlocked) return false;
      kept.push({ reason: "rewritten", text: line.text });
      return true;
    }
    if (line.removed === 0) return true;
    if (line.removedBy === null) return false;
    if (line.removedBy.isBlocked) return false;
    const again = gap.find(
      (other) =>
        other.addedBy === null &&
        other.removed === 0 &&
        other.added > line.removed &&
        other.text === line.text &&
        !taken.has(other),
    );
    if (again === undefined) return true;
    taken.add(again);
    kept.push({ reason: "restored", text: line.text });
    return false;
  }
}

function distinct(kept: readonly KeptLine[]): KeptLine[] {
  const found = new Map(kept.map((line) => [`${line.reason} ${line.text}`, line]));
  return [...found.values()];
}
