/** `.memfs/at/WHEN/…`: the store as it was. */

import type { AtView, PastNode } from "../../store/history/at.ts";
import { isDirectory } from "../../store/tree/mode.ts";
import type { Store } from "../../store/store.ts";
import type { VersionRecord } from "../../store/records/version-record.ts";
import type { SessionReads } from "../session-reads.ts";
import type { HiddenDirectory, HiddenFile, HiddenLink, HiddenName, HiddenNode, Look, OpenBytes } from "./node.ts";

/** Where versions are read from, and who is told of it. */
export interface PastSource {
  readonly store: Store;
  readonly reads: Pick<SessionReads, "read">;
}

export class PastDirectory implements HiddenDirectory {
  readonly kind = "directory";
  readonly identity: string;
  readonly #source: PastSource;
  readonly #view: AtView;
  readonly #node: PastNode;

  constructor(source: PastSource, view: AtView, { node, identity }: { node: PastNode; identity: string }) {
    this.#source = source;
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
    if (isDirectory(found.mode)) return new PastDirectory(this.#source, this.#view, { node: found, identity: "" });
    if (found.target !== null) return new PastLink(found, found.target);
    return found.version === null ? null : new PastFile(this.#source, found, found.version);
  }

  async list(): Promise<readonly HiddenName[]> {
    const names: HiddenName[] = [];
    for await (const listed of this.#view.list(this.#node.node)) names.push(listed);
    return names;
  }
}

/** The content of a version, which never changes; empty when it has none. */
export class PastFile implements HiddenFile {
  readonly kind = "file";
  readonly #source: PastSource;
  readonly #look: Look;
  readonly #version: VersionRecord;

  constructor(source: PastSource, look: Look, version: VersionRecord) {
    this.#source = source;
    this.#look = look;
    this.#version = version;
  }

  look(): Look {
    return this.#look;
  }

  open(): OpenBytes {
    const { store, reads } = this.#source;
    const { hash, seq } = this.#version;
    if (hash !== null) reads.read(seq);
    return {
      look: this.#look,
      read: (offset, length) => store.contentRange(hash, { offset, length }),
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
