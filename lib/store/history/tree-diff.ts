/**
 * What differs between two moments of a store, or of a directory in it: files and symbolic links. Directories are known
 * by what is in them. Which files can differ is told by the journal between the moments, so that it costs what happened
 * there and not what the store holds.
 */

import { MemfsError } from "../../errors.ts";
import type { Uid } from "../../id.ts";
import { AtView, type PastNode } from "./at.ts";
import { compareSides, type DiffSide, type FileDiff, sideOf } from "./diff.ts";
import { decodeJournalEntry, type JournalEntry } from "../journal.ts";
import { journalKey } from "../records/keys.ts";
import { isDirectory, isFile, S_IFLNK, typeOf } from "../tree/mode.ts";
import { previousOf } from "./provenance.ts";
import type { StoreState } from "../state.ts";
import { Turns } from "../turns.ts";
import { type VersionRecord, versionOf } from "../records/version-record.ts";
import { versionAtSeq } from "../versions.ts";

/** What to compare. */
export interface TreeDiff {
  /** Journal entries as `Past.seqOf` gives them; the first may be the later one. */
  readonly from: number;
  readonly to: number;
  /** Path of a directory, bytes; empty for the whole store. A file that moves in or out of it comes or goes. */
  readonly directory: string;
}

/** A pair that may differ. */
interface Pair {
  readonly from: DiffSide | null;
  readonly to: DiffSide | null;
}

/**
 * The files that differ, by path. They are compared one by one as they are asked for.
 * @throws MemfsError `damaged`
 */
export async function diffTrees(state: StoreState, asked: TreeDiff): Promise<AsyncIterable<FileDiff>> {
  const turns = new Turns();
  const early = Math.min(asked.from, asked.to);
  const late = Math.max(asked.from, asked.to);
  const changes = await changesBetween(state, { early, late }, turns);
  const moments = new Moments(state, { early, late, directory: asked.directory });
  const pairs: Pair[] = [];
  for (const [memory, change] of changes.memories) {
    const pair = await moments.pairOf(memory, change);
    if (pair !== null) pairs.push(pair);
    await turns.give();
  }
  if (changes.links) pairs.push(...(await moments.links()));
  const found = joined(pairs);
  const turned = asked.from === early ? found : found.map(({ from, to }) => ({ from: to, to: from }));
  return compared(
    state,
    turned.sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1)),
  );
}

async function* compared(state: StoreState, pairs: readonly Pair[]): AsyncGenerator<FileDiff> {
  const turns = new Turns();
  for (const { from, to } of pairs) {
    const diff = compareOrSay(state, { from, to });
    if (diff !== null) yield diff;
    await turns.give();
  }
}

/** One damaged file does not hide what is to be said of the others. */
function compareOrSay(state: StoreState, { from, to }: Pair): FileDiff | null {
  try {
    return compareSides(state, from, to);
  } catch (error) {
    if (!(error instanceof MemfsError) || error.code !== "damaged") throw error;
    return { from, to, kind: "damaged", hunks: [] };
  }
}

function pathOf({ from, to }: Pair): string {
  return to?.path ?? from?.path ?? "";
}

/** A file that went and another one that came to the same path are one file that changed. */
function joined(pairs: readonly Pair[]): Pair[] {
  const gone = new Map<string, Pair>();
  for (const pair of pairs) if (pair.from !== null && pair.to === null) gone.set(keyOf(pair.from), pair);
  const merged = new Set<Pair>();
  const found = pairs.map((pair) => {
    const before = pair.from === null && pair.to !== null ? gone.get(keyOf(pair.to)) : undefined;
    if (before === undefined) return pair;
    merged.add(before);
    return { from: before.from, to: pair.to };
  });
  return found.filter((pair) => !merged.has(pair));
}

function keyOf({ path, target }: DiffSide): string {
  return `${target === null ? "file" : "link"} ${path}`;
}

/** What the journal says of a memory between two moments. */
interface Change {
  /** Its first and last listed version there; null when only its attributes changed. */
  first: VersionRecord | null;
  last: VersionRecord | null;
  /** Its mode may differ from that of its versions. */
  mode: boolean;
}

interface Changes {
  readonly memories: ReadonlyMap<Uid, Change>;
  /** True when symbolic links may differ. */
  readonly links: boolean;
}

async function changesBetween(
  state: StoreState,
  { early, late }: { early: number; late: number },
  turns: Turns,
): Promise<Changes> {
  const memories = new Map<Uid, Change>();
  let links = false;
  for await (const page of state.space.scan({ gte: journalKey(early + 1), lt: journalKey(late + 1) })) {
    for (const { value } of page) {
      const entry = decodeJournalEntry(value);
      links ||= concernsLinks(entry);
      note(state, memories, entry);
      await turns.give();
    }
  }
  return { memories, links };
}

