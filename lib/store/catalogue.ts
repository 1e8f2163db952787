/** The stores of one home: which there are, how to open them. The catalogue is a key range of its own. */

import type { Clock } from "../clock.ts";
import { MemfsError } from "../errors.ts";
import { formatId, type IdSource } from "../id.ts";
import { Batch } from "../kv/batch.ts";
import type { Kv, Space } from "../kv/kv.ts";
import { type CatalogueRecord, decodeCatalogueRecord, encodeCatalogueRecord } from "./records/catalogue-record.ts";
import { Writer, Reader } from "./records/codec.ts";
import { CATALOGUE_SPACE, type Keyring, type StoreKeys } from "./crypto/keyring.ts";
import { rangeOf, readU48 } from "./records/keys.ts";
import { u48 } from "../u48.ts";
import { changePolicy, DEFAULT_POLICY } from "./policy.ts";
import { contentSeparation } from "./content/manifest.ts";
import { RecentContents } from "./content/recent-contents.ts";
import { slugFor } from "./slug.ts";
import type { StateOptions } from "./state.ts";
import { Store } from "./store.ts";
import type { Actor, Policy, StoreInfo } from "./types.ts";
import { checkDescription, checkMetadata, checkStoreName } from "./store-fields.ts";

const NEXT_SPACE_KEY = "next";
/** Marks a space whose store was deleted until nothing of it is left. */
const doomedKey = (space: number): string => "x" + u48(space);

export interface CatalogueOptions {
  readonly kv: Kv;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export interface NewStore {
  readonly name: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Seal values at rest; default true. */
  readonly encrypt?: boolean;
}

export interface StoreChanges {
  readonly name?: string;
  readonly description?: string;
  /** A merge patch: null deletes a key. */
  readonly metadata?: Readonly<Record<string, string | null>>;
}

export class Catalogue {
  readonly #options: CatalogueOptions;
  readonly #space: Space;
  readonly #records = new Map<string, CatalogueRecord>();
  readonly #open = new Map<string, Promise<Store>>();
  readonly #recent = new RecentContents();

  private constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#space = options.kv.space(CATALOGUE_SPACE, options.keyring.catalogue);
  }

  /**
   * Reads the catalogue.
   * @throws MemfsError `bad_key` when a store with changes in the redo log has no key file, `damaged`
   */
  static async open(options: CatalogueOptions): Promise<Catalogue> {
    const catalogue = new Catalogue(options);
    for await (const page of catalogue.#space.scan(rangeOf("s"))) {
      for (const { key, value } of page) catalogue.#remember(decodeCatalogueRecord(key.slice(1), value));
    }
    await catalogue.#finishRemovals();
    catalogue.#settleWithheld();
    return catalogue;
  }

