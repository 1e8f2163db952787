/** Which version of each memory a mount last read or wrote: what its next whole rewrite of it is made from. */

import type { Uid } from "../id.ts";
import type { Base, KnownVersions } from "../store/base.ts";
import { EMPTY_HASH } from "../store/hash.ts";
import type { MemoryRecord } from "../store/memory-record.ts";
import type { Mutable } from "../store/record.ts";

export class ReadBases implements KnownVersions {
  /**
   * Never dropped: an agent that read a file hours ago may still write on from what it read. So a mount remembers some
   * 150 bytes of each memory it ever opened.
   */
  readonly #bases = new Map<Uid, Mutable<Base>>();

  get(memory: Uid): Base | undefined {
    return this.#bases.get(memory);
  }

  /** The mount was shown the head, or made it. */
  saw({ memory, head, hash, size }: MemoryRecord): void {
    const known = this.#bases.get(memory);
    if (known === undefined) {
      this.#bases.set(memory, { version: head, hash: hash ?? EMPTY_HASH, size });
      return;
    }
    known.version = head;
    known.hash = hash ?? EMPTY_HASH;
    known.size = size;
  }
}
