/** One store as a filesystem: every operation of `filesystem.ts`, by node number. */

import { setAttributes } from "../store/tree/entries.ts";
import { PERMISSIONS } from "../store/tree/mode.ts";
import { fromBytes, toBytes } from "../store/tree/names.ts";
import { ROOT_NODE } from "../store/tree/tree.ts";
import { MemfsError } from "../errors.ts";
import { storableTime, type Timestamp } from "../store/records/record.ts";
import { settleDraft, showHead } from "./commits.ts";
import { Directories } from "./directories.ts";
import { Drafts } from "./drafts.ts";
import { Files } from "./files.ts";
import {
  type Answer,
  type AttributeChanges,
  type Attributes,
  type Caller,
  type FailedRequest,
  type FilesystemStatistics,
  FIRST_VOLATILE_NODE,
  type HandleRef,
  type NodeEntry,
} from "./filesystem.ts";
import { Hidden } from "./hidden/hidden.ts";
import { Locks } from "./locks.ts";
import { Names } from "./names.ts";
import { ownerChanges } from "./ownership.ts";
import { dropPrivileges } from "./privileges.ts";
import { Ranges } from "./ranges.ts";
import type { ReadableStore } from "./readable-store.ts";
import { View, type ViewOptions } from "./view.ts";
import { Xattrs } from "./xattrs.ts";

const BLOCK_BYTES = 4096;

export class StoreFilesystem implements ReadableStore {
  readonly view: View;
  readonly files: Files;
  readonly names: Names;
  readonly directories: Directories;
  readonly xattrs: Xattrs;
  readonly hidden: Hidden;
  readonly locks: Locks;
  readonly ranges: Ranges;
  readonly drafts: Drafts;

  constructor(options: Omit<ViewOptions, "settle" | "showHead">) {
    this.view = new View({
      ...options,
      settle: (node) => settleDraft(this.view, node),
      showHead: (node) => showHead(this.view, node),
    });
    this.files = new Files(this.view);
    this.names = new Names(this.view, this.files);
    this.directories = new Directories(this.view);
    this.xattrs = new Xattrs(this.view);
    this.hidden = new Hidden(this.view);
    this.locks = new Locks(this.view);
    this.ranges = new Ranges(this.view);
    this.drafts = new Drafts(this.view);
  }

  forget(number: number, count: number): void {
    if (this.view.seen.forgotten(number, count)) this.view.released(number);
  }

  getattr(number: number): Answer<Attributes> {
    const settling = this.view.live.settleElsewhere(this.view, number);
    if (settling !== undefined) return settling.then(() => this.view.attributes(this.view.node(number)));
    return this.view.attributes(this.view.node(number));
  }

  setattr(
    caller: Caller,
    number: number,
    { handle, changes }: { handle: HandleRef | null; changes: AttributeChanges },
  ): Answer<Attributes> {
    this.view.requireWritable(caller, "setattr", number);
    const { size } = changes;
    if (changes.killPrivileges === true) dropPrivileges(this.view, caller, number);
    const sizing = size === undefined ? undefined : this.files.setSize(caller, number, { size, handle });
    if (sizing !== undefined) return sizing.then(() => this.#setMetadata(caller, number, changes));
    return this.#setMetadata(caller, number, changes);
  }

  #setMetadata(caller: Caller, number: number, changes: AttributeChanges): Attributes {
    this.#changeMetadata(caller, number, changes);
    return this.view.attributes(this.view.node(number));
  }

  #changeMetadata(caller: Caller, number: number, changes: AttributeChanges): void {
    const { view } = this;
    const now = view.now();
    const atime = timeOf(changes.atime, now);
    const mtime = timeOf(changes.mtime, now);
    const permissions = changes.mode === undefined ? undefined : changes.mode & PERMISSIONS;
    if (atime !== undefined) view.live.accessTimes.forget(number);
    const owner = view.identity.posixOwner ? ownerChanges(view.node(number), changes) : null;
    if (atime === undefined && mtime === undefined && permissions === undefined && owner === null) return;
    const attributes = {
      ...owner,
      ...(permissions === undefined ? {} : { permissions }),
      ...(atime === undefined ? {} : { atime }),
      ...(mtime === undefined ? {} : { mtime }),
    };
    const draft = view.drafts.get(number);
    if (draft !== undefined && mtime !== undefined) draft.mtime = mtime;
    if (draft !== undefined) draft.ctime = now;
    // The kernel sets the times of a file it is truncating along with the size: the draft has them, nothing to record.
    if (changes.size !== undefined && permissions === undefined && owner === null) return;
    view.live.store.update(view.cause(caller), (tx) => setAttributes(tx, number, attributes));
  }

  readlink(number: number): Buffer {
    const { target } = this.view.node(number);
    if (target === null) throw new MemfsError("invalid_argument", "not a symbolic link");
    return toBytes(target);
  }

  statfs(): FilesystemStatistics {
    const { store } = this.view.live;
    const { maxLiveBytes, maxMemories } = store.policy;
    const { liveBytes, memories } = store.usage();
    return {
      blockSize: BLOCK_BYTES,
      blocks: Math.floor(maxLiveBytes / BLOCK_BYTES),
      blocksFree: Math.max(0, Math.floor((maxLiveBytes - liveBytes) / BLOCK_BYTES)),
      files: maxMemories,
      filesFree: Math.max(0, maxMemories - memories),
      nameMax: 255,
    };
  }

  /** Remembers a failure of this mount that its errno does not explain. */
  failed(number: number, error: unknown, { operation, name }: FailedRequest): void {
    const place = this.#placeOf(number);
    const path = name === null ? place : `${place === "/" ? "" : place}/${fromBytes(name)}`;
    this.view.failures.add(this.view.live.clock.now(), { operation, path, error });
  }

  #placeOf(number: number): string {
    if (number >= FIRST_VOLATILE_NODE) return this.hidden.pathOf(number);
    try {
      const path = this.view.pathOf(number);
      return path === "/" && number !== ROOT_NODE ? "(removed)" : path;
    } catch {
      return "(unknown)";
    }
  }

  root(): NodeEntry {
    return { node: this.view.ref(ROOT_NODE), attributes: this.view.attributes(this.view.node(ROOT_NODE)) };
  }

  rootLookedUp(): void {
    this.view.seen.lookedUp(ROOT_NODE);
  }

  sync(): Promise<void> {
    return this.view.live.store.sync();
  }

  /** Commits every draft. Resolves with how many could not be stored. */
  async commitAll(): Promise<number> {
    for (const number of this.view.drafts.keys()) await settleDraft(this.view, number);
    let failed = 0;
    for (const number of this.view.drafts.keys())
      if ((this.view.live.store.node(number)?.names.length ?? 0) > 0) failed += 1;
    return failed;
  }

  async detach(): Promise<void> {
    this.view.ending = true;
    await this.commitAll();
    for (const draft of this.view.drafts.values()) draft.free();
    this.locks.end();
    this.view.live.settle();
    this.view.end();
    this.view.live.reap();
  }
}

/** The time that a change asks for; undefined when it leaves that time alone. */
function timeOf(asked: Timestamp | "now" | undefined, now: Timestamp): Timestamp | undefined {
  if (asked === undefined) return undefined;
  return asked === "now" ? now : storableTime(asked);
}
