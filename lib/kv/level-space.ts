/** What a space of the durable key-value store is to its users: the store, with its id and sealer. */
import type { Batch } from "./batch.ts";
import type { Entry, Key, Origin, Place, Range, Sealer, Space } from "./kv.ts";
import type { ValueFiles } from "./value-files.ts";

/** What a space asks of its store, see {@link Space}. */
export interface SpaceOwner {
  get(space: number, key: Key, sealer: Sealer): Buffer | undefined;
  has(space: number, key: Key): boolean;
  scan(space: number, range: Range, sealer: Sealer): AsyncIterable<readonly Entry[]>;
  commit(space: number, sealer: Sealer, change: { batch: Batch; origin: Origin | undefined; syncs: boolean }): void;
  defer(space: number, batch: Batch): void;
  append(space: number, sealer: Sealer, values: readonly Uint8Array[]): Promise<Place[]>;
  /** @throws MemfsError `closed` */
  values(space: number): ValueFiles;
  destroy(space: number): Promise<void>;
}

export class LevelSpace implements Space {
  readonly id: number;
  readonly #kv: SpaceOwner;
  readonly #sealer: Sealer;

  constructor(kv: SpaceOwner, id: number, sealer: Sealer) {
    this.#kv = kv;
    this.id = id;
    this.#sealer = sealer;
  }

  get(key: Key): Buffer | undefined {
    return this.#kv.get(this.id, key, this.#sealer);
  }

  has(key: Key): boolean {
    return this.#kv.has(this.id, key);
  }

  scan(range: Range): AsyncIterable<readonly Entry[]> {
    return this.#kv.scan(this.id, range, this.#sealer);
  }

  commit(batch: Batch, origin?: Origin, syncs = false): void {
    this.#kv.commit(this.id, this.#sealer, { batch, origin, syncs });
  }

  defer(batch: Batch): void {
    this.#kv.defer(this.id, batch);
  }

  append(values: readonly Uint8Array[]): Promise<Place[]> {
    return this.#kv.append(this.id, this.#sealer, values);
  }

  read(place: Place): Buffer {
    return this.#kv.values(this.id).read(this.id, this.#sealer, place);
  }

  readTo(place: Place, target: Buffer): void {
    this.#kv.values(this.id).readTo(this.id, this.#sealer, { place, target });
  }

  destroy(): Promise<void> {
    return this.#kv.destroy(this.id);
  }
}
