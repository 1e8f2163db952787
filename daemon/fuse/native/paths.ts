/** From the paths that libfuse 2 speaks in to nodes: a chain of lookups, each given back when it is not needed any more. */

import { MemfsError } from "../../../lib/errors.ts";
import type { Answer, Attributes, Caller, Filesystem, NodeEntry, NodeRef } from "../../../lib/vfs/filesystem.ts";
import { after, eventually, unlessDone } from "./answers.ts";
import type { HiddenFiles } from "./hidden-files.ts";

/** The root is not looked up and not forgotten. */
const ROOT: NodeRef = Object.freeze({ slot: 0, number: 1 });

/** A name in a directory, as operations on names take it. */
export interface Place {
  readonly parent: NodeRef;
  readonly name: Buffer;
}

export class Paths {
  readonly #filesystem: Filesystem;
  readonly #caller: Caller;
  readonly #hidden: HiddenFiles;

  constructor(filesystem: Filesystem, caller: Caller, hidden: HiddenFiles) {
    this.#filesystem = filesystem;
    this.#caller = caller;
    this.#hidden = hidden;
  }

  /**
   * Calls `work` with the node at a path, and refers to the node until the answer is there.
   * @throws MemfsError `not_found` and what lookups throw
   */
  node<T>(path: string, work: (node: NodeRef) => Answer<T>): Answer<T> {
    const hidden = this.#hidden.nodeOf(path);
    if (hidden !== null) return work(hidden);
    return after(this.#find(ROOT, segments(path), 0), (entry) => this.#holding(entry?.node ?? ROOT, work));
  }

  /**
   * As {@link node}, for what goes on referring to the node: unless `work` is refused, and when `counted` is true, one
   * lookup is left for the caller to {@link forget}.
   */
  keep<T>(path: string, work: (node: NodeRef, counted: boolean) => Answer<T>): Answer<T> {
    const hidden = this.#hidden.nodeOf(path);
    if (hidden !== null) return work(hidden, false);
    return after(this.#find(ROOT, segments(path), 0), (entry) => {
      const node = entry?.node ?? ROOT;
      return unlessDone(
        () => work(node, true),
        () => this.forget(node),
      );
    });
  }

  /** As {@link node}, with the node's attributes as the last lookup told them. */
  attributes<T>(path: string, work: (node: NodeRef, attributes: Attributes) => Answer<T>): Answer<T> {
    const now = (node: NodeRef): Answer<T> =>
      after(this.#filesystem.getattr(this.#caller, node, null), (attributes) => work(node, attributes));
    const hidden = this.#hidden.nodeOf(path);
    if (hidden !== null) return now(hidden);
    return after(this.#find(ROOT, segments(path), 0), (entry) =>
      entry === null ? now(ROOT) : this.#holding(entry.node, (node) => work(node, entry.attributes)),
    );
  }

  /**
   * Calls `work` with the directory and the last name of a path.
   * @throws MemfsError `not_found` and what lookups throw; `busy` for the root
   */
  place<T>(path: string, work: (place: Place) => Answer<T>): Answer<T> {
    const names = segments(path);
    const name = names.pop();
    if (name === undefined) throw new MemfsError("busy", "the root of a mount stays where it is");
    return after(this.#find(ROOT, names, 0), (entry) =>
      this.#holding(entry?.node ?? ROOT, (parent) => work({ parent, name })),
    );
  }

  /** A lookup that was counted elsewhere is over. */
  forget(node: NodeRef): void {
    if (node.slot !== ROOT.slot || node.number !== ROOT.number) this.#filesystem.forget(node, 1);
  }

  #holding<T>(node: NodeRef, work: (node: NodeRef) => Answer<T>): Answer<T> {
    return eventually(
      () => work(node),
      () => this.forget(node),
    );
  }

  /** The entry at `names[index…]` below `parent`; null for the parent itself. */
  #find(parent: NodeRef, names: readonly Buffer[], index: number): Answer<NodeEntry | null> {
    const name = names[index];
    if (name === undefined) return null;
    const found = eventually(
      () => this.#filesystem.lookup(this.#caller, parent, name),
      () => this.forget(parent),
    );
    return after(found, (entry) => {
      if (entry === null) throw new MemfsError("not_found", "no such file or directory");
      return index + 1 === names.length ? entry : this.#find(entry.node, names, index + 1);
    });
  }
}

function segments(path: string): Buffer[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((name) => Buffer.from(name, "latin1"));
}
