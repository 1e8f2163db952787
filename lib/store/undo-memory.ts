/** What undoing does to one memory: its content, its path, and whether it is there. */

import { MemfsError } from "../errors.ts";
import type { Uid } from "../id.ts";
import { AtView, type PastNode } from "./at.ts";
import { finishedContent } from "./content-writer.ts";
import type { PlacedFile } from "./arrangement.ts";
import type { MemoryRecord } from "./memory-record.ts";
import { previousOf } from "./provenance.ts";
import type { StoreState } from "./state.ts";
import { pathOf } from "./tree.ts";
import type { Turns } from "./turns.ts";
import { type Revision, undoContent } from "./undo-content.ts";
import type { UndoSelection } from "./undo-selection.ts";
import type { VersionRecord } from "./version-record.ts";

/** What is to become of a memory. */
export interface MemoryUndo {
  /** What was its head: what is said here holds while it is. */
  readonly headSeq: number;
  /** Where it is, or last was. */
  readonly path: string;
  /** Null when it stays as it is. */
  readonly file: PlacedFile | null;
  /** The names it is to have, as they are now or not; null when it goes where its directory goes, or is to be deleted. */
  readonly names: readonly string[] | null;
  /** The version that it is as again; null when it is as none. */
  readonly to: VersionRecord | null;
  /** What could not be undone, in words. */
  readonly kept: readonly string[];
}

/** The versions to look at, oldest first. */
interface Chain {
  readonly memory: MemoryRecord;
  /** What was before the first selected one; null for nothing. */
  readonly base: VersionRecord | null;
  readonly revisions: readonly Revision[];
}

export interface UndoMemory {
  readonly selection: UndoSelection;
  readonly force: boolean;
  readonly turns: Turns;
}

interface Context {
  readonly undo: UndoMemory;
  readonly names: Names;
}

/** @throws MemfsError `damaged` */
export async function planMemoryUndo(state: StoreState, uid: Uid, undo: UndoMemory): Promise<MemoryUndo> {
  const memory = state.memory(uid);
  if (memory === undefined) throw new MemfsError("damaged", "a memory is missing; restore the home from a backup");
  const { headSeq, path } = memory;
  const nothing = { headSeq, path, file: null, names: null, to: null, kept: [] };
  if (memory.state === "folded") return nothing;
  const chain = await readChain(state, memory, undo);
  const names = await namesBefore(state, memory, undo.selection);
  const head = chain.revisions.at(-1);
  if (!chain.revisions.some(({ theirs }) => theirs)) {
    const paths = memory.state === "live" ? names.without(memory.path) : null;
    const wanted = memory.state === "live" && names.areChanged ? names.wanted(memory.path) : null;
    return { ...nothing, file: paths === null ? null : { ...same(uid), paths }, names: wanted };
  }
  if (chain.revisions.every(({ theirs }) => theirs))
    return { ...nothing, ...(await backTo(state, chain, { undo, names })) };
  // Others have deleted it: there is nothing left of what they did not want.
  if (memory.state === "deleted" && head?.theirs !== true) return nothing;
  const made = chain.base === null || chain.base.operation === "deleted";
  if (made && undo.force) return { ...nothing, file: deleted(uid) };
  const kept = made ? ["others wrote in it, so it stays"] : [];
  const { file, names: wanted, kept: more } = await withoutTheirs(state, chain, { undo, names });
  return { ...nothing, file, names: wanted, kept: [...kept, ...more] };
}

async function readChain(state: StoreState, memory: MemoryRecord, { selection, turns }: UndoMemory): Promise<Chain> {
  const first = selection.memories.get(memory.memory)?.first ?? Infinity;
  const revisions: Revision[] = [];
  let version = state.versionAt(memory.headSeq) ?? null;
  for (; version !== null && version.seq >= first; version = previousOf(state, version)) {
    revisions.push({ version, theirs: selection.isTheirs(version) });
    await turns.give();
  }
  // An undo of what was undone before: both are as if they were not.
  for (; version !== null && selection.isTheirs(version); version = previousOf(state, version))
    revisions.push({ version, theirs: true });
  return { memory, base: version, revisions: revisions.reverse() };
}

/** Nobody else did anything: it is what it was. */
async function backTo(
  state: StoreState,
  { memory, base, revisions }: Chain,
  { undo: { selection }, names }: Context,
): Promise<Pick<MemoryUndo, "file" | "names" | "to">> {
  const uid = memory.memory;
  const isLive = memory.state === "live";
  if (base === null || base.hash === null || base.path === null)
    return { file: isLive ? deleted(uid) : null, names: null, to: null };
  const paths = names.without(base.path);
  const isOther = !isLive || memory.hash !== base.hash;
  const { mode, mtime } = await attributesBefore(state, base, selection);
  const isChanged = !isLive || selection.attributes.has(uid);
  const hasOtherMode = isChanged || revisions.at(-1)?.version.made.mode !== mode;
  const file = {
    memory: uid,
    paths,
    content: isOther ? { hash: base.hash, size: base.size } : null,
    mode: hasOtherMode ? mode : null,
    mtime: isOther || isChanged ? mtime : null,
  };
  return { file, names: names.areChanged ? names.wanted(base.path) : null, to: base };
}

