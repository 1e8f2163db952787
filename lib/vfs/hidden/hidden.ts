/**
 * The directory `.memfs` of a store in a mount: found by name, listed nowhere, read-only. This answers the kernel; what
 * there is to see is in the other files here.
 */

import { MemfsError } from "../../errors.ts";
import { S_IFDIR } from "../../store/tree/mode.ts";
import { toBytes } from "../../store/tree/names.ts";
import { ROOT_NODE } from "../../store/tree/tree.ts";
import type { Attributes, DirectorySink, HandleRef, NodeEntry, NodeRef, OpenedHandle } from "../filesystem.ts";
import { isWritable, O_TRUNC } from "../handle.ts";
import { unownedAttributes } from "../unowned-attributes.ts";
import type { View } from "../view.ts";
import type { HiddenDirectory, HiddenName, Look, OpenBytes } from "./node.ts";
import { HIDDEN_ROOT, HiddenNodes, type KnownNode } from "./nodes.ts";
import { hiddenRoot } from "./root.ts";

const NAME = Buffer.from(".memfs");
const DOT = Buffer.from(".");
const DOT_DOT = Buffer.from("..");
/** Cookies of `.` and `..` are 1 and 2, those of the names follow. */
const FIRST_COOKIE = 3;

interface OpenNode {
  readonly known: KnownNode;
  /** Null for a directory. */
  readonly bytes: OpenBytes | null;
  /** Names of a directory, once reading has begun. */
  names: readonly HiddenName[] | null;
}

/** Made once: `ls -l` asks every node. */
export const NO_ATTRIBUTES = new MemfsError("no_attribute", "what is under .memfs has no extended attributes");

/** Whether a name of the store's root is that of its hidden directory. */
export function isHidden(parent: NodeRef, name: Buffer): boolean {
  return parent.number === ROOT_NODE && name.equals(NAME);
}

/** What every attempt to change something there is told. */
export function refuseHidden(): never {
  throw new MemfsError("read_only", ".memfs shows the past and is read-only; copy from it, or use memfs rollback");
}

export class Hidden {
  readonly #view: View;
  readonly #nodes: HiddenNodes;
  readonly #open = new Map<number, OpenNode>();
  #lastHandle = 0;

  constructor(view: View) {
    this.#view = view;
    this.#nodes = new HiddenNodes(hiddenRoot(view));
  }

  /** `.memfs` itself, by name. */
  async root(): Promise<NodeEntry> {
    return { node: this.#view.ref(HIDDEN_ROOT), attributes: await this.getattr(HIDDEN_ROOT) };
  }

  /** An absent name is an error here, because the kernel must not remember that it is absent. @throws MemfsError `not_found` */
  async lookup(number: number, name: Buffer): Promise<NodeEntry> {
    const bytes = name.toString("latin1");
    const found = await this.#directory(number).lookup(bytes);
    if (found === null) throw new MemfsError("not_found", "no such file or directory");
    const look = await found.look();
    const known = this.#nodes.lookedUp(number, bytes, found);
    return { node: this.#view.ref(known.number), attributes: this.#attributes(known.opened?.look ?? look) };
  }

  forget(number: number, count: number): void {
    this.#nodes.forgotten(number, count);
  }

  /** While a file is open its size is that of what the newest open reads. */
  async getattr(number: number): Promise<Attributes> {
    const { node, opened } = this.#nodes.get(number);
    return this.#attributes(opened?.look ?? (await node.look()));
  }

  #attributes(look: Look): Attributes {
    return unownedAttributes(look, this.#view.identity);
  }

  readlink(number: number): Buffer {
    const { node } = this.#nodes.get(number);
    if (node.kind !== "link") throw new MemfsError("invalid_argument", "not a symbolic link");
    return toBytes(node.target);
  }

  async open(number: number, flags: number): Promise<OpenedHandle> {
    if (isWritable(flags) || (flags & O_TRUNC) !== 0) refuseHidden();
    const known = this.#nodes.get(number);
    if (known.node.kind === "directory") throw new MemfsError("is_directory", "is a directory");
    if (known.node.kind === "link") throw new MemfsError("invalid_argument", "a symbolic link has no content");
    const bytes = await known.node.open();
    return this.#opened(known, bytes);
  }

  #opened(known: KnownNode, bytes: OpenBytes | null): OpenedHandle {
    this.#lastHandle += 1;
    this.#open.set(this.#lastHandle, { known, bytes, names: null });
    this.#nodes.opened(known, bytes);
    return { fhHigh: 0, fhLow: this.#lastHandle, keepCache: false, directIo: bytes?.changes ?? true, noFlush: true };
  }

  read(number: number, handle: HandleRef, { offset, length }: { offset: number; length: number }): Buffer {
    const { bytes } = this.#handle(number, handle);
    if (bytes === null) throw new MemfsError("bad_handle", "the handle is of a directory");
    return bytes.read(offset, length);
  }

  release(number: number, handle: HandleRef): void {
    const { known, bytes } = this.#handle(number, handle);
    if (bytes === null) throw new MemfsError("bad_handle", "the handle is of a directory");
    this.#closed(known, handle);
  }

  releasedir(number: number, handle: HandleRef): void {
    const { known, bytes } = this.#handle(number, handle);
    if (bytes !== null) throw new MemfsError("bad_handle", "the handle is of a file");
    this.#closed(known, handle);
  }

  #closed(known: KnownNode, { fhLow }: HandleRef): void {
    this.#open.delete(fhLow);
    this.#nodes.closed(known);
  }

  opendir(number: number): OpenedHandle {
    this.#directory(number);
    return this.#opened(this.#nodes.get(number), null);
  }

  async readdir(
    number: number,
    handle: HandleRef,
    { cookie, sink }: { cookie: number; sink: DirectorySink },
  ): Promise<void> {
    const open = this.#handle(number, handle);
    if (cookie === 0 || open.names === null) open.names = await this.#directory(number).list();
    this.#fill(open.known, open.names, { cookie, sink });
  }

  /** Names without nodes: whoever wants more looks them up. */
  #fill(
    { number, parent }: KnownNode,
    names: readonly HiddenName[],
    { cookie, sink }: { cookie: number; sink: DirectorySink },
  ): void {
    const above = number === HIDDEN_ROOT ? ROOT_NODE : parent;
    if (cookie < 1 && !sink.add(DOT, 1, this.#view.ref(number), S_IFDIR, null)) return;
    if (cookie < 2 && !sink.add(DOT_DOT, 2, this.#view.ref(above), S_IFDIR, null)) return;
    for (let index = Math.max(0, cookie - FIRST_COOKIE + 1); index < names.length; index++) {
      const listed = names[index];
      if (listed === undefined) return;
      const child = this.#view.ref(this.#nodes.numberOf(number, `${listed.name}/`));
      if (!sink.add(toBytes(listed.name), index + FIRST_COOKIE, child, listed.type, null)) return;
    }
  }

  /** Path of a node below the store's root. Bytes. */
  pathOf(number: number): string {
    return this.#nodes.pathOf(number);
  }

  #directory(number: number): HiddenDirectory {
    const { node } = this.#nodes.get(number);
    if (node.kind !== "directory") throw new MemfsError("not_directory", "not a directory");
    return node;
  }

  #handle(number: number, { fhHigh, fhLow }: HandleRef): OpenNode {
    const open = this.#open.get(fhLow);
    if (open?.known.number !== number || fhHigh !== 0) throw new MemfsError("bad_handle", "the handle is not open");
    return open;
  }
}
