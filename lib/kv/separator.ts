/** Takes the larger values out of changes on their way to LevelDB, which would write each several times, into value files. */
import type { Place, Separation } from "./kv.ts";
import type { Piece } from "./piece.ts";

export interface SeparatorOptions {
  /** Undefined: everything of the space stays in LevelDB. */
  readonly separationOf: (space: number) => Separation | undefined;
  /** True when LevelDB has a value under the key. */
  readonly has: (space: number, key: Buffer) => boolean;
  /** Appends to the value files. Nothing tells of it on start: the redo log has the values until a checkpoint. */
  readonly append: (space: number, values: readonly Buffer[]) => Promise<Place[]>;
}

const NOTHING = Buffer.alloc(0);

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
   * What was appended is replaced in the piece by a reference, and that whose value LevelDB has is dropped from it.
   * @throws MemfsError `no_space`, `io`
   */
  async separate(piece: Piece): Promise<void> {
    for (let start = 0, end = 0; start < piece.size; start = end) {
      const space = piece.spaceOf(start);
      for (end = start; end < piece.size && piece.spaceOf(end) === space; end++);
      const separation = this.#options.separationOf(space);
      if (separation === undefined) continue;
      await this.#append(separation, piece, { space, start, end });
      this.#carry(separation, piece, { start, end });
    }
    this.#count += piece.size;
  }

  /** Of the changes from `start` to before `end`, which are of one space. */
  async #append(
    separation: Separation,
    piece: Piece,
    { space, start, end }: { space: number; start: number; end: number },
  ): Promise<void> {
    const numbers: number[] = [];
    const values: Buffer[] = [];
    for (let change = start; change < end; change++) {
      const number = this.#count + change;
      if (piece.valueSizeOf(change) < separation.least || this.#outcomes.has(number)) continue;
      const key = piece.keyOf(change);
      const separate = separation.separate(key, piece.valueOf(change) ?? NOTHING);
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

  #carry(separation: Separation, piece: Piece, { start, end }: { start: number; end: number }): void {
    if (this.#outcomes.size === 0) return;
    for (let change = start; change < end; change++) {
      const outcome = this.#outcomes.get(this.#count + change);
      if (outcome === "known") piece.drop(change);
      else if (outcome !== undefined) piece.replace(change, separation.reference(outcome));
    }
  }
}
