/** `.memfs/at/WHEN/…`: the store as it was. */

import type { AtView, PastNode } from "../../store/at.ts";
import type { Hash } from "../../store/hash.ts";
import { isDirectory } from "../../store/mode.ts";
import type { Store } from "../../store/store.ts";
import type { HiddenDirectory, HiddenFile, HiddenLink, HiddenName, HiddenNode, Look, OpenBytes } from "./node.ts";

export class PastDirectory implements HiddenDirectory {
  readonly kind = "directory";
  readonly identity: string;
  readonly #store: Store;
  readonly #view: AtView;
  readonly #node: PastNode;

  constructor(store: Store, view: AtView, { node, identity }: { node: PastNode; identity: string }) {
    this.#store = store;
    this.#view = view;
    this.#node = node;
    this.identity = identity;
  }

  look(): Look {
    return this.#node;
  }

  async lookup(name: string): Promise<HiddenNode | null> {
    const found = await this.#view.entry(this.#node.node, name);
    if (found === null) return null;
    if (isDirectory(found.mode)) return new PastDirectory(this.#store, this.#view, { node: found, identity: "" });
    return found.target === null ? new PastFile(this.#store, found, found.hash) : new PastLink(found, found.target);
  }

  async list(): Promise<readonly HiddenName[]> {
    const names: HiddenName[] = [];
    for await (const listed of this.#view.list(this.#node.node)) names.push(listed);
    return names;
  }
}

/** Stored content that never changes. */
export class PastFile implements HiddenFile {
  readonly kind = "file";
  readonly #store: Store;
  readonly #look: Look;
  readonly #hash: Hash | null;

  /** @param hash of the content; null when there is none, and then the size is 0 */
  constructor(store: Store, look: Look, hash: Hash | null) {
    this.#store = store;
    this.#look = look;
    this.#hash = hash;
  }

  look(): Look {
    return this.#look;
  }

  open(): OpenBytes {
    return {
      look: this.#look,
      read: (offset, length) => this.#store.contentRange(this.#hash, { offset, length }),
      changes: false,
    };
  }
}

class PastLink implements HiddenLink {
  readonly kind = "link";
  readonly target: string;
  readonly #look: Look;

  constructor(look: Look, target: string) {
    this.#look = look;
    this.target = target;
  }

  look(): Look {
    return this.#look;
  }
}
