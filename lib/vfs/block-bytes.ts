/**
 * Bytes that can be written anywhere, in blocks. What was never written comes from below: the content that the bytes
 * are a change of. Behind that, and where a hole was punched, is zero, and takes no memory.
 */

import type { BlockOwner, BlockPool } from "./block-pool.ts";
import { BLOCK } from "./spill-file.ts";

/** The smallest buffer of a block: most files are small. */
const SMALLEST = 4096;

/** What the bytes are a change of. */
export interface Below {
  readonly size: number;
  /** At most `length` bytes from `offset`; fewer only at the end. */
  read(offset: number, length: number): Buffer;
}

/** A block in memory (`bytes`, zero behind its end), on disk (`slot`), both (`bytes` counts), or neither: a hole. */
interface Block {
  bytes: Buffer | null;
  slot: number | null;
}

/** A stretch of the bytes. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** All zero; else: may be anything. */
  readonly hole: boolean;
}

export class BlockBytes implements BlockOwner {
  readonly #pool: BlockPool;
  readonly #below: Below;
  /** From here on nothing comes from below any more. */
  #belowEnd: number;
  #size: number;
  readonly #blocks = new Map<number, Block>();
  /** Blocks in memory, the one that was written longest ago first. */
  readonly #inMemory = new Set<number>();
  #resident = 0;
  /** Blocks that a write in progress has at hand. */
  #pinnedFrom = 0;
  #pinnedTo = 0;

  constructor(pool: BlockPool, below: Below) {
    this.#pool = pool;
    this.#below = below;
    this.#belowEnd = below.size;
    this.#size = below.size;
  }

  get size(): number {
    return this.#size;
  }

  get resident(): number {
    return this.#resident;
  }

