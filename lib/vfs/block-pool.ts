/** The memory of all drafts that are written in any order, with one bound: above it blocks go to the spill file. */

import type { SpillDisk } from "./spill-file.ts";
import { SpillFile } from "./spill-file.ts";

const MIB = 1024 * 1024;

/** Bytes in memory, of all drafts and of one. */
export interface PoolBounds {
  readonly total: number;
  readonly each: number;
}

const BOUNDS: PoolBounds = Object.freeze({ total: 64 * MIB, each: 24 * MIB });

/** Who holds blocks in memory. */
export interface BlockOwner {
  /** Bytes in memory. */
  readonly resident: number;
  /**
   * Moves the block that was written longest ago to the spill file; false when none can go now.
   * @throws MemfsError `no_space`, `io`
   */
  evict(): boolean;
}

export interface PoolOptions {
  /** Where the spill file is made. */
  readonly directory: string;
  readonly bounds?: PoolBounds;
  /** Fault injection for tests. */
  readonly disk?: SpillDisk;
}

export class BlockPool {
  readonly spill: SpillFile;
  readonly #bounds: PoolBounds;
  readonly #owners = new Set<BlockOwner>();
  #resident = 0;

  constructor({ directory, bounds = BOUNDS, disk }: PoolOptions) {
    this.spill = new SpillFile(directory, disk);
    this.#bounds = bounds;
  }

  /** Bytes in memory. */
  get resident(): number {
    return this.#resident;
  }

  /**
   * Makes room for `bytes` more of `owner`, of what it or others have not written for longest. Call {@link grown} when
   * they are there. @throws MemfsError `no_space`, `io`: nothing is lost then
   */
  makeRoom(owner: BlockOwner, bytes: number): void {
    let more = true;
    while (more && owner.resident + bytes > this.#bounds.each) more = owner.evict();
    more = true;
    while (more && this.#resident + bytes > this.#bounds.total) more = this.#evict();
  }

  /** The owner's bytes in memory changed by this much. */
  grown(owner: BlockOwner, bytes: number): void {
    this.#resident += bytes;
    if (owner.resident > 0) this.#owners.add(owner);
    else this.#owners.delete(owner);
  }

  close(): void {
    this.spill.close();
  }

  /** Of the largest, else of any. */
  #evict(): boolean {
    let largest: BlockOwner | null = null;
    for (const owner of this.#owners) if (owner.resident > (largest?.resident ?? 0)) largest = owner;
    if (largest?.evict() === true) return true;
    for (const owner of this.#owners) if (owner.evict()) return true;
    return false;
  }
}
