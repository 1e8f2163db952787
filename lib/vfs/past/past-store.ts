/** A store as it was, mounted: read-only, and the same for ever. */

import { MemfsError } from "../../errors.ts";
import { toBytes } from "../../store/tree/names.ts";
import type { NodeName } from "../../store/records/node-record.ts";
import { NAME_MAX } from "../../store/tree/tree.ts";
import type { Attributes, FilesystemStatistics, NodeEntry } from "../filesystem.ts";
import { Locks } from "../locks.ts";
import type { ReadableStore } from "../readable-store.ts";
import { PastDirectories } from "./past-directories.ts";
import { PastFiles } from "./past-files.ts";
import { PastView, type PastViewOptions } from "./past-view.ts";
import { PastXattrs } from "./past-xattrs.ts";

export class PastStore implements ReadableStore {
  readonly names: ReadableStore["names"] = { lookup: (name) => this.#lookup(name) };
  readonly files: PastFiles;
  readonly ranges: PastFiles;
  readonly directories: PastDirectories;
  readonly xattrs: PastXattrs;
  readonly locks: Locks;
  readonly hidden = null;
  readonly #view: PastView;

  /** @throws MemfsError `not_found` when the store has no such entry */
  constructor(options: PastViewOptions) {
    this.#view = new PastView(options);
    this.files = new PastFiles(this.#view);
    this.ranges = this.files;
    this.directories = new PastDirectories(this.#view);
    this.xattrs = new PastXattrs(this.#view);
    this.locks = new Locks(this.#view);
  }

  async #lookup({ parent, name }: NodeName): Promise<NodeEntry | null> {
    if (name.length > NAME_MAX) throw new MemfsError("name_too_long", "the name is longer than 255 bytes");
    const view = this.#view;
    view.nodes.get(parent);
    const found = await view.find(parent, name);
    return found === null ? null : view.entry(view.nodes.lookedUp(parent, name, found));
  }

  root(): NodeEntry {
    return this.#view.entry(this.#view.nodes.root);
  }

  rootLookedUp(): void {
    this.#view.nodes.root.lookups += 1;
  }

  getattr(number: number): Attributes {
    return this.#view.attributes(this.#view.nodes.get(number).node);
  }

  readlink(number: number): Buffer {
    const { target } = this.#view.nodes.get(number).node;
    if (target === null) throw new MemfsError("invalid_argument", "not a symbolic link");
    return toBytes(target);
  }

  forget(number: number, count: number): void {
    this.#view.nodes.forgotten(number, count);
  }

  /** How large the store was is not kept; as for other filesystems that are made up, `df` leaves it out. */
  statfs(): FilesystemStatistics {
    return { blockSize: 4096, blocks: 0, blocksFree: 0, files: 0, filesFree: 0, nameMax: NAME_MAX };
  }

  sync(): void {
    // Nothing here waits for the disk.
  }

  failed(): void {
    // There is no `.memfs/errors` to tell it.
  }

  commitAll(): Promise<number> {
    return Promise.resolve(0);
  }

  detach(): Promise<void> {
    this.locks.end();
    this.#view.end();
    return Promise.resolve();
  }
}
