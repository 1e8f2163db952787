/** The stores that are mounted somewhere, each live once for all its mounts. */

import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { Catalogue } from "../store/catalogue.ts";
import { BlockPool, type PoolOptions } from "./block-pool.ts";
import { LiveStore } from "./live-store.ts";
import { Processes } from "./processes.ts";

export interface LiveStoresOptions {
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where drafts that do not fit in memory go. */
  readonly spill: PoolOptions;
}

export class LiveStores {
  readonly #options: LiveStoresOptions;
  readonly #processes: Processes;
  readonly #blocks: BlockPool;
  readonly #live = new Map<string, LiveStore>();

  constructor(options: LiveStoresOptions) {
    this.#options = options;
    this.#processes = new Processes(options.clock);
    this.#blocks = new BlockPool(options.spill);
  }

  /** The live store; the same object for every mount. @throws MemfsError `not_found`, `bad_key`, `damaged` */
  async open(id: string): Promise<LiveStore> {
    const { catalogue, clock, log } = this.#options;
    const store = await catalogue.open(id);
    const known = this.#live.get(id);
    if (known !== undefined && known.store === store) return known;
    const live = new LiveStore({ store, clock, log, processes: this.#processes, blocks: this.#blocks });
    this.#live.set(id, live);
    return live;
  }

  /** Drops what removed files left behind. Mounts are detached before. */
  close(): void {
    for (const live of this.#live.values()) live.reap();
    this.#live.clear();
    this.#blocks.close();
  }
}
