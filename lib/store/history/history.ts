/** What an open store says of its versions. What is held back for a moment is recorded first. */

import { MemfsError } from "../../errors.ts";
import { formatId, parseId } from "../../id.ts";
import { type ListAt, listAt } from "./at-list.ts";
import { blame, type BlamedLine } from "./blame.ts";
import { compareSides, type FileDiff, sideOf } from "./diff.ts";
import { type Hash, hex } from "../content/hash.ts";
import { getContentRange } from "../content/content.ts";
import { fromBytes } from "../tree/names.ts";
import { previousOf } from "./provenance.ts";
import { type SessionInfo, Sessions } from "./sessions.ts";
import type { Settling } from "../settling.ts";
import type { StoreState } from "../state.ts";
import { diffTrees, type TreeDiff } from "./tree-diff.ts";
import type { ListVersions, MemoryInfo, Micros, Page, PrefixInfo, VersionInfo, VersionSpec } from "../types.ts";
import { listVersions } from "./version-list.ts";
import type { VersionRecord } from "../records/version-record.ts";
import { memoriesAt, resolveVersion, versionById, versionInfo } from "../versions.ts";

/** A line and the version that it came with. */
export interface BlamedInfo {
  /** Its bytes, without the line feed. */
  readonly text: Buffer;
  readonly version: VersionInfo;
}

/** The newest journal entry. */
export interface JournalHead {
  readonly seq: number;
  /** Lower-case hex. */
  readonly hash: string;
  readonly at: Micros;
}

/** What history is read from. */
export interface HistoryOptions {
  readonly state: StoreState;
  readonly settling: Settling;
  /** @throws MemfsError `damaged` */
  readonly content: (hash: Hash | null) => Buffer;
}

/** The bytes of a version. */
export interface VersionContent {
  readonly size: number;
  /** Fewer than asked for at the end only. */
  readonly read: (offset: number, length: number) => Buffer;
}

export class History {
  readonly #state: StoreState;
  readonly #settling: Settling;
  readonly #content: HistoryOptions["content"];

  readonly #sessions: Sessions;

  constructor({ state, settling, content }: HistoryOptions) {
    this.#state = state;
    this.#settling = settling;
    this.#content = content;
    this.#sessions = new Sessions(state);
  }

  /** What the journal entry at this seq makes, also a version that is in no list; undefined when it makes none. */
  versionAt(seq: number): VersionRecord | undefined {
    return this.#state.versionAt(seq);
  }

  /** @throws MemfsError `not_found` */
  version(id: string): VersionInfo {
    return versionInfo(versionById(this.#state, id));
  }

  /** The version of a memory that a person names. @throws MemfsError `not_found` */
  async resolve(memoryId: string, spec: VersionSpec): Promise<VersionInfo> {
    await this.#settling.recordAllInTurns();
    return versionInfo(await resolveVersion(this.#state, parseId("mem", memoryId), spec));
  }

  /** Newest first. @throws MemfsError `not_found`, `invalid_argument` */
  async list(options: ListVersions): Promise<Page<VersionInfo>> {
    await this.#settling.recordAllInTurns();
    return listVersions(this.#state, options);
  }

  /** Content of a version. @throws MemfsError `not_found` when it has none, `damaged` */
  read(id: string): Buffer {
    return this.#content(contentOf(this.#state, id).hash);
  }

  /** As {@link read}, to be read in pieces; reading throws `damaged`. @throws MemfsError `not_found` when it has none */
  open(id: string): VersionContent {
    const { hash, size } = contentOf(this.#state, id);
    return { size, read: (offset, length) => getContentRange(this.#state, hash, { offset, length }) };
  }

  /**
   * The lines of a version, each with the version that brought it in.
   * @throws MemfsError `not_found` when there is no such version or it has no content, `invalid_data` when it is binary,
   * `too_large`, `damaged`
   */
  async blame(id: string): Promise<Iterable<BlamedInfo>> {
    await this.#settling.recordAllInTurns();
    return blamedInfos(await blame(this.#state, versionById(this.#state, id)));
  }

  /**
   * What makes one version of another; without `from`, of the one before it. Null when they do not differ.
   * @throws MemfsError `not_found`, `damaged`
   */
  async diff(from: string | null, to: string): Promise<FileDiff | null> {
    await this.#settling.recordAllInTurns();
    const after = versionById(this.#state, to);
    const before = from === null ? previousOf(this.#state, after) : versionById(this.#state, from);
    return compareSides(this.#state, before === null ? null : sideOf(before), sideOf(after));
  }

  /** The files that differ between two moments, by path. @throws MemfsError `damaged` */
  async diffTrees(asked: TreeDiff): Promise<AsyncIterable<FileDiff>> {
    await this.#settling.recordAllInTurns();
    return diffTrees(this.#state, asked);
  }

  /** What a directory held after a journal entry. @throws MemfsError `invalid_argument`, `damaged` */
  async listAt(asked: ListAt): Promise<Page<MemoryInfo | PrefixInfo>> {
    await this.#settling.recordAllInTurns();
    return listAt(this.#state, asked);
  }

  /** The sessions that did something here, in no order. @throws MemfsError `damaged` */
  async sessions(): Promise<SessionInfo[]> {
    await this.#settling.recordAllInTurns();
    return this.#sessions.list();
  }

  /** The newest journal entry: what to keep elsewhere, so that nobody can replace the journal or cut its end. */
  async head(): Promise<JournalHead> {
    await this.#settling.recordAllInTurns();
    const { seq, journalHash, lastAt } = this.#state.counters;
    return { seq, hash: hex(journalHash), at: lastAt };
  }

  /** Ids of the memories that are or were at a path: the present one, then the last before it, and so on. */
  async memoriesOnceAt(path: Buffer): Promise<string[]> {
    await this.#settling.recordAllInTurns();
    const found = await memoriesAt(this.#state, fromBytes(path));
    return found.map((uid) => formatId("mem", uid));
  }

  /** Id of the memory at the path, else of the last one that was. @throws MemfsError `not_found` */
  async memoryOnceAt(path: Buffer): Promise<string> {
    const [latest] = await this.memoriesOnceAt(path);
    if (latest !== undefined) return latest;
    throw new MemfsError("not_found", `no memory is or was at ${path.toString()}`);
  }
}

/** Made one by one: there may be many. */
function* blamedInfos(lines: readonly BlamedLine[]): Generator<BlamedInfo> {
  const infos = new Map<VersionRecord, VersionInfo>();
  for (const { text, version } of lines) {
    const info = infos.get(version) ?? versionInfo(version);
    infos.set(version, info);
    yield { text: Buffer.from(text, "latin1"), version: info };
  }
}

function contentOf(state: StoreState, id: string): { hash: Hash; size: number } {
  const { hash, size } = versionById(state, id);
  if (hash === null) throw new MemfsError("not_found", `${id} has no content (deleted or redacted)`);
  return { hash, size };
}
