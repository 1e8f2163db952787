/** What undoing does to directories, symbolic links and attributes. */

import type { Uid } from "../id.ts";
import { AtView, type PastNode } from "./at.ts";
import type { PlacedDirectory, PlacedLink } from "./arrangement.ts";
import type { JournalEntry } from "./journal.ts";
import { rangeOf, readU48 } from "./keys.ts";
import { isDirectory, S_IFLNK, typeOf } from "./mode.ts";
import type { NodeRecord } from "./node-record.ts";
import type { Timestamp } from "./record.ts";
import type { StoreState } from "./state.ts";
import { pathOf, ROOT_NODE } from "./tree.ts";
import type { Turns } from "./turns.ts";
import { u48 } from "../u48.ts";
import { type Extent, pathsOf, type UndoSelection } from "./undo-selection.ts";

/** A directory or link that could not be undone. */
export interface KeptName {
  readonly kind: "directory" | "symlink";
  readonly path: string;
  readonly reason: string;
}

/** Mode and times of a file to set. */
export interface Attributes {
  readonly mode: number | null;
  readonly mtime: Timestamp | null;
}

export interface NamesUndo {
  readonly directories: readonly PlacedDirectory[];
  readonly links: readonly PlacedLink[];
  readonly removedLinks: readonly string[];
  readonly emptied: readonly number[];
  readonly attributes: ReadonlyMap<Uid, Attributes>;
  readonly kept: readonly KeptName[];
}

/** What was at a path, and in which directory that was. */
type Placed = PastNode & { readonly path: string; readonly parent: number };

/** What was done to one directory. */
interface Story {
  /** As it was before; null when it was not. */
  readonly before: Placed | null;
  /** As it was left; null when it was gone. */
  after: Placed | null;
}

/** What was done to a name that a symbolic link had, or has. */
interface LinkStory {
  readonly before: Placed | null;
  readonly after: Placed | null;
}

/** @throws MemfsError `damaged` */
export async function planNamesUndo(state: StoreState, selection: UndoSelection, turns: Turns): Promise<NamesUndo> {
  const names = new NameChanges(state);
  for (const { extent, entries } of transactionsOf(selection)) await names.read(extent, entries, turns);
  return names.plan();
}

/** Entries of one transaction follow each other. */
function* transactionsOf(selection: UndoSelection): Generator<{ extent: Extent; entries: JournalEntry[] }> {
  let entries: JournalEntry[] = [];
  let extent: Extent | null = null;
  for (const entry of selection.entries) {
    if (extent !== null && entry.seq > extent.last) {
      yield { extent, entries };
      entries = [];
    }
    extent = selection.extentOf(entry);
    entries.push(entry);
  }
  if (extent !== null) yield { extent, entries };
}

