/** Reading directories of a store as it was. */

import { MemfsError } from "../../errors.ts";
import type { PastName } from "../../store/history/at.ts";
import { isDirectory, S_IFDIR } from "../../store/tree/mode.ts";
import { toBytes } from "../../store/tree/names.ts";
import type { DirectorySink, HandleRef, OpenedHandle } from "../filesystem.ts";
import type { PastView } from "./past-view.ts";

const DOT = Buffer.from(".");
const DOT_DOT = Buffer.from("..");
/** Cookies of `.` and `..` are 1 and 2, those of the names follow. */
const FIRST_COOKIE = 3;

export class PastDirectories {
  readonly #view: PastView;
  /** Names of open directories by number of the handle, once reading has begun. */
  readonly #names = new Map<number, readonly PastName[]>();

  constructor(view: PastView) {
    this.#view = view;
  }

  /** @throws MemfsError `not_directory`, `stale` */
  open(number: number): OpenedHandle {
    const { handles, nodes } = this.#view;
    const known = nodes.get(number);
    if (!isDirectory(known.node.mode)) throw new MemfsError("not_directory", "not a directory");
    known.handles += 1;
    const { fhHigh, fhLow } = handles.refOf(handles.openDirectory(number));
    return { fhHigh, fhLow, keepCache: true, directIo: false, noFlush: false };
  }

  /** @throws MemfsError `bad_handle` */
  close(ref: HandleRef): void {
    const { handles, nodes } = this.#view;
    const handle = handles.directory(ref);
    handles.close(handle);
    this.#names.delete(handle.id);
    nodes.closed(handle.node);
  }

  /** @throws MemfsError `bad_handle`, `damaged` */
  async read(ref: HandleRef, cookie: number, sink: DirectorySink): Promise<void> {
    const { handles, nodes } = this.#view;
    const { id, node: directory } = handles.directory(ref);
    const names = this.#names.get(id) ?? (await this.#load(id, directory));
    const { parent } = nodes.get(directory);
    if (cookie < 1 && !sink.add(DOT, 1, this.#view.ref(directory), S_IFDIR, null)) return;
    if (cookie < 2 && !sink.add(DOT_DOT, 2, this.#view.ref(parent), S_IFDIR, null)) return;
    for (let index = Math.max(0, cookie - FIRST_COOKIE + 1); index < names.length; index++) {
      const listed = names[index];
      if (listed === undefined || !(await this.#add(directory, listed, { cookie: index + FIRST_COOKIE, sink }))) return;
    }
  }

  async #load(handle: number, directory: number): Promise<readonly PastName[]> {
    const names: PastName[] = [];
    for await (const listed of this.#view.at.list(directory)) names.push(listed);
    this.#names.set(handle, names);
    return names;
  }

  /** False when the answer is full. With READDIRPLUS the kernel is given the node as well. */
  async #add(
    directory: number,
    listed: PastName,
    { cookie, sink }: { cookie: number; sink: DirectorySink },
  ): Promise<boolean> {
    const { nodes } = this.#view;
    const name = toBytes(listed.name);
    const node = sink.plus ? await this.#view.resolve(directory, listed) : null;
    if (node === null) return sink.add(name, cookie, this.#view.ref(listed.node), listed.type, null);
    const known = nodes.lookedUp(directory, listed.name, node);
    const { node: ref, attributes } = this.#view.entry(known);
    if (sink.add(name, cookie, ref, attributes.mode, attributes)) return true;
    nodes.forgotten(known.number, 1);
    return false;
  }
}
