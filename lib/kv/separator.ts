/** Takes the larger values out of changes on their way to LevelDB, which would write each several times, into value files. */
import type { Place, Separation } from "./kv.ts";
import type { AppliedChange } from "./overlay.ts";

export interface SeparatorOptions {
  /** Undefined: everything of the space stays in LevelDB. */
  readonly separationOf: (space: number) => Separation | undefined;
  /** True when LevelDB has a value under the key. */
  readonly has: (space: number, key: Buffer) => boolean;
  /** Appends to the value files. Nothing tells of it on start: the redo log has the values until a checkpoint. */
  readonly append: (space: number, values: readonly Buffer[]) => Promise<Place[]>;
}

/** What an attempt has done with a change: the value is there, or LevelDB has had it before. */
type Outcome = Place | "known";

export class Separator {
  readonly #options: SeparatorOptions;
  /** By the number of the change among those of this overlay: an attempt that is made again appends nothing twice. */
  readonly #outcomes = new Map<number, Outcome>();
  #count = 0;
  /**
   * What LevelDB has is behind a checkpoint. On start it is not: power loss may have left references to what never reached
   * the disk, and the log tells of those changes again.
   */
  #trusted = false;

  constructor(options: SeparatorOptions) {
    this.#options = options;
  }

  /** The changes come again from the first one, in the same order. */
  restart(): void {
    this.#count = 0;
  }

  /** LevelDB has the changes, and a checkpoint; others follow. */
  finish(): void {
    this.#outcomes.clear();
    this.#trusted = true;
    this.restart();
  }

  /**
   * The changes to give to LevelDB: with references in the place of values that were appended, without those whose value it has.
   * @throws MemfsError `no_space`, `io`
   */
  async separate(changes: readonly AppliedChange[]): Promise<AppliedChange[]> {
    const left: AppliedChange[] = [];
    for (let index = 0; index < changes.length;) {
      const space = changes[index]?.space ?? 0;
      let end = index + 1;
      while (changes[end]?.space === space) end++;
      const run = changes.slice(index, end);
      const separation = this.#options.separationOf(space);
      if (separation !== undefined) await this.#decide(space, separation, run);
      for (const change of run) this.#carry(change, separation, left);
      index = end;
    }
    return left;
  }

  /** Of changes of one space, the next ones. */
  async #decide(space: number, separation: Separation, changes: readonly AppliedChange[]): Promise<void> {
    const numbers: number[] = [];
    const values: Buffer[] = [];
    for (const [index, { key, value }] of changes.entries()) {
      const number = this.#count + index;
      if (value === null || this.#outcomes.has(number)) continue;
      const separate = separation.separate(key, value);
      if (separate === null) continue;
      if (this.#trusted && this.#options.has(space, key)) {
        this.#outcomes.set(number, "known");
        continue;
      }
      numbers.push(number);
      values.push(separate);
    }
    const places = values.length === 0 ? [] : await this.#options.append(space, values);
    for (const [index, place] of places.entries()) this.#outcomes.set(numbers[index] ?? 0, place);
  }

  #carry(change: AppliedChange, separation: Separation | undefined, left: AppliedChange[]): void {
    const outcome = this.#outcomes.get(this.#count++);
    if (outcome === "known") return;
    if (outcome === undefined || separation === undefined) left.push(change);
    else left.push({ space: change.space, key: change.key, value: separation.reference(outcome) });
  }
}
