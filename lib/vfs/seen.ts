/** What one mount's kernel holds of a store's nodes. */

import type { Hash } from "../store/content/hash.ts";

/** What a mount knows of a node. */
export interface SeenNode {
  /** Lookups the kernel has not forgotten. */
  lookups: number;
  /** The content the pages in the kernel's cache come from; null when it holds none we vouch for. */
  pages: Hash | null;
}

export class Seen {
  readonly #nodes = new Map<number, SeenNode>();
  /** Directories whose listing the kernel may hold and that did not change behind its back since. */
  readonly #listings = new Set<number>();

  /** True when the listing the kernel holds is right. From now on it holds the present one. */
  listingHeld(directory: number): boolean {
    const held = this.#listings.has(directory);
    this.#listings.add(directory);
    return held;
  }

  /** The directory changed without this kernel's doing. */
  listingChanged(directory: number): void {
    this.#listings.delete(directory);
  }

  /** Every node this mount knows something of, by number. */
  [Symbol.iterator](): IterableIterator<[number, SeenNode]> {
    return this.#nodes.entries();
  }

  get(node: number): SeenNode | undefined {
    return this.#nodes.get(node);
  }

  /** The kernel was given the node by name once more. */
  lookedUp(node: number): SeenNode {
    const seen = this.#nodes.get(node);
    if (seen !== undefined) {
      seen.lookups += 1;
      return seen;
    }
    const fresh = { lookups: 1, pages: null };
    this.#nodes.set(node, fresh);
    return fresh;
  }

  /** Returns true when the kernel does not refer to the node any more. */
  forgotten(node: number, count: number): boolean {
    const seen = this.#nodes.get(node);
    if (seen === undefined) return true;
    seen.lookups = Math.max(0, seen.lookups - count);
    if (seen.lookups > 0) return false;
    this.#listings.delete(node);
    this.#nodes.delete(node);
    return true;
  }

  /** The node is gone for good. */
  drop(node: number): void {
    this.#nodes.delete(node);
  }

  /** True when the kernel may hold something of the node. */
  holds(node: number): boolean {
    return (this.#nodes.get(node)?.lookups ?? 0) > 0;
  }
}