  /** @throws MemfsError `no_space`, `io`, `damaged`: nothing changed then */
  write(offset: number, data: Buffer): void {
    const end = offset + data.length;
    if (data.length === 0) return;
    this.#pinnedFrom = Math.floor(offset / BLOCK);
    this.#pinnedTo = Math.ceil(end / BLOCK);
    try {
      // All are at hand before the first byte changes.
      for (let index = this.#pinnedFrom; index < this.#pinnedTo; index++) this.#own(index, offset, end);
      for (let index = this.#pinnedFrom; index < this.#pinnedTo; index++) {
        const start = index * BLOCK;
        const from = Math.max(offset, start);
        const part = data.subarray(from - offset, Math.min(end, start + BLOCK) - offset);
        this.#blocks.get(index)?.bytes?.set(part, from - start);
      }
    } finally {
      this.#pinnedTo = this.#pinnedFrom;
    }
    this.#size = Math.max(this.#size, end);
  }

  /** Makes a range zero; the size stays. @throws MemfsError `no_space`, `io`, `damaged` */
  zero(offset: number, length: number): void {
    const end = Math.min(offset + length, this.#size);
    if (end <= offset) return;
    const firstWhole = Math.ceil(offset / BLOCK);
    const endWhole = end === this.#size ? Math.ceil(end / BLOCK) : Math.floor(end / BLOCK);
    if (firstWhole >= endWhole) {
      this.#fillEdge(offset, end);
      return;
    }
    this.#fillEdge(offset, firstWhole * BLOCK);
    this.#fillEdge(endWhole * BLOCK, end);
    this.#dig(firstWhole, endWhole);
  }

  /** Sets the size; what is new is zero. @throws MemfsError `no_space`, `io` */
  truncate(size: number): void {
    if (size < this.#size) {
      const edge = Math.floor(size / BLOCK);
      const inside = size - edge * BLOCK;
      if (inside > 0 && this.#blocks.has(edge) && !this.#isHole(size)) this.#own(edge, size, size).fill(0, inside);
      for (const index of this.#blocks.keys()) if (index * BLOCK >= size) this.#drop(index);
      this.#belowEnd = Math.min(this.#belowEnd, size);
    }
    this.#size = size;
  }

  /** A copy: the bytes may change before it is used. @throws MemfsError `io`, `damaged` */
  read(offset: number, length: number): Buffer {
    const end = Math.min(offset + length, this.#size);
    if (end <= offset) return Buffer.alloc(0);
    const result = Buffer.allocUnsafe(end - offset);
    for (let at = offset; at < end;) {
      const index = Math.floor(at / BLOCK);
      const block = this.#blocks.get(index);
      let until = Math.min(end, (index + 1) * BLOCK);
      if (block === undefined) {
        while (until < end && !this.#blocks.has(until / BLOCK)) until = Math.min(end, until + BLOCK);
        this.#readBelow(result.subarray(at - offset, until - offset), at);
      } else {
        const bytes = block.bytes ?? (block.slot === null ? null : this.#pool.spill.read(block.slot));
        const part = bytes?.subarray(at - index * BLOCK, until - index * BLOCK);
        if (part !== undefined) result.set(part, at - offset);
        result.fill(0, at - offset + (part?.length ?? 0), until - offset);
      }
      at = until;
    }
    return result;
  }

  /** The stretch that an offset within the size is in: as far as it is known to go on alike. */
  stretch(offset: number): Stretch {
    const hole = this.#isHole(offset);
    let to = offset;
    do to = this.#nextEdge(to);
    while (to < this.#size && this.#isHole(to) === hole);
    return { from: offset, to: Math.min(to, this.#size), hole };
  }

  evict(): boolean {
    for (const index of this.#inMemory) {
      const block = this.#blocks.get(index);
      const pinned = index >= this.#pinnedFrom && index < this.#pinnedTo;
      if (pinned || block === undefined || block.bytes === null) continue;
      block.slot = this.#pool.spill.write(block.slot, block.bytes);
      this.#inMemory.delete(index);
      this.#grow(-block.bytes.length);
      block.bytes = null;
      return true;
    }
    return false;
  }

  /** Gives all memory and disk space back; the bytes are not used any more. */
  free(): void {
    for (const index of this.#blocks.keys()) this.#drop(index);
  }

  #isHole(offset: number): boolean {
    const block = this.#blocks.get(Math.floor(offset / BLOCK));
    if (block !== undefined) return block.bytes === null && block.slot === null;
    return offset >= this.#belowEnd;
  }

  #nextEdge(offset: number): number {
    const next = (Math.floor(offset / BLOCK) + 1) * BLOCK;
    return offset < this.#belowEnd && next > this.#belowEnd ? this.#belowEnd : next;
  }

  #readBelow(into: Buffer, offset: number): void {
    const length = Math.min(into.length, Math.max(0, this.#belowEnd - offset));
    const copied = length === 0 ? 0 : this.#below.read(offset, length).copy(into, 0, 0, length);
    into.fill(0, copied);
  }

  /** The block in memory, with room up to `end` and everything in it that a write from `offset` to `end` leaves. */
  #own(index: number, offset: number, end: number): Buffer {
    const start = index * BLOCK;
    const block = this.#blocks.get(index);
    const fromBelow = block === undefined ? Math.min(BLOCK, Math.max(0, this.#belowEnd - start)) : 0;
    const needed = Math.max(Math.min(end - start, BLOCK), fromBelow);
    if (block?.bytes !== null && block?.bytes !== undefined) {
      this.#inMemory.delete(index);
      this.#inMemory.add(index);
      return needed <= block.bytes.length ? block.bytes : this.#enlarge(index, block, needed);
    }
    const spilled = block?.slot === null || block === undefined ? null : this.#pool.spill.read(block.slot);
    const size = sizeFor(Math.max(needed, spilled?.length ?? 0));
    const covered = offset <= start && end >= start + fromBelow;
    const below = fromBelow === 0 || covered ? null : this.#below.read(start, fromBelow);
    this.#pool.makeRoom(this, size);
    const bytes = Buffer.alloc(size);
    spilled?.copy(bytes);
    below?.copy(bytes, 0, 0, fromBelow);
    if (block === undefined) this.#blocks.set(index, { bytes, slot: null });
    else block.bytes = bytes;
    this.#inMemory.add(index);
    this.#grow(size);
    return bytes;
  }

  #enlarge(index: number, block: Block, needed: number): Buffer {
    const old = block.bytes ?? Buffer.alloc(0);
    const size = sizeFor(needed);
    this.#pool.makeRoom(this, size - old.length);
    // Unless the room was made of this very block.
    if (block.bytes !== null) this.#grow(-old.length);
    const bytes = Buffer.alloc(size);
    old.copy(bytes);
    block.bytes = bytes;
    this.#inMemory.add(index);
    this.#grow(size);
    return bytes;
  }

  #fillEdge(from: number, to: number): void {
    if (to <= from) return;
    for (let index = Math.floor(from / BLOCK); index * BLOCK < to; index++) {
      const start = index * BLOCK;
      if (this.#isHole(Math.max(from, start)) && this.#isHole(Math.min(to, start + BLOCK) - 1)) continue;
      this.#own(index, to, to).fill(0, Math.max(from - start, 0), Math.min(to - start, BLOCK));
    }
  }

  /** Whole blocks become holes. */
  #dig(from: number, to: number): void {
    if (to - from > this.#blocks.size) {
      for (const index of this.#blocks.keys()) if (index >= from && index < to) this.#drop(index);
    } else {
      for (let index = from; index < to; index++) this.#drop(index);
    }
    const last = Math.min(to, Math.ceil(this.#belowEnd / BLOCK));
    for (let index = from; index < last; index++) this.#blocks.set(index, { bytes: null, slot: null });
  }

  #drop(index: number): void {
    const block = this.#blocks.get(index);
    if (block === undefined) return;
    this.#blocks.delete(index);
    if (block.slot !== null) this.#pool.spill.release(block.slot);
    if (block.bytes === null) return;
    this.#inMemory.delete(index);
    this.#grow(-block.bytes.length);
  }

  #grow(bytes: number): void {
    this.#resident += bytes;
    this.#pool.grown(this, bytes);
  }
}

/** Powers of two up to a block, so that small appends do not copy each time. */
function sizeFor(bytes: number): number {
  let size = SMALLEST;
  while (size < bytes) size *= 2;
  return Math.min(size, BLOCK);
}