/** What the file had before all that is to be undone, which may be newer than the version before. */
async function attributesBefore(
  state: StoreState,
  base: VersionRecord,
  selection: UndoSelection,
): Promise<Pick<PastNode, "mode" | "mtime">> {
  const first = selection.memories.get(base.memory)?.first ?? 0;
  const node = (await viewBefore(state, first, selection)?.find(base.path ?? "")) ?? null;
  return node?.version?.memory === base.memory ? node : base.made;
}

/** The store before the transaction of an entry. */
function viewBefore(state: StoreState, seq: number, selection: UndoSelection): AtView | null {
  const entry = state.journalEntry(seq);
  return entry === undefined ? null : new AtView(state, selection.extentOf(entry).first - 1);
}

/** The names of a file, now and before what is to be undone. */
class Names {
  readonly #now: readonly string[];
  readonly #given: readonly string[];
  readonly #taken: ReadonlySet<string>;

  constructor(now: readonly string[], { given, taken }: { given: readonly string[]; taken: ReadonlySet<string> }) {
    this.#now = now;
    this.#given = given;
    this.#taken = taken;
  }

  /** What they are to be, with a path first; null when they are that already. */
  without(path: string): readonly string[] | null {
    const names = this.wanted(path);
    const [now] = this.#now;
    const isSame = names.length === this.#now.length && names.every((name) => this.#now.includes(name));
    return isSame && names[0] === now ? null : names;
  }

  /** As {@link without}, in any case. */
  wanted(path: string): readonly string[] {
    const stay = this.#now.filter((name) => !this.#taken.has(name));
    return [...new Set([path, ...stay, ...this.#given])];
  }

  /** Names were given or taken. */
  get areChanged(): boolean {
    return this.#given.length + this.#taken.size > 0;
  }
}

/** Of the paths that were given or taken, those that were names before come back, and the others go. */
async function namesBefore(state: StoreState, memory: MemoryRecord, selection: UndoSelection): Promise<Names> {
  const { first = 0, paths = new Set<string>() } = selection.memories.get(memory.memory) ?? {};
  const source = { node: (number: number) => state.nodeOrDamaged(number) };
  const now = memory.state === "live" ? source.node(memory.node).names.map((name) => pathOf(source, name)) : [];
  if (paths.size === 0) return new Names(now, { given: [], taken: new Set() });
  const view = viewBefore(state, first, selection);
  const given: string[] = [];
  const taken = new Set<string>();
  for (const path of paths) {
    const before = (await view?.find(path)) ?? null;
    if (before?.version?.memory === memory.memory) given.push(path);
    else taken.add(path);
  }
  return new Names(now, { given, taken });
}

function same(memory: Uid): PlacedFile {
  return { memory, paths: null, content: null, mode: null, mtime: null };
}

function deleted(memory: Uid): PlacedFile {
  return { memory, paths: [], content: null, mode: null, mtime: null };
}

/** What others did stays. */
async function withoutTheirs(
  state: StoreState,
  chain: Chain,
  { undo: { force, turns }, names }: Context,
): Promise<Pick<MemoryUndo, "file" | "names" | "kept">> {
  const { memory, base } = chain;
  const path = pathWithoutTheirs(chain, force);
  const contents = withOtherContent(chain);
  const { content, kept } = await undoContent(
    state,
    { base: base === null || base.hash === null ? null : base, revisions: contents, path: memory.path, force },
    turns,
  );
  const bytes = Buffer.isBuffer(content) ? finishedContent(content) : sameContent(content);
  const isLive = memory.state === "live";
  const paths = names.without(path.path);
  const mode = isLive ? null : (chain.revisions.at(-1)?.version.made.mode ?? null);
  const changes = !isLive || paths !== null || (bytes !== null && bytes.hash !== memory.hash);
  return {
    file: changes ? { memory: memory.memory, paths, content: bytes, mode, mtime: null } : null,
    names: names.areChanged ? names.wanted(path.path) : null,
    kept: [...kept, ...(path.isBuried ? ["others moved it since"] : [])],
  };
}

function sameContent(version: VersionRecord | null): PlacedFile["content"] {
  return version === null || version.hash === null ? null : { hash: version.hash, size: version.size };
}

/** Where others put it last; where it was, if only they moved it. */
function pathWithoutTheirs(
  { memory, base, revisions }: Chain,
  force: boolean,
): { readonly path: string; readonly isBuried: boolean } {
  let now = base?.path ?? revisions[0]?.version.path ?? memory.path;
  let path = now;
  let isPending = false;
  let isBuried = false;
  for (const { version, theirs } of revisions) {
    if (version.path === null || version.path === now) continue;
    now = version.path;
    if (theirs) isPending = true;
    else if (!force || !isPending) {
      isBuried ||= isPending;
      isPending = false;
      path = now;
    }
  }
  return { path, isBuried };
}

/** Versions that have content, and another one than the version before. */
function withOtherContent({ base, revisions }: Chain): Revision[] {
  let hash = base?.hash ?? null;
  return revisions.filter(({ version }) => {
    if (version.hash === null || version.hash === hash) return false;
    hash = version.hash;
    return true;
  });
}
