/** What an open store reads from: its key range, its name and content keys, and bounded caches over them. */

import { MemfsError } from "../errors.ts";
import { GenerationCache } from "../generation-cache.ts";
import type { IdSource, Uid } from "../id.ts";
import type { Clock } from "../clock.ts";
import type { Key, Place, Space } from "../kv/kv.ts";
import type { ContentSource } from "./content/content.ts";
import { ContentCache } from "./content/content-cache.ts";
import type { Hash } from "./content/hash.ts";
import { decodeJournalEntry, type JournalEntry } from "./journal.ts";
import { contentKey, entryKey, journalKey, memoryKey, nodeKey, type Tag, versionKey } from "./records/keys.ts";
import { Listings } from "./tree/listings.ts";
import type { Counters } from "./records/counters.ts";
import { decodeEntry, type EntryRecord } from "./records/entry-record.ts";
import { decodeMemory, type MemoryRecord } from "./records/memory-record.ts";
import { decodeNode, type NodeRecord, xattrBytes } from "./records/node-record.ts";
import { Scratch } from "./tree/scratch.ts";
import { timeOf } from "./version-ids.ts";
import { type VersionRecord, versionOf } from "./records/version-record.ts";
import type { RecentContents } from "./content/recent-contents.ts";
import { UnsettledIndex } from "./unsettled.ts";
import { Hmac } from "./crypto/hmac.ts";
import type { Actor, Micros, Policy } from "./types.ts";

/** Per generation: up to twice as many are held. A node takes about 1 KiB, a memory half of that. */
const CACHED_NODES = 4096;
const CACHED_MEMORIES = 2048;
const CACHED_TAGS = 2048;
/** A node with more bytes of extended attributes is read again each time. */
const CACHED_XATTR_BYTES = 4096;
const TAG_BYTES = 16;

/** The two keys behind the HMACs of `keys.ts`. */
export interface TagKeys {
  readonly nameKey: Buffer;
  readonly contentKey: Buffer;
}

export interface StateOptions {
  readonly space: Space;
  readonly tagKeys: TagKeys;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly counters: Counters;
  /** Shared with other stores: a digest means the same bytes in each. */
  readonly recent: RecentContents;
  /** What the store allows, as it is now. */
  readonly policy: () => Policy;
}

export class StoreState implements ContentSource {
  readonly space: Space;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly listings: Listings;
  readonly cache = new ContentCache();
  readonly scratch: Scratch;
  readonly unsettled = new UnsettledIndex();
  readonly policy: () => Policy;
  readonly nodes = new GenerationCache<number, NodeRecord>(CACHED_NODES);
  readonly memories = new GenerationCache<Uid, MemoryRecord>(CACHED_MEMORIES);
  readonly #tags = new GenerationCache<string, Tag>(CACHED_TAGS);
  readonly #nameHmac: Hmac;
  readonly #contentHmac: Hmac;
  counters: Counters;
  /** Id of the newest version in the journal; null when none was made since the store was opened. */
  lastVersion: Uid | null = null;
  readonly recent: RecentContents;
  /** Who made the newest journal entry, if it was made since the store was opened. */
  lastActor: Actor | null = null;

  constructor(options: StateOptions) {
    this.space = options.space;
    this.clock = options.clock;
    this.ids = options.ids;
    this.counters = options.counters;
    this.recent = options.recent;
    this.#nameHmac = new Hmac(options.tagKeys.nameKey);
    this.#contentHmac = new Hmac(options.tagKeys.contentKey);
    this.listings = new Listings(options.space);
    this.policy = options.policy;
    this.scratch = new Scratch(this, () => options.policy().scratch);
  }

  get(key: Key): Buffer | undefined {
    return this.space.get(key);
  }

  read(place: Place): Buffer {
    return this.space.read(place);
  }

  readTo(place: Place, target: Buffer): void {
    this.space.readTo(place, target);
  }

  /** Tag of a name or path: bytes as latin1. */
  tagOfName(name: string): Tag {
    const known = this.#tags.get(name);
    if (known !== undefined) return known;
    const tag = this.#nameHmac.digest(name).slice(0, TAG_BYTES);
    this.#tags.set(name, tag);
    return tag;
  }

  /** Tag of a session or agent. */
  tagOfActor(kind: "session" | "agent", name: string): Tag {
    return this.tagOfName(`${kind}\0${Buffer.from(name).toString("latin1")}`);
  }

  tagOfHash(hash: Hash): Tag {
    return this.#contentHmac.digest(hash).slice(0, TAG_BYTES);
  }

  keyOfContent(hash: Hash): Key {
    return contentKey(this.tagOfHash(hash));
  }

  node(number: number): NodeRecord | undefined {
    const cached = this.nodes.get(number);
    if (cached !== undefined) return cached;
    const stored = this.space.get(nodeKey(number));
    if (stored === undefined) return undefined;
    const node = decodeNode(number, stored);
    this.keepNode(node);
    return node;
  }

  /** Keeps a node at hand, unless its attributes make it large: the cache counts nodes, not bytes. */
  keepNode(node: NodeRecord): void {
    if (node.xattrs.size > 0 && xattrBytes(node.xattrs) > CACHED_XATTR_BYTES) this.nodes.delete(node.number);
    else this.nodes.set(node.number, node);
  }

  /** A node something refers to. @throws MemfsError `damaged` when it is not there */
  nodeOrDamaged(number: number): NodeRecord {
    const node = this.node(number);
    if (node === undefined) throw new MemfsError("damaged", `node ${number} is missing; run memfs doctor`);
    return node;
  }

  entry(parent: number, name: string): EntryRecord | null {
    const listing = this.listings.peek(parent);
    if (listing !== undefined) return listing.get(name) ?? null;
    const stored = this.space.get(entryKey(parent, this.tagOfName(name)));
    return stored === undefined ? null : decodeEntry(stored);
  }

  memory(uid: Uid): MemoryRecord | undefined {
    const cached = this.memories.get(uid);
    if (cached !== undefined) return cached;
    const stored = this.space.get(memoryKey(uid));
    if (stored === undefined) return undefined;
    const memory = decodeMemory(uid, stored);
    this.memories.set(uid, memory);
    return memory;
  }

  /** @throws MemfsError `damaged` */
  journalEntry(seq: number): JournalEntry | undefined {
    const stored = this.space.get(journalKey(seq));
    return stored === undefined ? undefined : decodeJournalEntry(stored);
  }

  /** The version that the entry at this seq makes, also one that was folded into another. */
  versionAt(seq: number): VersionRecord | undefined {
    const entry = this.journalEntry(seq);
    return entry === undefined ? undefined : versionOf(entry);
  }

  /** Id of the newest version in the journal; empty when it was made in another millisecond, before the store was opened. */
  newestVersion(at: Micros): Uid {
    if (this.lastVersion !== null) return this.lastVersion;
    const time = timeOf(at);
    for (let { seq } = this.counters; seq > 0; seq--) {
      const entry = this.journalEntry(seq);
      if (entry === undefined || timeOf(entry.at) !== time) break;
      if (entry.version !== null) return entry.version.id;
    }
    return "";
  }

  /** True when lists show the version: it was not folded into another. */
  isListed(version: VersionRecord): boolean {
    return this.space.get(versionKey(version.memory, version.n, version.seq)) !== undefined;
  }
}
