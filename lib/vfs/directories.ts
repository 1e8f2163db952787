/** Reading directories: in an order that does not change while entries come and go. */

import type { NodeRecord } from "../store/records/node-record.ts";
import { isDirectory } from "../store/tree/mode.ts";
import { MemfsError } from "../errors.ts";
import { toBytes } from "../store/tree/names.ts";
import { ROOT_NODE } from "../store/tree/tree.ts";
import type { Answer, DirectorySink, HandleRef, OpenedHandle } from "./filesystem.ts";
import type { DirectoryHandle, DirectorySnapshot } from "./handle.ts";
import type { Listing } from "../store/tree/listings.ts";
import type { View } from "./view.ts";

const DOT = Buffer.from(".");
const DOT_DOT = Buffer.from("..");
/** Cookies of `.` and `..`; the others are positions, moved up by this much. */
const FIRST_COOKIE = 3;

export class Directories {
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  open(number: number): OpenedHandle {
    const node = this.#view.node(number);
    if (!isDirectory(node.mode)) throw new MemfsError("not_directory", "not a directory");
    const handle = this.#view.handles.openDirectory(number);
    const { fhHigh, fhLow } = this.#view.handles.refOf(handle);
    return { fhHigh, fhLow, keepCache: this.#view.seen.listingHeld(number), directIo: false, noFlush: false };
  }

  close(ref: HandleRef): void {
    const handle = this.#view.handles.directory(ref);
    this.#view.handles.close(handle);
  }

  /** A promise only when the directory's listing is not in memory. */
  read(ref: HandleRef, cookie: number, sink: DirectorySink): Answer<void> {
    const handle = this.#view.handles.directory(ref);
    if (handle.snapshot !== null && cookie > 0) return this.#fill(handle, handle.snapshot, { cookie, sink });
    const listing = this.#view.live.store.listing(handle.node);
    if (listing !== undefined) return this.#begin(handle, listing, { cookie, sink });
    return this.#view.live.store
      .loadListing(handle.node)
      .then((loaded) => this.#begin(handle, loaded, { cookie, sink }));
  }

  #begin(handle: DirectoryHandle, listing: Listing, request: { cookie: number; sink: DirectorySink }): void {
    handle.snapshot = this.#snapshot(listing);
    this.#view.accessed(this.#view.node(handle.node), 0);
    this.#fill(handle, handle.snapshot, request);
  }

  #snapshot(listing: Listing): DirectorySnapshot {
    const { store } = this.#view.live;
    const entries = [...listing].map(([name, entry]) => ({ position: store.positionOf(name) + FIRST_COOKIE, entry }));
    return entries.sort((a, b) => a.position - b.position);
  }

  #fill(
    handle: DirectoryHandle,
    snapshot: DirectorySnapshot,
    { cookie, sink }: { cookie: number; sink: DirectorySink },
  ): void {
    const node = this.#view.node(handle.node);
    if (cookie < 1 && !this.#add(sink, DOT, 1, node)) return;
    if (cookie < 2 && !this.#add(sink, DOT_DOT, 2, this.#parentOf(node))) return;
    for (let index = after(snapshot, cookie); index < snapshot.length; index++) {
      const item = snapshot[index];
      if (item === undefined) return;
      const child = this.#present(handle.node, item.entry.name);
      if (child !== null && !this.#addChild(sink, item.entry.name, { cookie: item.position, child })) return;
    }
  }

  #add(sink: DirectorySink, name: Buffer, cookie: number, node: NodeRecord): boolean {
    return sink.add(
      name,
      cookie,
      this.#view.ref(node.number),
      node.mode,
      sink.plus ? this.#view.attributes(node) : null,
    );
  }

  #addChild(sink: DirectorySink, name: string, { cookie, child }: { cookie: number; child: NodeRecord }): boolean {
    const taken = this.#add(sink, toBytes(name), cookie, child);
    if (taken && sink.plus) this.#view.seen.lookedUp(child.number);
    return taken;
  }

  /** The node under a name of the snapshot, or null when the name has gone since. */
  #present(directory: number, name: string): NodeRecord | null {
    const entry = this.#view.live.store.entry(directory, name);
    return entry === null ? null : this.#view.node(entry.node);
  }

  #parentOf(node: NodeRecord): NodeRecord {
    return this.#view.node(node.names[0]?.parent ?? ROOT_NODE);
  }
}

/** Index of the first entry behind the cookie. */
function after(snapshot: DirectorySnapshot, cookie: number): number {
  let low = 0;
  let high = snapshot.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((snapshot[middle]?.position ?? 0) <= cookie) low = middle + 1;
    else high = middle;
  }
  return low;
}