function note(state: StoreState, memories: Map<Uid, Change>, entry: JournalEntry): void {
  const version = versionOf(entry);
  const listed = version !== undefined && state.isListed(version) ? version : null;
  const mode = entry.kind === "node.changed";
  if (entry.memory === null || (listed === null && !mode)) return;
  const change = memories.get(entry.memory) ?? { first: listed, last: null, mode: false };
  change.first ??= listed;
  change.last = listed ?? change.last;
  change.mode ||= mode;
  memories.set(entry.memory, change);
}

/** Entries of directories and of links look alike, and a file may have come to the name of a link. */
function concernsLinks({ kind, memory, erasable }: JournalEntry): boolean {
  if (memory !== null) return kind === "memory.created" || kind === "memory.renamed" || kind === "entry.renamed";
  const mode = erasable?.detail?.["mode"];
  if (kind === "entry.created") return typeof mode !== "number" || typeOf(mode) === S_IFLNK;
  if (kind === "node.changed") return erasable?.detail?.["permissions"] !== undefined;
  return kind === "entry.removed" || kind === "entry.renamed";
}

/** A moment, and the directories that were found in it. */
class Moment {
  readonly view: AtView;
  readonly #directories = new Map<string, number | null>();

  constructor(state: StoreState, seq: number) {
    this.view = new AtView(state, seq);
  }

  /** Mode of the file at a path; null when it is not there with this version. */
  async modeOf(path: string, version: VersionRecord): Promise<number | null> {
    const cut = path.lastIndexOf("/");
    const parent = await this.#directory(path.slice(0, cut));
    return parent === null ? null : this.view.modeOf(parent, path.slice(cut + 1), version);
  }

  async #directory(path: string): Promise<number | null> {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const found = await this.view.find(path);
    const number = found !== null && isDirectory(found.mode) ? found.node : null;
    this.#directories.set(path, number);
    return number;
  }
}

/** The two moments, the earlier one first. */
class Moments {
  readonly #state: StoreState;
  readonly #early: Moment;
  readonly #late: Moment;
  readonly #directory: string;

  constructor(state: StoreState, { early, late, directory }: { early: number; late: number; directory: string }) {
    this.#state = state;
    this.#early = new Moment(state, early);
    this.#late = new Moment(state, late);
    this.#directory = directory;
  }

  /** The memory at both; null when it was in the directory at neither. */
  async pairOf(memory: Uid, { first, last, mode }: Change): Promise<Pair | null> {
    const late = last ?? (await this.#versionAt(memory));
    const early = first === null ? late : previousOf(this.#state, first);
    const from = await this.#sideAt(this.#early, early, true);
    // The last version was made with the mode of its file then, and another one since would be in the journal.
    const to = await this.#sideAt(this.#late, late, mode);
    return from === null && to === null ? null : { from, to };
  }

  async #versionAt(uid: Uid): Promise<VersionRecord | null> {
    const memory = this.#state.memory(uid);
    if (memory === undefined || memory.state === "folded") return null;
    return versionAtSeq(this.#state, memory, this.#late.view.seq);
  }

  async #sideAt(at: Moment, version: VersionRecord | null, look: boolean): Promise<DiffSide | null> {
    const side = version === null ? null : sideOf(version);
    if (version === null || side === null || !this.#holds(side.path)) return null;
    const mode = look ? await at.modeOf(side.path, version) : null;
    return mode === null ? side : sideOf(version, mode);
  }

  #holds(path: string): boolean {
    return path.startsWith(`${this.#directory}/`);
  }

  /** Symbolic links, each at both moments. */
  async links(): Promise<Pair[]> {
    const early = await linksIn(this.#early.view, this.#directory);
    const late = await linksIn(this.#late.view, this.#directory);
    const paths = new Set([...early.keys(), ...late.keys()]);
    return [...paths].map((path) => ({ from: early.get(path) ?? null, to: late.get(path) ?? null }));
  }
}

async function linksIn(view: AtView, directory: string): Promise<Map<string, DiffSide>> {
  const found = new Map<string, DiffSide>();
  const root = await view.find(directory);
  if (root !== null && isDirectory(root.mode)) await collectLinks(view, { node: root, path: directory }, found);
  return found;
}

async function collectLinks(
  view: AtView,
  { node, path }: { node: PastNode; path: string },
  found: Map<string, DiffSide>,
): Promise<void> {
  for await (const { name, type } of view.list(node.node)) {
    if (isFile(type)) continue;
    const below = await view.entry(node.node, name);
    if (below === null) continue;
    const at = `${path}/${name}`;
    if (isDirectory(type)) await collectLinks(view, { node: below, path: at }, found);
    else found.set(at, { path: at, mode: below.mode, version: null, target: below.target });
  }
}
