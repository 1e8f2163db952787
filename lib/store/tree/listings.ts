/**
 * Complete directory listings held in memory: what a readdir, a rename of a directory, or a walk needs at once.
 * Bounded by entries over all directories; point lookups do not load a listing.
 */

import type { Space } from "../../kv/kv.ts";
import { u48 } from "../../u48.ts";
import { rangeOf } from "../records/keys.ts";
import { decodeEntry, type EntryRecord } from "../records/entry-record.ts";

/** Entries over all listings that are kept; ~200 bytes each. */
const MAX_ENTRIES = 20_000;

/** A directory's entries by name (latin1). Live: it changes with the directory. */
export type Listing = ReadonlyMap<string, EntryRecord>;

/** A change that came while the listing was being read from the database. */
interface Loading {
  readonly changes: Map<string, EntryRecord | null>;
  readonly done: Promise<Listing>;
}

export class Listings {
  readonly #space: Space;
  readonly #loaded = new Map<number, Map<string, EntryRecord>>();
  readonly #loading = new Map<number, Loading>();
  #entries = 0;
  #holds = 0;

  constructor(space: Space) {
    this.#space = space;
  }

  /** The listing if it is in memory. */
  peek(directory: number): Listing | undefined {
    return this.#loaded.get(directory);
  }

  /** The listing, from the database if need be. A directory that does not exist has an empty one. */
  async load(directory: number): Promise<Listing> {
    const loaded = this.#loaded.get(directory);
    if (loaded !== undefined) return this.#touch(directory, loaded);
    const running = this.#loading.get(directory);
    if (running !== undefined) return running.done;
    const changes = new Map<string, EntryRecord | null>();
    const done = this.#read(directory, changes).finally(() => this.#loading.delete(directory));
    this.#loading.set(directory, { changes, done });
    return done;
  }

  /** Keeps every listing in memory, however many there are, until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    return () => {
      this.#holds -= 1;
      this.#evict(null);
    };
  }

  /** A directory just made: its listing is known to be empty. */
  created(directory: number): void {
    this.#keep(directory, new Map());
  }

  /** A committed change of one entry; null when it went. */
  changed(directory: number, name: string, entry: EntryRecord | null): void {
    this.#loading.get(directory)?.changes.set(name, entry);
    const listing = this.#loaded.get(directory);
    if (listing === undefined) return;
    const before = listing.size;
    apply(listing, name, entry);
    this.#entries += listing.size - before;
  }

  /** The directory is gone. */
  removed(directory: number): void {
    const listing = this.#loaded.get(directory);
    if (listing === undefined) return;
    this.#entries -= listing.size + 1;
    this.#loaded.delete(directory);
  }

  async #read(directory: number, changes: Map<string, EntryRecord | null>): Promise<Listing> {
    const listing = new Map<string, EntryRecord>();
    for await (const page of this.#space.scan(rangeOf("d", u48(directory)))) {
      for (const { value } of page) {
        const entry = decodeEntry(value);
        listing.set(entry.name, entry);
      }
    }
    for (const [name, entry] of changes) apply(listing, name, entry);
    this.#keep(directory, listing);
    return listing;
  }

  #keep(directory: number, listing: Map<string, EntryRecord>): void {
    this.#loaded.set(directory, listing);
    this.#entries += listing.size + 1;
    this.#evict(directory);
  }

  #evict(keep: number | null): void {
    if (this.#holds > 0) return;
    for (const [oldest, entries] of this.#loaded) {
      if (this.#entries <= MAX_ENTRIES || oldest === keep) break;
      this.#loaded.delete(oldest);
      this.#entries -= entries.size + 1;
    }
  }

  #touch(directory: number, listing: Map<string, EntryRecord>): Listing {
    this.#loaded.delete(directory);
    this.#loaded.set(directory, listing);
    return listing;
  }
}

function apply(listing: Map<string, EntryRecord>, name: string, entry: EntryRecord | null): void {
  if (entry === null) listing.delete(name);
  else listing.set(name, entry);
}
