/** A store after some journal entry as one mount sees it. Nothing in it ever changes, so the kernel may keep it all. */

import { GenerationCache } from "../../generation-cache.ts";
import { MemfsError } from "../../errors.ts";
import { NumberMap } from "../../number-map.ts";
import type { AtView, PastName, PastNode } from "../../store/history/at.ts";
import type { Actor } from "../../store/types.ts";
import type { Attributes, NodeEntry, NodeRef } from "../filesystem.ts";
import { Handles } from "../handle.ts";
import type { LiveStore } from "../live-store.ts";
import { LockTable } from "../lock-table.ts";
import type { LockingView } from "../locks.ts";
import type { SessionReads } from "../session-reads.ts";
import { unownedAttributes } from "../unowned-attributes.ts";
import type { MountIdentity } from "../view.ts";
import { type KnownNode, PastNodes } from "./past-nodes.ts";

/** Names looked up lately. The kernel keeps them too, but asks again when its memory is short; libfuse asks each time. */
const CACHED_NAMES = 4096;

export interface PastViewOptions {
  readonly live: LiveStore;
  /** The last journal entry that is seen. */
  readonly seq: number;
  /** Upper 16 bits of this store's node ids in the mount. */
  readonly slot: number;
  readonly identity: MountIdentity;
}

export class PastView implements LockingView {
  readonly store: LiveStore["store"];
  readonly at: AtView;
  readonly nodes: PastNodes;
  readonly handles: Handles;
  /** What the mount's session reads of the store. */
  readonly reads: SessionReads;
  /** Of its own: who locks the past does not keep anybody from the present. */
  readonly live = { locks: new LockTable() };
  readonly drafts = new NumberMap<never>();
  readonly waiting = new Set<number>();
  readonly #live: LiveStore;
  readonly #actor: Actor;
  readonly #slot: number;
  readonly #identity: MountIdentity;
  /** By parent and name; null for an absent one. */
  readonly #found = new GenerationCache<string, PastNode | null>(CACHED_NAMES);

  /** @throws MemfsError `not_found` when the store has no such entry */
  constructor({ live, seq, slot, identity }: PastViewOptions) {
    this.store = live.store;
    if (seq < 1 || seq > this.store.usage().headSeq) {
      const { name } = this.store.info;
      throw new MemfsError("not_found", `the store ${name} has no journal entry #${seq}; it was restored, or replaced`);
    }
    this.at = this.store.past.at(seq);
    // Read once: the mode of the root is the present one.
    this.nodes = new PastNodes(this.at.root);
    this.handles = new Handles(identity.generation);
    this.#live = live;
    this.#actor = Object.freeze({ type: "session", sessionId: identity.sessionId, agent: identity.agent });
    this.reads = live.reads.join(this.#actor);
    this.#slot = slot;
    this.#identity = identity;
  }

  ref(number: number): NodeRef {
    return { slot: this.#slot, number };
  }

  /** The node for an answer by name; the lookup is counted by {@link PastNodes.lookedUp}. */
  entry({ number, node }: KnownNode): NodeEntry {
    return { node: this.ref(number), attributes: this.attributes(node) };
  }

  /** Owners are not kept. */
  attributes(node: PastNode): Attributes {
    return unownedAttributes(node, this.#identity);
  }

  /** What was at a name (bytes) of a directory, or null. @throws MemfsError `damaged` */
  async find(directory: number, name: string): Promise<PastNode | null> {
    const key = `${directory}/${name}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const found = await this.at.entry(directory, name);
    this.#found.set(key, found);
    return found;
  }

  /** As {@link find}, of a name in a listing. @throws MemfsError `damaged` */
  async resolve(directory: number, listed: PastName): Promise<PastNode | null> {
    const key = `${directory}/${listed.name}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const found = await this.at.resolve(listed);
    this.#found.set(key, found);
    return found;
  }

  /** The mount has ended. */
  end(): void {
    this.#live.reads.leave(this.#actor);
  }

  /** A lock in the past hands over nothing. */
  granted(): null {
    return null;
  }
}
