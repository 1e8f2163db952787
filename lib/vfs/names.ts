/** Operations on names: lookup, creation, removal, rename, links. */

import { MemfsError } from "../errors.ts";
import { create, createNameless, link, rmdir, unlink } from "../store/tree/entries.ts";
import { exchange } from "../store/tree/exchange.ts";
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
} from "../store/tree/mode.ts";
import type { NodeName, NodeRecord } from "../store/records/node-record.ts";
import type { MemoryRecord } from "../store/records/memory-record.ts";
import { rename } from "../store/tree/rename.ts";
import { type Move, NAME_MAX } from "../store/tree/tree.ts";
import { commitDraft, draftOf } from "./commits.ts";
import type { Answer, Caller, NodeEntry, OpenedHandle } from "./filesystem.ts";
import type { Files } from "./files.ts";
import { O_EXCL } from "./handle.ts";
import { checkCount } from "./limits.ts";
import { owned } from "./ownership.ts";
import type { View } from "./view.ts";

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
/** PATH_MAX without its NUL. */
const TARGET_MAX = 4095;
/** What a node can be made as. */
const TYPES: readonly number[] = [S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK];

/** What a new name is to stand for. */
export interface Making {
  readonly at: NodeName;
  /** Type and permission bits. */
  readonly mode: number;
  readonly rdev?: number;
  /** Bytes. */
  readonly target?: string;
  /** O_EXCL: perhaps a step of saving another file. */
  readonly exclusive?: boolean;
  /** Need not be durable before the next change. */
  readonly deferred?: boolean;
}

/** How a new name is opened. */
export interface Opening {
  readonly flags: number;
  /** Truncating clears suid and sgid. */
  readonly killPrivileges: boolean;
}

interface FileMove extends Move {
  readonly flags: number;
}

export class Names {
  readonly #view: View;
  readonly #files: Files;

  constructor(view: View, files: Files) {
    this.#view = view;
    this.#files = files;
  }

  lookup({ parent, name }: NodeName): Answer<NodeEntry | null> {
    if (name.length > NAME_MAX) throw new MemfsError("name_too_long", "the name is longer than 255 bytes");
    const entry = this.#view.live.store.entry(parent, name);
    if (entry === null) return null;
    const settling = this.#view.live.settleElsewhere(this.#view, entry.node);
    if (settling !== undefined) return settling.then(() => this.#view.entry(this.#view.node(entry.node)));
    return this.#view.entry(this.#view.node(entry.node));
  }

  make(caller: Caller, making: Making): NodeEntry {
    return this.#view.entry(this.#make(caller, making));
  }

  #make(caller: Caller, making: Making): NodeRecord {
    const view = this.#view;
    const { at, mode, deferred } = making;
    view.requireWritable(caller, "create", at.parent);
    const type = typeOf(mode);
    if (type === S_IFCHR || type === S_IFBLK) this.#requireDevices(caller);
    if (!TYPES.includes(type)) throw new MemfsError("invalid_argument", "the mode is of no type of file");
    if (type === S_IFREG) checkCount(view.live.store, at);
    const made = owned(view, caller, at.parent, making);
    return view.live.store.update(view.cause(caller, null, deferred), (tx) => create(tx, at, made));
  }

  #requireDevices(caller: Caller): void {
    if (this.#view.identity.posixOwner && caller.uid === 0) return;
    throw new MemfsError("not_permitted", "device files are for root, in a mount with --posix-owner");
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
      void commitDraft(this.#view, node.number, { caller });
    }
    return this.#view.entry(this.#view.node(node.number));
  }

