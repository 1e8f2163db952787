/**
 * A store as it was: directories, files and symbolic links after some journal entry, read from the past of its
 * directory entries and the versions of its memories. Nothing here changes when the store does.
 *
 * It shows what history keeps. Files without a memory (never committed, scratch), fifos, sockets and devices are left
 * out, and so are memories that were folded into others: they were steps of saving. Extended attributes and owners are
 * not kept, the mode of the root is the present one, and the mtime of a directory is that of when it was named or
 * changed last, not that of its last entry.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { MemfsError } from "../../errors.ts";
import type { Uid } from "../../id.ts";
import { decodePastEntry, type PastEntryRecord } from "../records/entry-record.ts";
import type { Hash } from "../content/hash.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import { pastEntryKey, rangeOf, readU48 } from "../records/keys.ts";
import { isDirectory, isFile, S_IFLNK, typeOf } from "../tree/mode.ts";
import type { Timestamp } from "../records/record.ts";
import type { StoreState } from "../state.ts";
import { ROOT_NODE } from "../tree/tree.ts";
import { u48 } from "../../u48.ts";
import type { VersionRecord } from "../records/version-record.ts";
import { versionAtSeq } from "../versions.ts";

/** What was at a name. */
export interface PastNode {
  /** Names a directory to {@link AtView.entry} and {@link AtView.list}. */
  readonly node: number;
  /** `st_mode`. */
  readonly mode: number;
  readonly mtime: Timestamp;
  /** Bytes of a file or of a link's target. */
  readonly size: number;
  /** Digest of a file's content; null for what is no file. */
  readonly hash: Hash | null;
  /** Of a file: the version of its memory then. */
  readonly version: VersionRecord | null;
  /** Target of a symbolic link, bytes. */
  readonly target: string | null;
}

/** A name in a listing; {@link AtView.resolve} has the rest. */
export interface PastName {
  /** Bytes. */
  readonly name: string;
  readonly node: number;
  /** Type bits of the mode. */
  readonly type: number;
  readonly recorded: Recorded;
}

/** The past of one name as a key and a value tell it; an empty value: the name went. */
export interface Recorded {
  readonly seq: number;
  readonly entry: PastEntryRecord | null;
}

/** Lengths in a key: kind and parent, then the tag, then the seq. */
const TAG_AT = 7;
const SEQ_AT = 23;
/** Names looked at (~10 µs each) before other work gets its turn. */
const NAMES_PER_TURN = 64;

export class AtView {
  /** The last journal entry that this view knows of. */
  readonly seq: number;
  readonly #state: StoreState;

  constructor(state: StoreState, seq: number) {
    this.#state = state;
    this.seq = seq;
  }

  /** @throws MemfsError `damaged` */
  get root(): PastNode {
    const { number, mode, mtime } = this.#state.nodeOrDamaged(ROOT_NODE);
    return { node: number, mode, mtime, size: 0, hash: null, version: null, target: null };
  }

  /** What was at a name (bytes) of a directory, or null. @throws MemfsError `damaged` */
  async entry(directory: number, name: string): Promise<PastNode | null> {
    const found = await this.#recordedAt(directory, name);
    return found === null ? null : this.#nodeOf(found);
  }

