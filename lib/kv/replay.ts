/** Turns the records of the redo log into an overlay again, on start. */
import { MemfsError } from "../errors.ts";
import type { Checkpoint, Withheld } from "./checkpoint.ts";
import { OWN_SPACE } from "./key.ts";
import type { Sealer } from "./kv.ts";
import { Overlay } from "./overlay.ts";
import type { RedoRecord } from "./redo-record.ts";
import { openRecord } from "./redo-record.ts";

export class Replay {
  /** What LevelDB does not have yet. */
  readonly overlay = new Overlay();
  /** Records that LevelDB needs and for which there is no sealer, by space. */
  readonly withheld = new Map<number, Withheld>();
  readonly sealers = new Map<number, Sealer | null>();
  readonly #checkpoint: Checkpoint;
  readonly #sealerOf: (space: number) => Sealer | null;
  readonly #found = new Map<number, number>();

  constructor(checkpoint: Checkpoint, sealerOf: (space: number) => Sealer | null) {
    this.#checkpoint = checkpoint;
    this.#sealerOf = sealerOf;
  }

  /** Takes the next record. True when it must be kept because it cannot be opened. @throws MemfsError `damaged` */
  record(record: RedoRecord, where: { path: string }): boolean {
    if (!this.#needed(record)) return false;
    const { space, seq } = record;
    if (record.extent !== null || record.valuesSynced > 0) {
      this.overlay.touch(seq);
      return false;
    }
    if (space === OWN_SPACE) throw new MemfsError("damaged", `redo record ${seq} in ${where.path} names no space`);
    const sealer = this.sealer(space);
    if (sealer === null) {
      this.overlay.touch(seq);
      const before = this.withheld.get(space);
      this.withheld.set(space, { first: before?.first ?? seq, through: seq, records: (before?.records ?? 0) + 1 });
      return true;
    }
    try {
      const { batch } = openRecord(record, sealer);
      this.overlay.put(space, batch, seq);
      batch.done();
    } catch (cause) {
      const what = `redo record ${seq} in ${where.path} cannot be opened with the key of space ${space}`;
      throw new MemfsError("damaged", `${what}; restore the key file or the home from a backup`, { cause });
    }
    return false;
  }

  /** Checks that all withheld records were still there. @throws MemfsError `damaged` */
  finish(): void {
    for (const [space, { records }] of this.#checkpoint.withheld) {
      if (this.#found.get(space) === records) continue;
      throw new MemfsError(
        "damaged",
        `redo records kept for space ${space} are missing; restore the redo files or the home from a backup`,
      );
    }
  }

  /**
   * Not what LevelDB has: a later record of the same key may be in a file that is gone, and the older would win.
   * Records withheld before are older than any of their space that were applied, since none could be committed then.
   */
  #needed({ space, seq, extent }: RedoRecord): boolean {
    const withheld = extent === null ? this.#checkpoint.withheld.get(space) : undefined;
    if (withheld !== undefined && seq >= withheld.first && seq <= withheld.through) {
      this.#found.set(space, (this.#found.get(space) ?? 0) + 1);
      return true;
    }
    return seq > this.#checkpoint.applied;
  }

  /** Null when the key of the space is missing. */
  sealer(space: number): Sealer | null {
    let sealer = this.sealers.get(space);
    if (sealer === undefined) this.sealers.set(space, (sealer = this.#sealerOf(space)));
    return sealer;
  }
}
