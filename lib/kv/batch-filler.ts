/** Moves changes into a LevelDB batch: large values to the value files, the rest sealed, giving other work a turn again and again. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { Views } from "../views.ts";
import { keyBytesAt, OPERATION_HEADER_SIZE } from "./batch.ts";
import { physicalKey, SPACE_BYTES } from "./key.ts";
import type { OperationPlace } from "./key-index.ts";
import type { Sealer } from "./kv.ts";
import type { LevelBatch } from "./leveldb.ts";
import type { ChangeReader } from "./overlay.ts";
import type { Piece } from "./piece.ts";
import type { Separator } from "./separator.ts";

/** How many changes, and how many bytes of values, at most (by the last piece more). */
export interface Limits {
  readonly changes: number;
  readonly bytes: number;
}

/** What is to be in hand at a time: {@link Overlay.changes}. */
export const PIECE: Limits = Object.freeze({ changes: 512, bytes: 1024 * 1024 });
/** Milliseconds of work per turn of the event loop, looked at every few changes. */
const SLICE = 1;
const SLICE_CHANGES = 16;
/**
 * Whoever syncs again and again is let go first: nothing is sealed while they do so at this pace (ms), for so long (ms) in
 * all before LevelDB is given the changes all the same.
 */
const SYNC_PACE = 2;
const PATIENCE = 200;

const EMPTY = Buffer.alloc(0);
/** Longer keys (bytes) get memory of their own. */
const LONGEST_KEY = 256;

export interface BatchFillerOptions {
  readonly clock: Clock;
  readonly separator: Separator;
  readonly sealerOf: (space: number) => Sealer;
  /** A number that moves whenever somebody begins to wait for the disk. */
  readonly syncs: () => number;
  /** True when nobody is let go first: somebody waits for LevelDB, or it is far behind. */
  readonly hurried: () => boolean;
}

export class BatchFiller {
  readonly #options: BatchFillerOptions;
  readonly #keys = new Views(Buffer.alloc(LONGEST_KEY));
  /** When (ms, monotonic) others get a turn. */
  #sliceEnd = 0;
  /** Syncs that have been stepped back for, and for how long that may go on. */
  #syncs = 0;
  #patience = 0;

  constructor(options: BatchFillerOptions) {
    this.#options = options;
  }

  /** The changes come again from the first one, or others come. */
  restart(): void {
    this.#patience = PATIENCE;
  }

  /**
   * Moves the next changes into the batch, up to the limits.
   * @throws MemfsError `no_space`, `io`: the value files do not take their part
   */
  async fill(batch: LevelBatch, changes: ChangeReader, limits: Limits): Promise<void> {
    await this.#yieldTurn();
    for (let count = 0, bytes = 0; !changes.ended && count < limits.changes && bytes < limits.bytes;) {
      const piece = changes.take();
      count += piece.size;
      bytes += piece.bytes;
      await this.#options.separator.separate(piece);
      await this.#seal(batch, piece);
    }
  }

  async #seal(batch: LevelBatch, piece: Piece): Promise<void> {
    const { clock, sealerOf } = this.#options;
    for (let change = 0; change < piece.size; change++) {
      if (change % SLICE_CHANGES === 0 && clock.monotonic() >= this.#sliceEnd) await this.#yieldTurn();
      if (piece.isDropped(change)) continue;
      const space = piece.spaceOf(change);
      const key = this.#physicalKey(space, piece.placeOf(change));
      const value = piece.valueOf(change);
      if (value === null) batch.del(key);
      else batch.put(key, value.length === 0 ? EMPTY : sealerOf(space).seal(key, value));
    }
  }

  async #yieldTurn(): Promise<void> {
    await nextTurn();
    await this.#stepBack();
    this.#sliceEnd = this.#options.clock.monotonic() + SLICE;
  }

  /** Lets go first whoever syncs again and again. */
  async #stepBack(): Promise<void> {
    const { syncs, hurried } = this.#options;
    while (this.#syncs !== syncs() && this.#patience > 0 && !hurried()) {
      this.#syncs = syncs();
      this.#patience -= SYNC_PACE;
      await sleep(SYNC_PACE);
    }
  }

  /** Valid until the next call: LevelDB copies it. */
  #physicalKey(space: number, { page, offset }: OperationPlace): Buffer {
    const start = offset + OPERATION_HEADER_SIZE;
    const end = start + page.readUInt32BE(offset);
    const size = SPACE_BYTES + end - start;
    if (size > LONGEST_KEY) return physicalKey(space, keyBytesAt(page, offset));
    const key = this.#keys.first(size);
    key.writeUInt32BE(space, 0);
    for (let from = start, to = SPACE_BYTES; from < end;) key[to++] = page[from++] ?? 0;
    return key;
  }
}
