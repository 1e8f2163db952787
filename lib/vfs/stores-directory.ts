/** The root of a mount of several stores: one read-only directory with an entry per store. */

import { S_IFDIR } from "../store/tree/mode.ts";
import type { Attributes, DirectorySink, NodeRef } from "./filesystem.ts";
import type { ReadableStore } from "./readable-store.ts";
import type { MountIdentity } from "./view.ts";

const ROOT: NodeRef = Object.freeze({ slot: 0, number: 1 });

/** How the directory reaches a store. */
export type OpenStore = (slot: number) => ReadableStore;

export class StoresDirectory {
  readonly attributes: Attributes;
  readonly #names: readonly string[];

  /** @param names directory names; the store of the first one has slot 1 */
  constructor(identity: MountIdentity, names: readonly string[]) {
    this.#names = names;
    this.attributes = {
      mode: S_IFDIR | 0o555,
      links: 2 + names.length,
      uid: identity.uid,
      gid: identity.gid,
      rdev: 0,
      size: 0,
      atime: 0,
      atimeNsec: 0,
      mtime: 0,
      mtimeNsec: 0,
      ctime: 0,
      ctimeNsec: 0,
      btime: 0,
      btimeNsec: 0,
    };
  }

  /** Slot of the store with that directory name. */
  find(name: Buffer): number | null {
    const index = this.#names.indexOf(name.toString("latin1"));
    return index < 0 ? null : index + 1;
  }

  /** Entries are `.`, `..` and the stores, with cookies 1, 2, 3, … */
  fill(own: Attributes, { cookie, sink, open }: { cookie: number; sink: DirectorySink; open: OpenStore }): void {
    const attributes = sink.plus ? own : null;
    if (cookie < 1 && !sink.add(Buffer.from("."), 1, ROOT, own.mode, attributes)) return;
    if (cookie < 2 && !sink.add(Buffer.from(".."), 2, ROOT, own.mode, attributes)) return;
    for (let slot = Math.max(1, cookie - 1); slot <= this.#names.length; slot++) {
      const store = open(slot);
      const root = store.root();
      const name = Buffer.from(this.#names[slot - 1] ?? "");
      if (!sink.add(name, slot + 2, root.node, root.attributes.mode, sink.plus ? root.attributes : null)) return;
      if (sink.plus) store.rootLookedUp();
    }
  }
}
