/** One mount: a store, or a read-only directory of several. Sends each request to the store its node belongs to. */

import { MemfsError } from "../errors.ts";
import { fromBytes } from "../store/tree/names.ts";
import type { NodeName } from "../store/records/node-record.ts";
import {
  type Answer,
  type AttributeChanges,
  type Attributes,
  type Caller,
  type DirectorySink,
  type FailedRequest,
  type Filesystem,
  type FilesystemStatistics,
  FIRST_VOLATILE_NODE,
  type HandleRef,
  type Invalidator,
  type Lock,
  type LockOwner,
  type LockRequest,
  type NodeEntry,
  type NodeRef,
  type OpenedHandle,
  type RangeStart,
  type WriteFlags,
} from "./filesystem.ts";
import type { DraftInfo, Drafts } from "./drafts.ts";
import { isTelling } from "./failures.ts";
import { type Hidden, isHidden, NO_ATTRIBUTES, refuseHidden } from "./hidden/hidden.ts";
import type { LiveStore } from "./live-store.ts";
import type { Parked } from "./parked.ts";
import { refusePast } from "./past/past-files.ts";
import { PastStore } from "./past/past-store.ts";
import type { ReadableStore } from "./readable-store.ts";
import { StoreFilesystem } from "./store-filesystem.ts";
import { StoresDirectory } from "./stores-directory.ts";
import type { MountIdentity } from "./view.ts";

/** A store in a mount. */
export interface MountedStore {
  readonly live: LiveStore;
  readonly access: "ro" | "rw";
  /** Name of its directory; null when the store is the mount's root. */
  readonly directory: string | null;
  /** Shown as it was after this journal entry; absent: as it is. */
  readonly at?: number | undefined;
}

export interface MountOptions {
  /** One with `directory` null, or any number with names. */
  readonly stores: readonly MountedStore[];
  readonly identity: MountIdentity;
  readonly invalidator: Invalidator;
  /** Storage is behind: requests wait at the door until it is not. */
  readonly door: { readonly pressed: boolean; relieved(): Promise<void> };
}

interface Named {
  readonly parent: NodeRef;
  readonly name: Buffer;
}

const ROOT_SLOT = 0;

const at = (parent: NodeRef, name: Buffer): NodeName => ({ parent: parent.number, name: fromBytes(name) });

export class Mount implements Filesystem {
  readonly #stores = new Map<number, ReadableStore>();
  readonly #directory: StoresDirectory | null;
  readonly #door: MountOptions["door"];

  /** @throws MemfsError `not_found` when a store has no such past */
  constructor({ stores, identity, invalidator, door }: MountOptions) {
    this.#door = door;
    const single = stores.length === 1 && stores[0]?.directory === null;
    stores.forEach(({ live, access, at: seq }, index) => {
      const slot = single ? ROOT_SLOT : index + 1;
      const store =
        seq === undefined
          ? new StoreFilesystem({ live, slot, access, identity, invalidator })
          : new PastStore({ live, seq, slot, identity });
      this.#stores.set(slot, store);
    });
    this.#directory = single
      ? null
      : new StoresDirectory(
          identity,
          stores.map(({ directory }) => directory ?? ""),
        );
  }

  get pressed(): boolean {
    return this.#door.pressed;
  }

  relieved(): Promise<void> {
    return this.#door.relieved();
  }

  lookup(_caller: Caller, parent: NodeRef, name: Buffer): Answer<NodeEntry | null> {
    if (parent.number >= FIRST_VOLATILE_NODE) return this.#hidden(parent).lookup(parent.number, name);
    if (!this.#isDirectory(parent)) {
      const store = this.#of(parent);
      const found = store.names.lookup(at(parent, name));
      return found === null && isHidden(parent, name) ? (store.hidden?.root() ?? null) : found;
    }
    const slot = this.#directory?.find(name) ?? null;
    if (slot === null) return null;
    const store = this.#root(slot);
    store.rootLookedUp();
    return store.root();
  }

  forget(node: NodeRef, count: number): void {
    const store = this.#stores.get(node.slot);
    if (node.number >= FIRST_VOLATILE_NODE) store?.hidden?.forget(node.number, count);
    else store?.forget(node.number, count);
  }

