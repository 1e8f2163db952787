/** Nodes of a store as it was that the kernel or a handle refers to. */

import { createHash } from "node:crypto";
import { MemfsError } from "../../errors.ts";
import type { PastNode } from "../../store/history/at.ts";
import { FIRST_VOLATILE_NODE } from "../filesystem.ts";

/** Numbers that are made up begin here, far above those of stored nodes. */
const FIRST_MADE_UP = FIRST_VOLATILE_NODE / 2;

/** A node that is referred to. */
export interface KnownNode {
  readonly number: number;
  /** Number of the directory it was found in; its own for the root. */
  readonly parent: number;
  readonly node: PastNode;
  /** Lookups the kernel has not forgotten. */
  lookups: number;
  handles: number;
}

export class PastNodes {
  readonly #root: KnownNode;
  readonly #known = new Map<number, KnownNode>();

  constructor(node: PastNode) {
    this.#root = { number: node.node, parent: node.node, node, lookups: 0, handles: 0 };
    this.#known.set(node.node, this.#root);
  }

  get root(): KnownNode {
    return this.#root;
  }

  /** @throws MemfsError `stale` */
  get(number: number): KnownNode {
    const known = this.#known.get(number);
    if (known === undefined) throw new MemfsError("stale", "the file is gone; look it up again");
    return known;
  }

  /** The kernel is given a node by name once more. */
  lookedUp(parent: number, name: string, node: PastNode): KnownNode {
    const number = this.#numberOf(parent, name, node);
    let known = this.#known.get(number);
    if (known === undefined) {
      known = { number, parent, node, lookups: 0, handles: 0 };
      this.#known.set(number, known);
    }
    known.lookups += 1;
    return known;
  }

  /**
   * The number that the node has in the store, so that links to one file are one inode. Should another name of the node
   * stand for other content, it is another file to the kernel, which keeps one content for each number.
   */
  #numberOf(parent: number, name: string, node: PastNode): number {
    const known = this.#known.get(node.node);
    if (known === undefined || known.node.version?.version === node.version?.version) return node.node;
    const digest = createHash("sha256").update(`${parent}/${name}`, "latin1").digest();
    return FIRST_MADE_UP + (digest.readUIntBE(0, 6) % FIRST_MADE_UP);
  }

  forgotten(number: number, count: number): void {
    const known = this.#known.get(number);
    if (known === undefined) return;
    known.lookups = Math.max(0, known.lookups - count);
    this.#drop(known);
  }

  closed(number: number): void {
    const known = this.#known.get(number);
    if (known === undefined) return;
    known.handles -= 1;
    this.#drop(known);
  }

  #drop(known: KnownNode): void {
    if (known.lookups === 0 && known.handles === 0 && known !== this.#root) this.#known.delete(known.number);
  }
}
