/** Which version of each memory a mount last read or wrote: what its next whole rewrite of it is made from. */

import type { Uid } from "../id.ts";
import type { Base, KnownVersions } from "../store/base.ts";
import { EMPTY_HASH } from "../store/hash.ts";
import type { MemoryRecord } from "../store/memory-record.ts";
import type { NodeRecord } from "../store/node-record.ts";
import type { Mutable } from "../store/record.ts";

export class ReadBases implements KnownVersions {
  /**
   * Never dropped: an agent that read a file hours ago may still write on from what it read. So a mount remembers some
   * 150 bytes of each memory it ever opened.
   */
  readonly #bases = new Map<Uid, Mutable<Base>>();

  /** What files that are no memory yet were when they were read. */
  readonly #unmade = new Map<number, Base>();

  /** The mount wrote this, and it did not become the head as it was. */
  wrote(memory: Uid, { version, hash, size }: Base): void {
    this.#bases.set(memory, { version, hash, size });
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
    if (!this.#bases.has(node.memory)) this.wrote(node.memory, base);
  }

  /** What the mount knows of a memory, or of its file before that was one. */
  of({ memory, node }: MemoryRecord): Base | undefined {
    return this.#bases.get(memory) ?? this.#unmade.get(node);
  }

  /** The same of a node. */
  ofNode({ number, memory }: NodeRecord): Base | undefined {
    return (memory === null ? undefined : this.#bases.get(memory)) ?? this.#unmade.get(number);
  }

  /** The node is gone for good. */
  drop(node: number): void {
    this.#unmade.delete(node);
  }

  /** The mount was shown the head, or made it. */
  saw({ memory, head, hash, size }: MemoryRecord): void {
    const known = this.#bases.get(memory);
    if (known === undefined) {
      this.#bases.set(memory, { version: head, hash: hash ?? EMPTY_HASH, size });
      return;
    }
    if (known.version === head && known.hash === hash) return;
    known.version = head;
    known.hash = hash ?? EMPTY_HASH;
    known.size = size;
  }
}