  getattr(_caller: Caller, node: NodeRef): Answer<Attributes> {
    if (node.number >= FIRST_VOLATILE_NODE) return this.#hidden(node).getattr(node.number);
    return this.#isDirectory(node) ? this.#rootAttributes() : this.#of(node).getattr(node.number);
  }

  setattr(caller: Caller, node: NodeRef, handle: HandleRef | null, changes: AttributeChanges): Answer<Attributes> {
    return this.#writable(node).setattr(caller, node.number, { handle, changes });
  }

  readlink(_caller: Caller, node: NodeRef): Answer<Buffer> {
    if (node.number >= FIRST_VOLATILE_NODE) return this.#hidden(node).readlink(node.number);
    return this.#of(node).readlink(node.number);
  }

  symlink(caller: Caller, parent: NodeRef, name: Buffer, target: Buffer): Answer<NodeEntry> {
    return this.#directoryOf(parent, name).names.symlink(caller, at(parent, name), fromBytes(target));
  }

  mknod(caller: Caller, parent: NodeRef, name: Buffer, mode: number, rdev: number): Answer<NodeEntry> {
    return this.#directoryOf(parent, name).names.mknod(caller, { at: at(parent, name), mode, rdev });
  }

  mkdir(caller: Caller, parent: NodeRef, name: Buffer, mode: number): Answer<NodeEntry> {
    return this.#directoryOf(parent, name).names.mkdir(caller, at(parent, name), mode);
  }

  unlink(caller: Caller, parent: NodeRef, name: Buffer): Answer<void> {
    this.#directoryOf(parent, name).names.unlink(caller, at(parent, name));
  }

  rmdir(caller: Caller, parent: NodeRef, name: Buffer): Answer<void> {
    this.#directoryOf(parent, name).names.rmdir(caller, at(parent, name));
  }