  /** CREATE: the kernel believes the name to be absent, but may be wrong about it. */
  create(
    caller: Caller,
    making: Making,
    { flags, killPrivileges }: Opening,
  ): Answer<{ entry: NodeEntry; opened: OpenedHandle }> {
    const { at } = making;
    const existing = this.#view.live.store.entry(at.parent, at.name);
    if (existing !== null) return this.#openExisting(caller, existing.node, { flags, killPrivileges });
    // A lock file must be there when the open returns. Any other new file is recorded with its first version.
    const exclusive = (flags & O_EXCL) !== 0;
    const node = this.#make(caller, {
      at,
      mode: S_IFREG | (making.mode & PERMISSIONS),
      exclusive,
      deferred: !exclusive,
    });
    draftOf(this.#view, node);
    const entry = this.#view.entry(node);
    return { entry, opened: this.#files.openNode(caller, node, flags) };
  }

  /** O_TMPFILE: a file of this mount alone, until LINK gives it a name. */
  createNameless(
    caller: Caller,
    parent: number,
    { mode, flags }: { mode: number; flags: number },
  ): { entry: NodeEntry; opened: OpenedHandle } {
    const view = this.#view;
    view.requireWritable(caller, "create", parent);
    const made = owned(view, caller, parent, { mode: S_IFREG | (mode & PERMISSIONS) });
    const node = view.live.store.update(view.cause(caller, null, true), (tx) => createNameless(tx, parent, made));
    draftOf(view, node);
    const entry = view.entry(node);
    return { entry, opened: this.#files.openNode(caller, node, flags) };
  }

  #openExisting(
    caller: Caller,
    number: number,
    { flags, killPrivileges }: Opening,
  ): Answer<{ entry: NodeEntry; opened: OpenedHandle }> {
    if ((flags & O_EXCL) !== 0) throw new MemfsError("exists", "a file of that name exists");
    const opened = this.#files.open(caller, number, flags, killPrivileges);
    if (opened instanceof Promise)
      return opened.then((later) => ({ entry: this.#view.entry(this.#view.node(number)), opened: later }));
    return { entry: this.#view.entry(this.#view.node(number)), opened };
  }

  link(caller: Caller, number: number, at: NodeName): Answer<NodeEntry> {
    const view = this.#view;
    view.requireWritable(caller, "link", at.parent);
    const nameless = view.node(number).names.length === 0;
    if (nameless) checkCount(view.live.store, at);
    // The name of a file that had none is recorded with its first version.
    const linked = view.live.store.update(view.cause(caller, null, nameless), (tx) => link(tx, number, at));
    if (nameless) {
      view.live.named(number);
      const commit = this.#commitLinked(caller, number);
      if (commit !== undefined) return commit.then(() => view.entry(view.node(number)));
    }
    return view.entry(nameless ? view.node(number) : linked);
  }

  /** The name is there: a failure now is told to the close that follows, which tries again. */
  #commitLinked(caller: Caller, number: number): Promise<void> | undefined {
    const failed = (error: unknown): void =>
      this.#view.live.log.warn("a file that was linked could not be stored; its close tries again", {
        node: number,
        error: String(error),
      });
    try {
      return commitDraft(this.#view, number, { caller })?.catch(failed);
    } catch (error) {
      failed(error);
      return undefined;
    }
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
    if (flags === RENAME_EXCHANGE) return this.#exchange(caller, { from, to });
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

  #exchange(caller: Caller, move: Move): Answer<void> {
    const { live } = this.#view;
    const settling = live.settleElsewhere(this.#view, this.#at(move.from).number);
    const settlingToo = live.settleElsewhere(this.#view, this.#at(move.to).number);
    if (settling === undefined && settlingToo === undefined) return this.#exchangeSettled(caller, move);
    return Promise.all([settling, settlingToo]).then(() => this.#exchangeSettled(caller, move));
  }

  /** A rename is a commit point. */
  #exchangeSettled(caller: Caller, move: Move): Answer<void> {
    const view = this.#view;
    const { store } = view.live;
    const [first, second] = [this.#at(move.from), this.#at(move.to)];
    const commit = commitDraft(view, first.number, { caller }) ?? commitDraft(view, second.number, { caller });
    // Names may have changed meanwhile.
    if (commit !== undefined) return commit.then(() => this.#exchangeSettled(caller, move));
    const nodes = [this.#at(move.from), this.#at(move.to)];
    return store.withSubtrees(nodes, () => store.update(view.cause(caller), (tx) => exchange(tx, move)));
  }

  #at({ parent, name }: NodeName): NodeRecord {
    const entry = this.#view.live.store.entry(parent, name);
    if (entry === null) throw new MemfsError("not_found", "no such file or directory");
    return this.#view.node(entry.node);
  }

  #renameFile(caller: Caller, number: number, move: FileMove): Promise<void> | undefined {
    const settling = this.#view.live.settleElsewhere(this.#view, number);
    if (settling !== undefined) return settling.then(() => this.#renameSettled(caller, number, move));
    return this.#renameSettled(caller, number, move);
  }

  #renameSettled(caller: Caller, number: number, move: FileMove): Promise<void> | undefined {
    const view = this.#view;
    const note = this.#noteFor(number, move.to);
    const commit = commitDraft(view, number, { caller });
    if (commit !== undefined) return commit.then(() => this.#renameCommitted(caller, number, { ...move, note }));
    this.#renameCommitted(caller, number, { from: move.from, to: move.to, flags: move.flags, note });
    return undefined;
  }

  #renameCommitted(caller: Caller, number: number, move: FileMove & { readonly note: string | null }): void {
    const view = this.#view;
    const { from, to, flags, note } = move;
    // A commit that took long leaves time for the name to go.
    if (view.live.store.entry(from.parent, from.name)?.node !== number)
      throw new MemfsError("not_found", "no such file or directory");
    const { memory } = view.node(number);
    const folds = memory !== null && view.live.store.folding.folds(memory, view.identity.sessionId);
    this.#rename(caller, { node: number, from, to, flags, folds, note });
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
    const written = view.node(node);
    const replaced = view.live.store.entry(to.parent, to.name);
    const noReplace = (flags & RENAME_NOREPLACE) !== 0;
    view.live.store.update(view.cause(caller), (tx) => rename(tx, from, to, { noReplace, folds, note }));
    const { memory } = view.node(node);
    const went = memory === null || memory === written.memory ? undefined : view.live.store.memoryRecord(memory);
    // The file is another memory's content now, written by this mount.
    if (went !== undefined) rememberWritten(view, went, written);
    if (replaced === null) return;
    if (note !== null) view.notes.delete(node);
    view.released(replaced.node);
  }
}

function rememberWritten(view: View, memory: MemoryRecord, { content, size }: NodeRecord): void {
  if (content === null || content === memory.hash) view.bases.saw(memory);
  else view.bases.wrote(memory.memory, { version: memory.head, hash: content, size });
}
