/** Names and nodes: the steps that transactions build creations, removals and renames from. They know no memories. */

import { MemfsError } from "../../errors.ts";
import { orphanKey } from "../records/keys.ts";
import { isDirectory, isFile, typeOf } from "./mode.ts";
import type { EntryRecord } from "../records/entry-record.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import { isLater, type Mutable, type Timestamp } from "../records/record.ts";
import type { StoreState } from "../state.ts";
import type { Transaction } from "../transaction.ts";

/** The root directory of every store. */
export const ROOT_NODE = 1;
/** Longest name in bytes, as on ext4 (NAME_MAX). */
export const NAME_MAX = 255;

const NO_XATTRS: ReadonlyMap<string, string> = new Map();

/** A name and where it goes. */
export interface Move {
  readonly from: NodeName;
  readonly to: NodeName;
}

/** What a new node is. */
export interface NewNode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: number | undefined;
  /** Bytes. */
  readonly target?: string | undefined;
  /** A file that must not have been there (O_EXCL): it may be a step of saving another one. */
  readonly exclusive?: boolean | undefined;
}

/** A node that has no name yet. */
export function newNode(number: number, made: NewNode, now: Timestamp): Mutable<NodeRecord> {
  return {
    number,
    mode: made.mode,
    uid: made.uid,
    gid: made.gid,
    rdev: made.rdev ?? 0,
    size: made.target?.length ?? 0,
    atime: now,
    mtime: now,
    ctime: now,
    birth: now,
    content: null,
    memory: null,
    names: [],
    entries: 0,
    subdirectories: 0,
    target: made.target ?? null,
    xattrs: NO_XATTRS,
    detachedSince: 0,
  };
}

/** Link count as `stat` shows it: a directory counts its own `.` and the `..` of each subdirectory. */
export function linksOf(node: NodeRecord): number {
  if (!isDirectory(node.mode)) return node.names.length;
  return node.detachedSince > 0 ? 0 : 2 + node.subdirectories;
}

/** @throws MemfsError `invalid_argument`, `name_too_long` */
export function checkName(name: string): void {
  if (name.length > NAME_MAX) throw new MemfsError("name_too_long", `a name is longer than ${NAME_MAX} bytes`);
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
    throw new MemfsError("invalid_argument", "a name is empty, a dot, or has a slash or NUL in it");
  }
}

/** The directory to put names into. @throws MemfsError `not_directory`, `not_found` */
export function directory(tx: Transaction, number: number): NodeRecord {
  const node = tx.node(number);
  if (!isDirectory(node.mode)) throw new MemfsError("not_directory", "not a directory");
  if (node.detachedSince > 0) throw new MemfsError("not_found", "the directory was removed");
  return node;
}

/** @throws MemfsError `not_found` */
export function existingEntry(tx: Transaction, { parent, name }: NodeName): EntryRecord {
  const entry = tx.entry(parent, name);
  if (entry === null) throw new MemfsError("not_found", "no such file or directory");
  return entry;
}

/** Gives the node a name that must be free. */
export function addName(tx: Transaction, node: Mutable<NodeRecord>, at: NodeName): void {
  checkName(at.name);
  const parent = directory(tx, at.parent);
  if (tx.entry(at.parent, at.name) !== null) throw new MemfsError("exists", "a file of that name exists");
  tx.putEntry(at.parent, at.name, { name: at.name, node: node.number, type: typeOf(node.mode) });
  resize(tx, parent.number, { subdirectory: isDirectory(node.mode), by: 1 });
  node.names = [...node.names, at];
  node.ctime = tx.now;
  node.detachedSince = 0;
}

/** Takes a name away. A node without names becomes an orphan: open handles and the kernel may still refer to it. */
export function removeName(tx: Transaction, number: number, at: NodeName): Mutable<NodeRecord> {
  const node = tx.editNode(number);
  tx.putEntry(at.parent, at.name, null);
  resize(tx, at.parent, { subdirectory: isDirectory(node.mode), by: -1 });
  node.names = node.names.filter((name) => name.parent !== at.parent || name.name !== at.name);
  node.ctime = tx.now;
  if (node.names.length > 0) return node;
  node.detachedSince = tx.at;
  tx.mark(orphanKey(number));
  if (isFile(node.mode)) tx.counters.liveBytes -= node.size;
  return node;
}

