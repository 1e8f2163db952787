/** Numbers of hidden nodes, and which of them the kernel or a handle refers to. */

import { createHash } from "node:crypto";
import { MemfsError } from "../../errors.ts";
import { FIRST_VOLATILE_NODE } from "../filesystem.ts";
import type { HiddenDirectory, HiddenNode, OpenBytes } from "./node.ts";

/** The number of `.memfs` itself. */
export const HIDDEN_ROOT = FIRST_VOLATILE_NODE;

/** A node that is referred to. */
export interface KnownNode {
  readonly number: number;
  /** Number of the directory it was found in; its own for the root. */
  readonly parent: number;
  /** Bytes. */
  readonly name: string;
  /** Tells it from all others in its directory. */
  readonly key: string;
  node: HiddenNode;
  /** Lookups the kernel has not forgotten. */
  lookups: number;
  /** What the newest open of it reads, while one is open. */
  opened: OpenBytes | null;
  handles: number;
}

export class HiddenNodes {
  readonly #known = new Map<number, KnownNode>();

  constructor(root: HiddenDirectory) {
    this.#known.set(HIDDEN_ROOT, {
      number: HIDDEN_ROOT,
      parent: HIDDEN_ROOT,
      name: ".memfs",
      key: "",
      node: root,
      lookups: 0,
      opened: null,
      handles: 0,
    });
  }

  /** @throws MemfsError `stale` */
  get(number: number): KnownNode {
    const known = this.#known.get(number);
    if (known === undefined) throw new MemfsError("stale", "the file is gone; look it up again");
    return known;
  }

  /**
   * The number of a node: the same each time it is asked for, so that a walk through a tree meets the same inodes, unless
   * another node that is referred to has it by chance.
   */
  numberOf(parent: number, key: string): number {
    const digest = createHash("sha256").update(`${parent}/${key}`, "latin1").digest();
    let number = FIRST_VOLATILE_NODE + (digest.readUIntBE(0, 6) % FIRST_VOLATILE_NODE);
    for (;;) {
      const known = this.#known.get(number);
      if (known === undefined || (known.parent === parent && known.key === key)) return number;
      number = number + 1 < 2 * FIRST_VOLATILE_NODE ? number + 1 : FIRST_VOLATILE_NODE;
    }
  }

  /** The kernel is given a node by name once more. */
  lookedUp(parent: number, name: string, node: HiddenNode): KnownNode {
    const identity = node.kind === "directory" ? (node.identity ?? "") : "";
    const key = `${name}/${identity}`;
    const number = this.numberOf(parent, key);
    let known = this.#known.get(number);
    if (known === undefined) {
      known = { number, parent, name, key, node, lookups: 0, opened: null, handles: 0 };
      this.#known.set(number, known);
    }
    known.node = node;
    known.lookups += 1;
    return known;
  }

  forgotten(number: number, count: number): void {
    const known = this.#known.get(number);
    if (known === undefined) return;
    known.lookups = Math.max(0, known.lookups - count);
    this.#drop(known);
  }

  opened(known: KnownNode, bytes: OpenBytes | null): void {
    known.handles += 1;
    if (bytes !== null) known.opened = bytes;
  }

  closed(known: KnownNode): void {
    known.handles -= 1;
    if (known.handles > 0) return;
    known.opened = null;
    this.#drop(known);
  }

  #drop(known: KnownNode): void {
    if (known.lookups === 0 && known.handles === 0 && known.number !== HIDDEN_ROOT) this.#known.delete(known.number);
  }

  /** Path below the store's root, for messages. Bytes. */
  pathOf(number: number): string {
    let path = "";
    for (let known = this.#known.get(number); known !== undefined; known = this.#known.get(known.parent)) {
      path = `/${known.name}${path}`;
      if (known.number === HIDDEN_ROOT) break;
    }
    return path;
  }
}
