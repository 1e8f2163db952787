/** Which version of each memory a mount last read or wrote: what its next whole rewrite of it is made from. */

import type { Uid } from "../id.ts";
import type { Base, KnownVersions, MadeFrom } from "../store/merge/base.ts";
import { EMPTY_HASH } from "../store/content/hash.ts";
import type { MemoryRecord } from "../store/records/memory-record.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import type { VersionRecord } from "../store/records/version-record.ts";

export class ReadBases implements KnownVersions {
  readonly #versionAt: (seq: number) => VersionRecord | undefined;
  /**
   * Memory → seq of the version. Never dropped: an agent that read a file hours ago may still write on from what it read.
   * So a mount remembers some 70 bytes of each memory it ever opened.
   */
  readonly #seqs = new Map<Uid, number>();
  /** What the mount wrote last, where that did not become the head as it was. */
  readonly #written = new Map<Uid, Base>();
  /** What files that are no memory yet were when they were read. */
  readonly #unmade = new Map<number, Base>();

  constructor(versionAt: (seq: number) => VersionRecord | undefined) {
    this.#versionAt = versionAt;
  }

  /** The mount was shown the head, or made it. */
  saw({ memory, headSeq }: MemoryRecord): void {
    if (this.#written.size > 0) this.#written.delete(memory);
    if (this.#seqs.get(memory) !== headSeq) this.#seqs.set(memory, headSeq);
  }

  /** As {@link saw}, when it was all that the mount could not know: `before` was the head's seq until its change. */
  added(memory: MemoryRecord, before: number): void {
    const known = this.#seqs.get(memory.memory);
    const knew = known === undefined ? !this.#unmade.has(memory.node) : known === before;
    if (knew && !this.#written.has(memory.memory)) this.saw(memory);
  }

  /** The mount wrote this, and it did not become the head as it was. */
  wrote(memory: Uid, base: Base): void {
    this.#written.set(memory, base);
  }

  /** The mount was shown a file that is no memory yet. */
  sawUnmade({ number, content, size }: NodeRecord): void {
    this.#unmade.set(number, { version: null, hash: content ?? EMPTY_HASH, size });
  }

  /** True when {@link changed} is to be told of nodes. */
  get hasUnmade(): boolean {
    return this.#unmade.size > 0;
  }

  /** A node changed: what was read of it before it was a memory is known of the memory, wherever that goes. */
  changed(node: NodeRecord | undefined): void {
    const base = node === undefined ? undefined : this.#unmade.get(node.number);
    if (node === undefined || base === undefined || node.memory === null) return;
    this.#unmade.delete(node.number);
    if (!this.#seqs.has(node.memory) && !this.#written.has(node.memory)) this.wrote(node.memory, base);
  }

  /** What the mount knows of a memory, or of its file before that was one. */
  of({ memory, node, headSeq }: MemoryRecord): MadeFrom | undefined {
    const written = this.#written.size === 0 ? undefined : this.#written.get(memory);
    if (written !== undefined) return written;
    const seq = this.#seqs.get(memory);
    if (seq === undefined) return this.#unmade.get(node);
    return seq === headSeq ? "head" : this.#at(seq);
  }

  /** What it knows of a file that is no memory yet. */
  ofUnmade(node: number): Base | undefined {
    return this.#unmade.get(node);
  }

  #at(seq: number): Base | undefined {
    const version = this.#versionAt(seq);
    if (version === undefined || version.hash === null) return undefined;
    return { version: version.version, hash: version.hash, size: version.size };
  }

  /** The node is gone for good. */
  drop(node: number): void {
    this.#unmade.delete(node);
  }
}