  async #recordedAt(directory: number, name: string): Promise<Recorded | null> {
    const tag = this.#state.tagOfName(name);
    const range = { gte: pastEntryKey(directory, tag, 0), lt: pastEntryKey(directory, tag, this.seq + 1) };
    for await (const page of this.#state.space.scan({ ...range, reverse: true, limit: 1 })) {
      for (const { key, value } of page) return recorded(key, value);
    }
    return null;
  }

  /**
   * The mode of a file that was at a name with this version of its memory; as in {@link entry}, without looking for the
   * version. Null when no file was there. @throws MemfsError `damaged`
   */
  async modeOf(directory: number, name: string, version: VersionRecord): Promise<number | null> {
    const found = await this.#recordedAt(directory, name);
    if (found === null || found.entry?.memory !== version.memory) return null;
    return version.seq >= found.seq ? version.made.mode : found.entry.mode;
  }

  /**
   * Names that a directory held, in an order that never changes. Reads everything its names ever were, a page at a time.
   * @param after a name: what comes behind it in that order; default all
   * @throws MemfsError `damaged`
   */
  async *list(directory: number, after: string | null = null): AsyncGenerator<PastName> {
    let looked = 0;
    for await (const recorded of this.#newest(directory, after)) {
      const { entry } = recorded;
      if (++looked % NAMES_PER_TURN === 0) await nextTurn();
      if (entry === null || !this.#isShown(entry)) continue;
      yield { name: entry.name, node: entry.node, type: typeOf(entry.mode), recorded };
    }
  }

  /** What a listed name stood for; as {@link entry}, without looking for it again. @throws MemfsError `damaged` */
  resolve({ recorded }: PastName): Promise<PastNode | null> {
    return this.#nodeOf(recorded);
  }

  #isShown({ mode, memory }: PastEntryRecord): boolean {
    if (isFile(mode)) return memory !== null && this.#memory(memory).state !== "folded";
    return isDirectory(mode) || typeOf(mode) === S_IFLNK;
  }

  #memory(uid: Uid): MemoryRecord {
    const memory = this.#state.memory(uid);
    if (memory === undefined) throw new MemfsError("damaged", "a memory is missing; restore the home from a backup");
    return memory;
  }

  /** Of each name ever in a directory, the newest record that this view knows of. */
  async *#newest(directory: number, after: string | null): AsyncGenerator<Recorded> {
    let name = "";
    let newest: Recorded | null = null;
    const { gte, lt } = rangeOf("e", u48(directory));
    const start = after === null ? gte : rangeOf("e", u48(directory) + this.#state.tagOfName(after)).lt;
    for await (const page of this.#state.space.scan({ gte: start, lt })) {
      for (const { key, value } of page) {
        const tag = key.slice(TAG_AT, SEQ_AT);
        if (tag !== name && newest !== null) yield newest;
        if (tag !== name) newest = null;
        name = tag;
        if (readU48(key, SEQ_AT) <= this.seq) newest = recorded(key, value);
      }
    }
    if (newest !== null) yield newest;
  }

  /** What was at an absolute path (bytes), or null. Symbolic links are not followed. @throws MemfsError `damaged` */
  async find(path: string): Promise<PastNode | null> {
    let node: PastNode | null = this.root;
    for (const segment of path.split("/")) {
      if (segment === "") continue;
      if (node === null || !isDirectory(node.mode)) return null;
      node = await this.entry(node.node, segment);
    }
    return node;
  }

  async #nodeOf({ seq, entry }: Recorded): Promise<PastNode | null> {
    if (entry === null || !this.#isShown(entry)) return null;
    const { node, mode, mtime, target, memory } = entry;
    if (memory !== null) return this.#fileOf(entry, memory, seq);
    return { node, mode, mtime, size: target?.length ?? 0, hash: null, version: null, target };
  }

  /** The file has the content of its memory then; mode and mtime of whatever was recorded later, name or version. */
  async #fileOf(entry: PastEntryRecord, memory: Uid, named: number): Promise<PastNode | null> {
    const version = await versionAtSeq(this.#state, this.#memory(memory), this.seq);
    // Without content it was deleted or is redacted.
    if (version === null || version.hash === null) return null;
    const { mode, mtime } = version.seq >= named ? version.made : entry;
    return { node: entry.node, mode, mtime, size: version.size, hash: version.hash, version, target: null };
  }
}

function recorded(key: string, value: Buffer): Recorded {
  return { seq: readU48(key, SEQ_AT), entry: value.length === 0 ? null : decodePastEntry(value) };
}