  rename(caller: Caller, from: Named, to: Named, flags: number): Answer<void> {
    const store = this.#directoryOf(from.parent, from.name);
    if (this.#directoryOf(to.parent, to.name) !== store)
      throw new MemfsError("cross_device", "the two names are in different stores");
    const move = {
      from: at(from.parent, from.name),
      to: at(to.parent, to.name),
    };
    return store.names.rename(caller, move, flags);
  }

  link(caller: Caller, node: NodeRef, parent: NodeRef, name: Buffer): Answer<NodeEntry> {
    const store = this.#directoryOf(parent, name);
    if (this.#writable(node) !== store) throw new MemfsError("cross_device", "the file is in another store");
    return store.names.link(caller, node.number, at(parent, name));
  }

  open(caller: Caller, node: NodeRef, flags: number, killPrivileges = false): Answer<OpenedHandle> {
    if (node.number >= FIRST_VOLATILE_NODE) return this.#hidden(node).open(node.number, flags);
    return this.#of(node).files.open(caller, node.number, flags, killPrivileges);
  }

  create(
    caller: Caller,
    parent: NodeRef,
    name: Buffer,
    flags: number,
    mode: number,
    killPrivileges = false,
  ): Answer<{ entry: NodeEntry; opened: OpenedHandle }> {
    return this.#directoryOf(parent, name).names.create(
      caller,
      { at: at(parent, name), mode },
      { flags, killPrivileges },
    );
  }

  tmpfile(
    caller: Caller,
    parent: NodeRef,
    flags: number,
    mode: number,
  ): Answer<{ entry: NodeEntry; opened: OpenedHandle }> {
    return this.#writable(parent).names.createNameless(caller, parent.number, { mode, flags });
  }

  read(_caller: Caller, node: NodeRef, handle: HandleRef, offset: number, size: number): Answer<Buffer> {
    if (node.number >= FIRST_VOLATILE_NODE)
      return this.#hidden(node).read(node.number, handle, { offset, length: size });
    return this.#of(node).files.read(node.number, handle, { offset, length: size });
  }

  write(
    caller: Caller,
    node: NodeRef,
    handle: HandleRef,
    offset: number,
    data: Buffer,
    flags: WriteFlags,
  ): Answer<number> {
    return this.#writable(node).files.write(caller, node.number, { handle, offset, data, flags });
  }

  fallocate(
    caller: Caller,
    node: NodeRef,
    handle: HandleRef,
    range: { offset: number; length: number },
    mode: number,
  ): Answer<void> {
    const { offset, length } = range;
    return this.#writable(node).ranges.allocate(caller, node.number, { handle, offset, length, mode });
  }

  lseek(_caller: Caller, node: NodeRef, handle: HandleRef, offset: number, whence: number): Answer<number> {
    if (node.number >= FIRST_VOLATILE_NODE) throw new MemfsError("invalid_argument", "no holes are sought here");
    return this.#of(node).ranges.seek(node.number, handle, { offset, whence });
  }

  copyRange(caller: Caller, from: RangeStart, to: RangeStart, length: number): Answer<number> {
    const store = this.#writable(to.node);
    // The kernel then reads and writes by itself.
    if (this.#of(from.node) !== store || from.node.number >= FIRST_VOLATILE_NODE)
      throw new MemfsError("cross_device", "the file is not of this store");
    return store.ranges.copy(
      caller,
      { number: from.node.number, handle: from.handle, offset: from.offset },
      { number: to.node.number, handle: to.handle, offset: to.offset },
      length,
    );
  }

  flush(caller: Caller, node: NodeRef, handle: HandleRef, owner: LockOwner): Answer<void> {
    if (node.number >= FIRST_VOLATILE_NODE) return undefined;
    return this.#of(node).files.flush(caller, node.number, handle, owner);
  }

  release(caller: Caller, node: NodeRef, handle: HandleRef): Answer<void> {
    if (node.number < FIRST_VOLATILE_NODE) return this.#of(node).files.release(caller, node.number, handle);
    this.#hidden(node).release(node.number, handle);
  }

  fsync(caller: Caller, node: NodeRef, handle: HandleRef): Answer<void> {
    if (node.number >= FIRST_VOLATILE_NODE) return;
    return this.#of(node).files.fsync(caller, node.number, handle);
  }

  getlock(_caller: Caller, node: NodeRef, handle: HandleRef, request: LockRequest): Answer<Lock | null> {
    return this.#lockable(node).locks.get(node.number, handle, request);
  }

  setlock(_caller: Caller, node: NodeRef, handle: HandleRef, request: LockRequest): Answer<void> | Parked {
    return this.#lockable(node).locks.set(node.number, handle, request);
  }

  opendir(_caller: Caller, node: NodeRef): Answer<OpenedHandle> {
    if (node.number >= FIRST_VOLATILE_NODE) return this.#hidden(node).opendir(node.number);
    if (this.#isDirectory(node)) return { fhHigh: 0, fhLow: 0, keepCache: true, directIo: false, noFlush: false };
    return this.#of(node).directories.open(node.number);
  }

  readdir(_caller: Caller, node: NodeRef, handle: HandleRef, cookie: number, sink: DirectorySink): Answer<void> {
    if (node.number >= FIRST_VOLATILE_NODE) return this.#hidden(node).readdir(node.number, handle, { cookie, sink });
    if (!this.#isDirectory(node)) return this.#of(node).directories.read(handle, cookie, sink);
    this.#directory?.fill(this.#rootAttributes(), { cookie, sink, open: (slot) => this.#root(slot) });
  }

  releasedir(_caller: Caller, node: NodeRef, handle: HandleRef): Answer<void> {
    if (node.number >= FIRST_VOLATILE_NODE) this.#hidden(node).releasedir(node.number, handle);
    else if (!this.#isDirectory(node)) this.#of(node).directories.close(handle);
  }

  fsyncdir(_caller: Caller, node: NodeRef): Answer<void> {
    return this.#isDirectory(node) ? undefined : this.#of(node).sync();
  }

  getxattr(_caller: Caller, node: NodeRef, name: Buffer): Answer<Buffer> {
    if (node.number >= FIRST_VOLATILE_NODE) throw NO_ATTRIBUTES;
    if (this.#isDirectory(node)) throw new MemfsError("no_attribute", "the directory of stores has no attributes");
    return this.#of(node).xattrs.get(node.number, fromBytes(name));
  }

  setxattr(caller: Caller, node: NodeRef, name: Buffer, value: Buffer, flags: number): Answer<void> {
    this.#writable(node).xattrs.set(caller, node.number, { name: fromBytes(name), value, flags });
  }

  listxattr(_caller: Caller, node: NodeRef): Answer<Buffer> {
    if (this.#isDirectory(node) || node.number >= FIRST_VOLATILE_NODE) return Buffer.alloc(0);
    return this.#of(node).xattrs.list(node.number);
  }

  removexattr(caller: Caller, node: NodeRef, name: Buffer): Answer<void> {
    this.#writable(node).xattrs.remove(caller, node.number, fromBytes(name));
  }

  statfs(_caller: Caller, node: NodeRef): Answer<FilesystemStatistics> {
    return (this.#isDirectory(node) ? this.#root(1) : this.#of(node)).statfs();
  }

  failed(node: NodeRef, error: unknown, request: () => FailedRequest): void {
    if (isTelling(error)) this.#stores.get(node.slot)?.failed(node.number, error, request());
  }

  /** Commits every draft, also when a store fails to. */
  async detach(): Promise<void> {
    const stores = [...this.#stores.values()];
    this.#stores.clear();
    for (const store of stores) await store.detach();
  }

  /** Commits every draft and goes on. Resolves with how many could not be stored. */
  async commitAll(): Promise<number> {
    let failed = 0;
    for (const store of this.#stores.values()) failed += await store.commitAll();
    return failed;
  }

  /** What it holds that is no version yet, of all its stores. */
  drafts(): DraftInfo[] {
    return [...this.#stores.values()].flatMap((store) => (store instanceof StoreFilesystem ? store.drafts.list() : []));
  }

  /** The drafts of one of its stores. @throws MemfsError `not_found` */
  draftsOf(storeId: string): Drafts {
    for (const store of this.#stores.values())
      if (store instanceof StoreFilesystem && store.view.live.store.info.id === storeId) return store.drafts;
    throw new MemfsError("not_found", `the mount cannot change the store ${storeId}`);
  }

  /** Gives up the locks of programs that still use the mount, and refuses those that wait and further ones. */
  endLocks(): void {
    for (const store of this.#stores.values()) store.locks.end();
  }

  #isDirectory(node: NodeRef): boolean {
    return this.#directory !== null && node.slot === ROOT_SLOT;
  }

  #rootAttributes(): Attributes {
    if (this.#directory === null) throw new MemfsError("internal", "a mount of one store has no directory of stores");
    return this.#directory.attributes;
  }

  /** @throws MemfsError `no_locks` in `.memfs` */
  #lockable(node: NodeRef): ReadableStore {
    if (node.number >= FIRST_VOLATILE_NODE)
      throw new MemfsError("no_locks", "files in .memfs have no locks; nobody can change them");
    return this.#of(node);
  }

  #root(slot: number): ReadableStore {
    return this.#of({ slot, number: 1 });
  }

  /** @throws MemfsError `stale` */
  #of(node: NodeRef): ReadableStore {
    const store = this.#stores.get(node.slot);
    if (store === undefined) throw new MemfsError("stale", "the file is gone");
    return store;
  }

  /** @throws MemfsError `stale` */
  #hidden(node: NodeRef): Hidden {
    const { hidden } = this.#of(node);
    if (hidden === null) throw new MemfsError("stale", "the file is gone");
    return hidden;
  }

  /** @throws MemfsError `read_only` in the directory of stores, in the past, and under `.memfs` */
  #writable(node: NodeRef): StoreFilesystem {
    if (node.number >= FIRST_VOLATILE_NODE) refuseHidden();
    if (this.#isDirectory(node)) throw new MemfsError("read_only", "the directory of stores is read-only");
    const store = this.#of(node);
    return store instanceof StoreFilesystem ? store : refusePast();
  }

  /** As {@link #writable}, for a name in the directory that may be changed. */
  #directoryOf(parent: NodeRef, name: Buffer): StoreFilesystem {
    const store = this.#writable(parent);
    if (isHidden(parent, name)) refuseHidden();
    return store;
  }
}