class NameChanges {
  readonly #state: StoreState;
  readonly #stories = new Map<number, Story>();
  readonly #linkStories = new Map<string, LinkStory>();
  /** Directories that move back. */
  readonly #going = new Set<number>();
  readonly #attributes = new Map<Uid, Attributes>();
  readonly #seqs = new Set<number>();
  readonly #directories: PlacedDirectory[] = [];
  readonly #links: PlacedLink[] = [];
  readonly #removedLinks: string[] = [];
  readonly #emptied: { readonly node: number; readonly path: string }[] = [];
  readonly #kept: KeptName[] = [];

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Compares what was at each path that a transaction touched before and after it. An erased entry says nothing. */
  async read({ first, last }: Extent, entries: readonly JournalEntry[], turns: Turns): Promise<void> {
    const before = new Map<string, Placed | null>();
    const after = new Map<string, Placed | null>();
    this.#seqs.add(last);
    for (const entry of entries) this.#seqs.add(entry.seq);
    for (const path of new Set(entries.flatMap(pathsOf))) {
      before.set(path, await placedAt(new AtView(this.#state, first - 1), path));
      after.set(path, await placedAt(new AtView(this.#state, last), path));
      await turns.give();
    }
    for (const node of before.values())
      if (isDirectory(node?.mode ?? 0) && node !== null) this.#story(node, node).after = null;
    for (const node of after.values())
      if (isDirectory(node?.mode ?? 0) && node !== null) this.#story(node, null).after = node;
    for (const [path, node] of before) this.#readLink({ before: linkOf(node), after: linkOf(after.get(path) ?? null) });
    for (const entry of entries) {
      const was = entry.kind === "node.changed" ? before.get(entry.erasable?.path ?? "") : undefined;
      if (entry.memory !== null && was) this.#readAttributes(entry, entry.memory, was);
    }
  }

  /** Of each name what was first there and what was last left there. */
  #readLink({ before, after }: LinkStory): void {
    for (const one of [before, after]) {
      if (one === null) continue;
      const key = `${one.parent} ${one.path.slice(one.path.lastIndexOf("/"))}`;
      const known = this.#linkStories.get(key);
      const then = one === before ? before : null;
      const now = after !== null && after.parent === one.parent ? after : null;
      this.#linkStories.set(key, { before: known === undefined ? then : known.before, after: now });
      if (before?.parent === after?.parent) break;
    }
  }

  #story({ node }: PastNode, before: Placed | null): Story {
    const known = this.#stories.get(node);
    if (known !== undefined) return known;
    const story = { before, after: null };
    this.#stories.set(node, story);
    return story;
  }

  #readAttributes(entry: JournalEntry, memory: Uid, before: PastNode): void {
    const known = this.#attributes.get(memory);
    const { permissions, mtime } = entry.erasable?.detail ?? {};
    this.#attributes.set(memory, {
      mode: known?.mode ?? (permissions === undefined ? null : before.mode),
      mtime: known?.mtime ?? (mtime === undefined ? null : before.mtime),
    });
  }

  async plan(): Promise<NamesUndo> {
    await this.#findGoing();
    for (const [number, story] of this.#stories) {
      const node = this.#state.node(number);
      const isLive = node !== undefined && node.names.length > 0;
      if (isLive && isDirectory(node.mode)) this.#planDirectory(node, story);
      else if (story.after === null && story.before !== null) this.#restore(story.before);
    }
    for (const story of this.#linkStories.values()) this.#planLink(story);
    return {
      directories: this.#directories.sort((a, b) => depth(a.path) - depth(b.path)),
      links: this.#links,
      removedLinks: this.#removedLinks,
      emptied: this.#emptied.sort((a, b) => depth(b.path) - depth(a.path)).map(({ node }) => node),
      attributes: this.#attributes,
      kept: this.#kept,
    };
  }

  #restore(placed: Placed): void {
    const { mode, mtime, target } = placed;
    const path = this.#pathBefore(placed);
    if (isDirectory(mode)) this.#directories.push({ node: null, path, mode });
    else this.#links.push({ path, target: target ?? "", mode, mtime });
  }

  /** Where something goes back to: to its directory of then, wherever that will be. */
  #pathBefore({ path, parent }: Placed): string {
    return (this.#pathToBe(parent) ?? path.slice(0, path.lastIndexOf("/"))) + path.slice(path.lastIndexOf("/"));
  }

  /** Where a directory will be; null for one that is gone. */
  #pathToBe(number: number): string | null {
    if (number === ROOT_NODE) return "";
    const story = this.#stories.get(number);
    const [name] = this.#state.node(number)?.names ?? [];
    if (story?.before && (name === undefined || this.#going.has(number))) return this.#pathBefore(story.before);
    const parent = name === undefined ? null : this.#pathToBe(name.parent);
    return name === undefined || parent === null ? null : `${parent}/${name.name}`;
  }

  #planDirectory(node: NodeRecord, { before, after }: Story): void {
    if (before === null) {
      if (after !== null) this.#emptied.push({ node: node.number, path: this.#pathOf(node) });
      return;
    }
    const isChanged = after !== null && after.mode !== before.mode && after.mode === node.mode;
    const path = this.#pathToBe(node.number) ?? before.path;
    if (isChanged || this.#going.has(node.number))
      this.#directories.push({ node: node.number, path, mode: isChanged ? before.mode : null });
  }

  /** A link that is to be another one is made anew. */
  #planLink({ before, after }: LinkStory): void {
    if (isSameLink(before, after)) return;
    if (after !== null) {
      const path = this.#pathOfLink(after);
      if (path === null && before !== null)
        this.#kept.push({ kind: "symlink", path: before.path, reason: "others changed it since" });
      if (path === null) return;
      this.#removedLinks.push(path);
    } else if (before !== null && this.#isElsewhere(before.node)) {
      this.#kept.push({ kind: "symlink", path: before.path, reason: "others moved it since" });
      return;
    }
    if (before !== null) this.#restore(before);
  }

  /** Where the link is that was left somewhere; null when others have changed it. */
  #pathOfLink({ node: number, target, parent, path }: Placed): string | null {
    const node = this.#state.node(number);
    const last = path.slice(path.lastIndexOf("/") + 1);
    const name = node?.names.find((one) => one.parent === parent && one.name === last);
    if (node === undefined || name === undefined || node.target !== target) return null;
    return pathOf({ node: (one) => this.#state.nodeOrDamaged(one) }, name);
  }

  /** Whether a link that was moved is not where it was left. One that was only removed is nowhere. */
  #isElsewhere(number: number): boolean {
    const left = [...this.#linkStories.values()].flatMap(({ after }) => (after?.node === number ? [after] : []));
    return left.length > 0 && left.every((after) => this.#pathOfLink(after) === null);
  }

  /** Finds out which directories move back. */
  async #findGoing(): Promise<void> {
    for (const [number, { before, after }] of this.#stories) {
      const node = this.#state.node(number);
      if (before === null || node === undefined || node.names.length === 0) continue;
      if (after?.path === before.path && after.parent === before.parent) continue;
      const path = this.#pathOf(node);
      if (await this.#isMovedSince(node)) this.#kept.push({ kind: "directory", path, reason: "others moved it since" });
      else this.#going.add(number);
    }
  }

  #pathOf({ names: [name] }: NodeRecord): string {
    return name === undefined ? "" : pathOf({ node: (number) => this.#state.nodeOrDamaged(number) }, name);
  }

  /** Whether what brought the node to its name was another rename than those to undo. */
  async #isMovedSince({ names: [name] }: NodeRecord): Promise<boolean> {
    if (name === undefined) return false;
    const range = rangeOf("e", u48(name.parent) + this.#state.tagOfName(name.name));
    for await (const page of this.#state.space.scan({ ...range, reverse: true, limit: 1 })) {
      for (const { key } of page) {
        const seq = readU48(key, key.length - 6);
        const kind = this.#state.journalEntry(seq)?.kind;
        return !this.#seqs.has(seq) && kind !== "node.changed";
      }
    }
    return false;
  }
}

/** @throws MemfsError `damaged` */
async function placedAt(view: AtView, path: string): Promise<Placed | null> {
  const parent = await view.find(path.slice(0, path.lastIndexOf("/")));
  const node =
    parent === null || !isDirectory(parent.mode)
      ? null
      : await view.entry(parent.node, path.slice(path.lastIndexOf("/") + 1));
  return node === null || parent === null ? null : { ...node, path, parent: parent.node };
}

function linkOf(node: Placed | null): Placed | null {
  return node !== null && typeOf(node.mode) === S_IFLNK ? node : null;
}

function isSameLink(a: PastNode | null, b: PastNode | null): boolean {
  if (a === null || b === null) return a === b;
  return a.target === b.target && a.mode === b.mode && isSame(a.mtime, b.mtime);
}

function isSame(a: Timestamp, b: Timestamp): boolean {
  return a.sec === b.sec && a.nsec === b.nsec;
}

function depth(path: string): number {
  return path.split("/").length;
}