/** Moves one name of a node to a free one. The order of its names stays. */
export function moveName(tx: Transaction, number: number, { from, to }: Move): Mutable<NodeRecord> {
  tx.putEntry(from.parent, from.name, null);
  return rename(tx, number, { from, to });
}

/** Two names change places. `numbers`: the nodes that are at them. */
export function exchangeNames(tx: Transaction, { from, to }: Move, numbers: readonly [number, number]): void {
  rename(tx, numbers[0], { from, to });
  rename(tx, numbers[1], { from: to, to: from });
}

function rename(tx: Transaction, number: number, { from, to }: Move): Mutable<NodeRecord> {
  const node = tx.editNode(number);
  const subdirectory = isDirectory(node.mode);
  tx.putEntry(to.parent, to.name, { name: to.name, node: number, type: typeOf(node.mode) });
  resize(tx, from.parent, { subdirectory, by: -1 });
  resize(tx, to.parent, { subdirectory, by: 1 });
  node.names = node.names.map((name) => (name.parent === from.parent && name.name === from.name ? to : name));
  node.ctime = tx.now;
  return node;
}

/** True when a name is in the directory or anywhere below it. */
export function isBelow(tx: Transaction, { parent }: NodeName, { number }: NodeRecord): boolean {
  for (let above = parent; above !== ROOT_NODE; above = tx.node(above).names[0]?.parent ?? ROOT_NODE) {
    if (above === number) return true;
  }
  return false;
}

/** Entry counts and times of a directory whose names change. */
function resize(tx: Transaction, number: number, { subdirectory, by }: { subdirectory: boolean; by: 1 | -1 }): void {
  const parent = tx.editNode(number);
  parent.entries += by;
  if (subdirectory) parent.subdirectories += by;
  parent.mtime = later(tx.now, parent.mtime);
  parent.ctime = parent.mtime;
}

/** INVARIANT: a directory's mtime strictly grows with its names; the kernel drops a cached listing only if it differs. */
function later(now: Timestamp, last: Timestamp): Timestamp {
  if (isLater(now, last)) return now;
  return last.nsec === 999_999_999 ? { sec: last.sec + 1, nsec: 0 } : { sec: last.sec, nsec: last.nsec + 1 };
}

/** Where nodes can be read from: a store, or a transaction over it. */
export interface NodeSource {
  node(number: number): NodeRecord;
}

/** Absolute path of a name. @throws MemfsError `damaged` when the tree has no way up */
export function pathOf(source: NodeSource, at: NodeName): string {
  let path = "";
  let next: NodeName | undefined = at;
  while (next !== undefined) {
    path = `/${next.name}${path}`;
    const parent: NodeRecord = source.node(next.parent);
    next = parent.names[0];
    if (next === undefined && parent.number !== ROOT_NODE)
      throw new MemfsError("not_found", "the directory was removed");
  }
  return path;
}

/** The node at an absolute path (bytes), or null. Symbolic links are not followed. */
export function nodeAt(state: StoreState, path: string): NodeRecord | null {
  let node = state.nodeOrDamaged(ROOT_NODE);
  for (const segment of path.split("/")) {
    if (segment === "") continue;
    if (!isDirectory(node.mode)) return null;
    const entry = state.entry(node.number, segment);
    if (entry === null) return null;
    node = state.nodeOrDamaged(entry.node);
  }
  return node;
}

/** Whether a directory above the path is among the paths. */
export function isBelowAny(path: string, directories: ReadonlySet<string>): boolean {
  if (directories.size === 0) return false;
  for (let cut = path.lastIndexOf("/"); cut > 0; cut = path.lastIndexOf("/", cut - 1))
    if (directories.has(path.slice(0, cut))) return true;
  return false;
}
