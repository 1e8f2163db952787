/** Takes the larger values out of changes on their way to LevelDB, which would write each several times, into value files. */
import { keyBytesAt } from "./batch.ts";
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
    for (let start = 0, end = 0; start < changes.length; start = end) {
      const space = changes[start]?.space ?? 0;
      for (end = start; changes[end]?.space === space; end++);
      const separation = this.#options.separationOf(space);
      if (separation !== undefined) await this.#decide(separation, changes, { space, start, end });
    }
    return this.#carry(changes);
  }

  /** Of the changes from `start` to before `end`, which are of one space. */
  async #decide(
    separation: Separation,
    changes: readonly AppliedChange[],
    { space, start, end }: { space: number; start: number; end: number },
  ): Promise<void> {
    const numbers: number[] = [];
    const values: Buffer[] = [];
    for (let index = start; index < end; index++) {
      const { value, place } = changes[index] as AppliedChange;
      const number = this.#count + index;
      if (value === null || value.length < separation.least || this.#outcomes.has(number)) continue;
      const key = keyBytesAt(place.page, place.offset);
      const separate = separation.separate(key, value);
      if (separate === null) continue;
      if (this.#trusted && this.#options.has(space, key)) {
        this.#outcomes.set(number, "known");
        continue;
      }
      numbers.push(number);
      values.push(separate);
    }
    if (values.length === 0) return;
    const places = await this.#options.append(space, values);
    for (const [index, place] of places.entries()) this.#outcomes.set(numbers[index] ?? 0, place);
  }

  #carry(changes: readonly AppliedChange[]): AppliedChange[] {
    const left: AppliedChange[] = [];
    for (const change of changes) {
      const outcome = this.#outcomes.get(this.#count++);
      if (outcome === "known") continue;
      const separation = outcome === undefined ? undefined : this.#options.separationOf(change.space);
      if (outcome === undefined || separation === undefined) left.push(change);
      else left.push({ space: change.space, place: change.place, value: separation.reference(outcome) });
    }
    return left;
  }
}
