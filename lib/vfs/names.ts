/** Operations on names: lookup, creation, removal, rename, links. */

import { MemfsError } from "../errors.ts";
import { create, link, rmdir, unlink } from "../store/entries.ts";
import {
  isDirectory,
  isFile,
  PERMISSIONS,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  typeOf,
} from "../store/mode.ts";
import type { NodeName, NodeRecord } from "../store/node-record.ts";
import { rename } from "../store/rename.ts";
import { type Move, NAME_MAX } from "../store/tree.ts";
import { commitDraft, draftOf } from "./commits.ts";
import type { Answer, Caller, NodeEntry, OpenedHandle } from "./filesystem.ts";
import type { Files } from "./files.ts";
import { O_EXCL } from "./handle.ts";
import { checkCount } from "./limits.ts";
import type { View } from "./view.ts";

const RENAME_NOREPLACE = 1;
/** PATH_MAX without its NUL. */
const TARGET_MAX = 4095;
/** What a node can be made as. */
const TYPES: readonly number[] = [S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK];

/** What a new name is to stand for. */
export interface Making {
  readonly at: NodeName;
  /** Type and permission bits. */
  readonly mode: number;
  readonly rdev?: number;
  /** Bytes. */
  readonly target?: string;
  /** Need not be durable before the next change. */
  readonly deferred?: boolean;
}

/** How a new name is opened. */
export interface Opening {
  readonly flags: number;
  /** Truncating clears suid and sgid. */
  readonly killPrivileges: boolean;
}

export class Names {
  readonly #view: View;
  readonly #files: Files;

  constructor(view: View, files: Files) {
    this.#view = view;
    this.#files = files;
  }

  lookup({ parent, name }: NodeName): NodeEntry | null {
    if (name.length > NAME_MAX) throw new MemfsError("name_too_long", "the name is longer than 255 bytes");
    const entry = this.#view.live.store.entry(parent, name);
    if (entry === null) return null;
    this.#view.live.settleElsewhere(this.#view, entry.node);
    return this.#view.entry(this.#view.node(entry.node));
  }

  make(caller: Caller, making: Making): NodeEntry {
    return this.#view.entry(this.#make(caller, making));
  }

