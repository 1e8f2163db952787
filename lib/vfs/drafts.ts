/** What a mount holds of a store that is no version yet: to be listed, and saved or discarded by a person. */

import { MemfsError } from "../errors.ts";
import { printable, toBytes } from "../store/tree/names.ts";
import { commitDraft, discardDraft, NOBODY } from "./commits.ts";
import type { Draft } from "./draft.ts";
import type { View } from "./view.ts";

/** Bytes that were written to a file and not committed. */
export interface DraftInfo {
  readonly storeId: string;
  readonly path: Buffer;
  readonly size: number;
  /** Microseconds since the epoch. */
  readonly modifiedAt: number;
  /** A program has the file open for writing. */
  readonly open: boolean;
  /** Its commit was refused, because others changed the same. */
  readonly refused: boolean;
}

export class Drafts {
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  /** Those that hold something: in the order of their first write. */
  list(): DraftInfo[] {
    return this.#held().map((draft) => this.#info(draft));
  }

  #held(): Draft[] {
    const { drafts, live } = this.#view;
    return drafts
      .values()
      .filter(({ node, written, refused }) => (written || refused) && (live.store.node(node)?.names.length ?? 0) > 0);
  }

  #info({ node, size, mtime, refused }: Draft): DraftInfo {
    return {
      storeId: this.#view.live.store.info.id,
      path: toBytes(this.#view.pathOf(node)),
      size,
      modifiedAt: mtime.sec * 1e6 + Math.floor(mtime.nsec / 1000),
      open: this.#view.hasWriter(node),
      refused,
    };
  }

  /** Commits the draft of a path (bytes); one that was refused goes beside the file. @throws MemfsError `not_found`, `no_space` */
  async save(path: string): Promise<DraftInfo> {
    const draft = this.#find(path);
    const info = this.#info(draft);
    await commitDraft(this.#view, draft.node, { caller: NOBODY, beside: true });
    return info;
  }

  /** Drops the draft of a path (bytes): the mount shows the head again. @throws MemfsError `not_found`, `busy` */
  discard(path: string): DraftInfo {
    const draft = this.#find(path);
    const info = this.#info(draft);
    if (info.open)
      throw new MemfsError("busy", `${printable(path)} is open for writing; close it there, then discard its draft`);
    discardDraft(this.#view, draft);
    return info;
  }

  #find(path: string): Draft {
    const draft = this.#held().find(({ node }) => this.#view.pathOf(node) === path);
    if (draft === undefined)
      throw new MemfsError("not_found", `${printable(path)} has no draft here; see: memfs drafts`);
    return draft;
  }
}
