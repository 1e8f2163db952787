/** `.memfs/history/PATH/`: the versions of the memories that are or were at a path, and the paths below it. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { formatId, type Uid, tryParseId } from "../../id.ts";
import { PERMISSIONS, S_IFDIR, S_IFLNK, S_IFREG } from "../../store/tree/mode.ts";
import type { Store } from "../../store/store.ts";
import type { Actor } from "../../store/types.ts";
import type { VersionRecord } from "../../store/records/version-record.ts";
import type { HiddenDirectory, HiddenFile, HiddenName, HiddenNode, Look } from "./node.ts";
import { PastFile, type PastSource } from "./past-tree.ts";
import { timeOf } from "./text.ts";

/** Records looked at (~10 µs each) before other work gets its turn. */
const RECORDS_PER_TURN = 100;
/** Bytes of an agent's name in a file name. */
const AUTHOR_BYTES = 100;

/** What is or was at a path. */
export interface Place {
  /** Bytes; empty for the root. */
  readonly path: string;
  /** The directory that is there, or the last that was; null when there never was one. */
  readonly directory: number | null;
  /** The memory that is there or was last, then the ones before. */
  readonly memories: readonly Uid[];
}

export class HistoryDirectory implements HiddenDirectory {
  readonly kind = "directory";
  readonly #source: PastSource;
  readonly #store: Store;
  readonly #place: Place;

  constructor(source: PastSource, place: Place) {
    this.#source = source;
    this.#store = source.store;
    this.#place = place;
  }

  look(): Look {
    const [latest] = this.#place.memories;
    const updatedAt = latest === undefined ? undefined : this.#store.memoryRecord(latest)?.updatedAt;
    return { mode: S_IFDIR | 0o555, size: 0, mtime: timeOf(updatedAt ?? this.#store.past.newestAt) };
  }

  async lookup(name: string): Promise<HiddenNode | null> {
    const [latest, ...former] = this.#place.memories;
    const version = latest === undefined ? null : await versionNamed(this.#store, latest, name);
    if (version !== null) return fileOf(this.#source, version);
    const uid = tryParseId("mem", name);
    if (uid !== null && former.includes(uid)) return this.#only(uid);
    return this.#below(name);
  }

  /** The versions of one memory. */
  #only(memory: Uid): HistoryDirectory {
    return new HistoryDirectory(this.#source, { path: this.#place.path, directory: null, memories: [memory] });
  }

  async #below(name: string): Promise<HiddenDirectory | null> {
    const parent = this.#place.directory;
    const path = `${this.#place.path}/${name}`;
    const memories = parent === null ? [] : await this.#store.past.memoriesAt(path);
    const directory = parent === null ? null : await this.#store.past.directoryOnceAt(parent, name);
    if (memories.length === 0 && directory === null) return null;
    return new HistoryDirectory(this.#source, { path, directory, memories });
  }

  async list(): Promise<readonly HiddenName[]> {
    const [latest, ...former] = this.#place.memories;
    const names = latest === undefined ? [] : await versionNames(this.#store, latest);
    for (const memory of former) names.push({ name: formatId("mem", memory), type: S_IFDIR });
    await this.#listBelow(names);
    return names;
  }

  /** Directories and memories that are there now, as looking back tells it: what is listed is found. */
  async #listBelow(names: HiddenName[]): Promise<void> {
    if (this.#place.directory === null) return;
    const now = this.#store.past.at(this.#store.usage().headSeq);
    for await (const { name, type } of now.list(this.#place.directory)) {
      if (type !== S_IFLNK) names.push({ name, type: S_IFDIR });
    }
  }
}

async function versionNames(store: Store, memory: Uid): Promise<HiddenName[]> {
  const names: HiddenName[] = [];
  for await (const version of store.past.versionsOf(memory)) {
    if (version.n % RECORDS_PER_TURN === 0) await nextTurn();
    names.push({ name: nameOf(version), type: S_IFREG });
  }
  return names;
}

/** `0002-modified-scout`. */
function nameOf({ n, operation, actor }: VersionRecord): string {
  return `${String(n).padStart(4, "0")}-${operation}-${authorOf(actor)}`;
}

/** Bytes that a file name can hold. */
function authorOf(actor: Actor): string {
  const name = actor.type === "session" ? actor.agent : actor.type === "api" ? actor.apiKeyId : actor.userId;
  const plain = name.replaceAll(/[\p{Cc}/]/gu, "_");
  return Buffer.from(plain).toString("latin1", 0, AUTHOR_BYTES);
}

async function versionNamed(store: Store, memory: Uid, name: string): Promise<VersionRecord | null> {
  const n = Number(/^(\d{4,9})-/.exec(name)?.[1] ?? 0);
  const version = n === 0 ? undefined : await store.past.version(memory, n);
  return version !== undefined && nameOf(version) === name ? version : null;
}

/** A deletion, and a version whose content is redacted, is an empty file. */
function fileOf(source: PastSource, version: VersionRecord): HiddenFile {
  const { made, hash, size } = version;
  const look = { mode: S_IFREG | (made.mode & PERMISSIONS), size: hash === null ? 0 : size, mtime: made.mtime };
  return new PastFile(source, look, version);
}
