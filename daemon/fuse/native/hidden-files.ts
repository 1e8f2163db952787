/**
 * Files that libfuse has hidden: it knows files by path, so before a name of an open file goes it "renames" the file to
 * a name of its own, which the kernel never sees listed. Here such a name is only an alias of the node.
 */

import type { NodeRef } from "../../../lib/vfs/filesystem.ts";

/** Node id and a counter in hexadecimal: no two are the same in a mount. */
const HIDDEN_NAME = /(?:^|\/)(\.fuse_hidden[0-9a-f]{16})$/;

/** The last segment of a path, if it is a name that libfuse makes. */
function hiddenName(path: string): string | null {
  return HIDDEN_NAME.exec(path)?.[1] ?? null;
}

export class HiddenFiles {
  /** By name alone: the directory may be renamed meanwhile. Each holds one lookup of its node. */
  readonly #nodes = new Map<string, NodeRef>();

  /** True when libfuse may be hiding a file by renaming it to `path`. */
  isHiding(path: string): boolean {
    return path.includes(".fuse_hidden") && hiddenName(path) !== null;
  }

  /** The node hidden at a path, or null. */
  nodeOf(path: string): NodeRef | null {
    if (this.#nodes.size === 0) return null;
    const name = hiddenName(path);
    return name === null ? null : (this.#nodes.get(name) ?? null);
  }

  add(path: string, node: NodeRef): void {
    const name = hiddenName(path);
    if (name !== null) this.#nodes.set(name, node);
  }

  /** Ends the alias. Returns its node, whose lookup is the caller's to forget; null when there is none. */
  take(path: string): NodeRef | null {
    const node = this.nodeOf(path);
    const name = hiddenName(path);
    if (name !== null) this.#nodes.delete(name);
    return node;
  }
}