  /** Newest first, archived ones included. */
  list(): readonly StoreInfo[] {
    const infos = [...this.#records.values()].map((record) => record.info);
    return infos.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  }

  /** A store by id, name or slug. @throws MemfsError `not_found`, `ambiguous` when several have the name */
  find(nameOrId: string): StoreInfo {
    const byId = this.#records.get(nameOrId);
    if (byId !== undefined) return byId.info;
    const named = this.list().filter((info) => info.name === nameOrId);
    if (named.length > 1) {
      const ids = named.map((info) => info.id).join(", ");
      throw new MemfsError(
        "ambiguous",
        `several stores are named ${JSON.stringify(nameOrId)}; use one of the ids ${ids}`,
      );
    }
    const found = named[0] ?? this.list().find((info) => info.slug === nameOrId);
    if (found === undefined) throw new MemfsError("not_found", `no store ${JSON.stringify(nameOrId)}`);
    return found;
  }

  /** @throws MemfsError `invalid_argument`, `no_space` */
  async create(input: NewStore, actor: Actor): Promise<StoreInfo> {
    checkStoreName(input.name);
    checkDescription(input.description ?? "");
    const metadata = checkMetadata(input.metadata ?? {});
    const space = this.#takeSpace();
    const { clock, ids, keyring, kv } = this.#options;
    const keys = await keyring.create(space, { encrypt: input.encrypt ?? true });
    const uid = ids.uid();
    const now = clock.now();
    Store.initialise(this.#storeOptions(space, keys), { actor });
    const record = {
      uid,
      space,
      policy: DEFAULT_POLICY,
      info: {
        id: formatId("memstore", uid),
        name: input.name,
        slug: slugFor(input.name, this.#slugs()),
        description: input.description ?? "",
        metadata,
        encrypted: keys.encrypted,
        createdAt: now,
        updatedAt: now,
        archivedAt: null,
      },
    };
    this.#put(record);
    await kv.sync();
    return record.info;
  }

  /** @throws MemfsError `not_found`, `invalid_argument`, `archived` */
  async update(id: string, changes: StoreChanges, actor: Actor): Promise<StoreInfo> {
    const record = this.#live(id);
    const { info } = record;
    if (changes.name !== undefined) checkStoreName(changes.name);
    if (changes.description !== undefined) checkDescription(changes.description);
    const metadata = checkMetadata(mergePatch(info.metadata, changes.metadata ?? {}));
    const changed = {
      ...info,
      name: changes.name ?? info.name,
      description: changes.description ?? info.description,
      metadata,
      updatedAt: this.#options.clock.now(),
    };
    (await this.open(id)).record("store.updated", { fields: Object.keys(changes) }, { actor });
    this.#put({ ...record, info: changed });
    return changed;
  }

  /** One way; archiving again changes nothing. @throws MemfsError `not_found` */
  async archive(id: string, actor: Actor): Promise<StoreInfo> {
    const record = this.#record(id);
    if (record.info.archivedAt !== null) return record.info;
    const now = this.#options.clock.now();
    const info = { ...record.info, archivedAt: now, updatedAt: now };
    (await this.open(id)).record("store.archived", {}, { actor });
    this.#put({ ...record, info });
    return info;
  }

  /** @throws MemfsError `not_found` */
  policy(id: string): Policy {
    return this.#record(id).policy;
  }

  /** @throws MemfsError `not_found`, `invalid_argument`, `archived` */
  async setPolicy(id: string, changes: Partial<Policy>, actor: Actor): Promise<Policy> {
    const record = this.#live(id);
    const policy = changePolicy(record.policy, changes);
    (await this.open(id)).record("policy.changed", { ...changes }, { actor });
    this.#put({ ...record, policy });
    return policy;
  }

  /** The open store; the same object each time. @throws MemfsError `not_found`, `bad_key`, `damaged` */
  open(id: string): Promise<Store> {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const opening = this.#openStore(id);
    this.#open.set(id, opening);
    opening.catch(() => this.#open.delete(id));
    return opening;
  }

  /**
   * Deletes the store for good: it leaves the catalogue, then its key is destroyed, then its data. What a crash
   * interrupts is finished by the next {@link open}. The key need not be there: a store that lost it can be deleted.
   * @throws MemfsError `not_found`
   */
  async remove(id: string): Promise<void> {
    const { uid, space } = this.#record(id);
    const doomed = Buffer.from([1]);
    this.#space.commit(
      Batch.from([
        ["s" + uid, null],
        [doomedKey(space), doomed],
      ]),
    );
    this.#records.delete(id);
    this.#open.delete(id);
    await this.#options.kv.sync();
    await this.#destroy(space);
  }

  async #destroy(space: number): Promise<void> {
    const { keyring, kv } = this.#options;
    kv.discard(space);
    await keyring.forget(space);
    await kv.space(space, keyring.catalogue).destroy();
    this.#space.commit(Batch.from([[doomedKey(space), null]]));
  }

  async #finishRemovals(): Promise<void> {
    const doomed: number[] = [];
    for await (const page of this.#space.scan(rangeOf("x"))) for (const { key } of page) doomed.push(readU48(key, 1));
    for (const space of doomed) await this.#destroy(space);
  }

  async #openStore(id: string): Promise<Store> {
    const { space } = this.#record(id);
    const keys = this.#options.keyring.load(space);
    const describe = (): { info: StoreInfo; policy: Policy } => this.#record(id);
    const store = new Store({ ...this.#storeOptions(space, keys), describe, sync: () => this.#options.kv.sync() });
    await store.recover();
    return store;
  }

  #storeOptions(space: number, keys: StoreKeys): Omit<StateOptions, "counters" | "policy"> {
    const { kv, clock, ids } = this.#options;
    return { space: kv.space(space, keys.sealer, contentSeparation), tagKeys: keys, clock, ids, recent: this.#recent };
  }

  /** Space ids are never used twice: the next one is stored before this one is touched. */
  #takeSpace(): number {
    const stored = this.#space.get(NEXT_SPACE_KEY);
    const space = stored === undefined ? CATALOGUE_SPACE + 1 : new Reader(stored).varint();
    this.#space.commit(Batch.from([[NEXT_SPACE_KEY, new Writer().varint(space + 1).take()]]));
    return space;
  }

  #put(record: CatalogueRecord): void {
    this.#space.commit(Batch.from([["s" + record.uid, encodeCatalogueRecord(record)]]));
    this.#remember(record);
  }

  #remember(record: CatalogueRecord): void {
    this.#records.set(record.info.id, record);
  }

  #record(id: string): CatalogueRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new MemfsError("not_found", `no store ${id}`);
    return record;
  }

  #live(id: string): CatalogueRecord {
    const record = this.#record(id);
    if (record.info.archivedAt !== null) throw new MemfsError("archived", `the store ${record.info.name} is archived`);
    return record;
  }

  #slugs(): Set<string> {
    return new Set([...this.#records.values()].map((record) => record.info.slug));
  }

  /** Redo records without a key are of deleted stores, or of a store whose key file is lost: then nothing may go on. */
  #settleWithheld(): void {
    const live = new Map([...this.#records.values()].map((record) => [record.space, record]));
    for (const space of this.#options.kv.withheld()) {
      const record: CatalogueRecord | undefined = live.get(space);
      if (record === undefined) {
        this.#options.kv.discard(space);
        continue;
      }
      throw new MemfsError(
        "bad_key",
        `the key of store ${record.info.name} is missing; restore its file in keys/ from a backup`,
      );
    }
  }
}

function mergePatch(
  base: Readonly<Record<string, string>>,
  patch: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const merged: Record<string, string> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = value;
  }
  return merged;
}
