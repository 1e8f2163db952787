/** Extended attributes in a store as it was: which version a file is. Those that programs set are not kept. */

import { toBytes } from "../../store/tree/names.ts";
import { MEMFS_PREFIX, NOTE, SHOWN, versionAttribute } from "../memory-attributes.ts";
import { ABSENT, CAPABILITY, UNKNOWN_NAMESPACE, USER_PREFIX } from "../xattrs.ts";
import type { PastView } from "./past-view.ts";

/** Of the root: number of the last journal entry that is seen. */
const SEQ = `${MEMFS_PREFIX}seq`;

export class PastXattrs {
  readonly #view: PastView;

  constructor(view: PastView) {
    this.#view = view;
  }

  /** @throws MemfsError `no_attribute`, `not_supported`, `stale` */
  get(number: number, name: string): Buffer {
    if (name === CAPABILITY) throw ABSENT;
    if (!name.startsWith(USER_PREFIX)) throw UNKNOWN_NAMESPACE;
    const value = this.#value(number, name);
    if (value === undefined) throw ABSENT;
    return Buffer.from(value);
  }

  #value(number: number, name: string): string | undefined {
    const { at, nodes } = this.#view;
    const { node } = nodes.get(number);
    if (name === SEQ && nodes.root.number === number) return String(at.seq);
    return node.version === null ? undefined : versionAttribute(node.version, name);
  }

  /** Names, each ended by a NUL. @throws MemfsError `stale` */
  list(number: number): Buffer {
    const names = [SEQ, ...SHOWN, NOTE].filter((name) => this.#value(number, name) !== undefined);
    return toBytes(names.map((name) => `${name}\0`).join(""));
  }
}