  #make(caller: Caller, { at, mode, rdev, target, deferred }: Making): NodeRecord {
    const view = this.#view;
    view.requireWritable(caller, "create", at.parent);
    const type = typeOf(mode);
    if (type === S_IFCHR || type === S_IFBLK) throw new MemfsError("not_permitted", "no device files here");
    if (!TYPES.includes(type)) throw new MemfsError("invalid_argument", "the mode is of no type of file");
    if (type === S_IFREG) checkCount(view.live.store);
    const { uid, gid } = view.identity;
    // No spreads here: each would give the object a shape of its own, at some microseconds a request.
    const made = { mode, uid, gid, rdev, target };
    return view.live.store.update(view.cause(caller, null, deferred), (tx) => create(tx, at, made));
  }

  symlink(caller: Caller, at: NodeName, target: string): NodeEntry {
    if (target === "") throw new MemfsError("not_found", "a symbolic link needs a target");
    if (target.length > TARGET_MAX) throw new MemfsError("name_too_long", "the target is longer than 4095 bytes");
    return this.make(caller, { at, mode: S_IFLNK | 0o777, target });
  }

  mkdir(caller: Caller, at: NodeName, mode: number): NodeEntry {
    return this.make(caller, { at, mode: S_IFDIR | (mode & PERMISSIONS) });
  }

  /** A regular file by mknod(2): there is no handle that could commit it later, so its first version is made now. */
  mknod(caller: Caller, making: Making): NodeEntry {
    const node = this.#make(caller, making);
    if (isFile(node.mode)) {
      draftOf(this.#view, node);
      commitDraft(this.#view, node.number, { caller });
    }
    return this.#view.entry(this.#view.node(node.number));
  }

  /** CREATE: the kernel believes the name to be absent, but may be wrong about it. */
  create(
    caller: Caller,
    making: Making,
    { flags, killPrivileges }: Opening,
  ): { entry: NodeEntry; opened: OpenedHandle } {
    const { at } = making;
    const existing = this.#view.live.store.entry(at.parent, at.name);
    if (existing !== null) return this.#openExisting(caller, existing.node, { flags, killPrivileges });
    // A lock file must be there when the open returns. Any other new file is recorded with its first version.
    const deferred = (flags & O_EXCL) === 0;
    const node = this.#make(caller, { at, mode: S_IFREG | (making.mode & PERMISSIONS), deferred });
    draftOf(this.#view, node);
    const entry = this.#view.entry(node);
    return { entry, opened: this.#files.openNode(caller, node, flags) };
  }

  #openExisting(
    caller: Caller,
    number: number,
    { flags, killPrivileges }: Opening,
  ): { entry: NodeEntry; opened: OpenedHandle } {
    if ((flags & O_EXCL) !== 0) throw new MemfsError("exists", "a file of that name exists");
    const opened = this.#files.open(caller, number, flags, killPrivileges);
    return { entry: this.#view.entry(this.#view.node(number)), opened };
  }

  link(caller: Caller, number: number, at: NodeName): NodeEntry {
    const view = this.#view;
    view.requireWritable(caller, "link", at.parent);
    view.node(number);
    return view.entry(view.live.store.update(view.cause(caller), (tx) => link(tx, number, at)));
  }

  unlink(caller: Caller, at: NodeName): void {
    const view = this.#view;
    view.requireWritable(caller, "unlink", at.parent);
    const rest = view.live.store.update(view.cause(caller), (tx) => unlink(tx, at));
    view.released(rest.number);
  }

  rmdir(caller: Caller, at: NodeName): void {
    const view = this.#view;
    view.requireWritable(caller, "rmdir", at.parent);
    const rest = view.live.store.update(view.cause(caller), (tx) => rmdir(tx, at));
    view.released(rest.number);
  }

  /** A promise only when a directory is moved whose listings are not in memory. */
  rename(caller: Caller, { from, to }: Move, flags: number): Answer<void> {
    const view = this.#view;
    view.requireWritable(caller, "rename", from.parent);
    view.node(to.parent);
    if ((flags & ~RENAME_NOREPLACE) !== 0)
      throw new MemfsError("invalid_argument", "the rename flags are not supported");
    const source = view.live.store.entry(from.parent, from.name);
    if (source === null) throw new MemfsError("not_found", "no such file or directory");
    const node = view.node(source.node);
    if (!isDirectory(node.mode)) return this.#renameFile(caller, node.number, { from, to, flags });
    return view.live.store.withSubtree(node.number, () =>
      this.#rename(caller, { node: node.number, from, to, flags, folds: false, note: null }),
    );
  }

  #renameFile(caller: Caller, number: number, move: { from: NodeName; to: NodeName; flags: number }): void {
    const view = this.#view;
    view.live.settleElsewhere(view, number);
    const note = this.#noteFor(number, move.to);
    commitDraft(view, number, { caller });
    const { memory } = view.node(number);
    const folds = memory !== null && view.live.store.folds(memory, view.identity.sessionId);
    this.#rename(caller, { node: number, from: move.from, to: move.to, flags: move.flags, folds, note });
  }

  /** The note that was put on the file, or on the one it replaces: a save by renaming is the target's next version. */
  #noteFor(number: number, to: NodeName): string | null {
    const { notes, live } = this.#view;
    if (notes.size === 0) return null;
    return notes.get(number) ?? notes.get(live.store.entry(to.parent, to.name)?.node ?? 0) ?? null;
  }

  #rename(
    caller: Caller,
    move: { node: number; from: NodeName; to: NodeName; flags: number; folds: boolean; note: string | null },
  ): void {
    const view = this.#view;
    const { node, from, to, flags, folds, note } = move;
    const replaced = view.live.store.entry(to.parent, to.name);
    const noReplace = (flags & RENAME_NOREPLACE) !== 0;
    view.live.store.update(view.cause(caller), (tx) => rename(tx, from, to, { noReplace, folds, note }));
    if (replaced === null) return;
    if (note !== null) view.notes.delete(node);
    view.released(replaced.node);
  }
}
