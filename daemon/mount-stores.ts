/** The stores a mount is asked to show: found, or made when the caller said so; of those in the past, which moment. */

import type { Clock } from "../lib/clock.ts";
import { MemfsError } from "../lib/errors.ts";
import type { Catalogue } from "../lib/store/catalogue.ts";
import type { Actor, StoreInfo } from "../lib/store/types.ts";
import { formatTime } from "../lib/time.ts";
import { parseMoment } from "../lib/vfs/hidden/moments.ts";
import type { Access, MountedMoment, MountedStore } from "./mount-info.ts";

/** A store as it is asked for. */
export interface RequestedStore {
  /** An id, name or slug. */
  readonly store: string;
  readonly access: Access;
  /** A moment, in the words of `.memfs/at`: the store is shown as it was then. */
  readonly at?: string | undefined;
}

/** What to mount, as it was asked for. */
export interface StoreRequest {
  readonly stores: readonly RequestedStore[];
  /** Make the stores that are not there. */
  readonly create: boolean;
}

/** A store of a request; `info` is null while it has to be made. */
export interface WantedStore {
  readonly name: string;
  readonly access: Access;
  readonly info: StoreInfo | null;
  /** Null: as it is. */
  readonly at: MountedMoment | null;
}

/** Stores that are all there, and the way back. */
export interface MadeStores {
  readonly stores: readonly MountedStore[];
  /** Deletes the ones that were made. */
  undo(): Promise<void>;
}

/**
 * Finds the stores, and the moments of those in the past, and changes nothing.
 * @throws MemfsError `not_found`, `ambiguous`, `archived`, `bad_key`, `damaged`; `invalid_argument` when none or one twice is
 * asked for, or the past to write to
 */
export async function findStores(
  catalogue: Catalogue,
  request: StoreRequest,
  clock: Clock,
): Promise<readonly WantedStore[]> {
  if (request.stores.length === 0) throw new MemfsError("invalid_argument", "no store is given; name at least one");
  const found = request.stores.map((asked) => findOne(catalogue, asked, request.create));
  const wanted: WantedStore[] = [];
  for (const [index, { store: name, access, at: when }] of request.stores.entries()) {
    const info = found[index] ?? null;
    const at = info === null || when === undefined ? null : await momentOf(catalogue, info, { when, clock });
    wanted.push({ name, access, info, at });
  }
  refuseTwice(wanted);
  return wanted;
}

/** Null for a store that is to be made. */
function findOne(catalogue: Catalogue, { store: name, access, at }: RequestedStore, create: boolean): StoreInfo | null {
  if (at !== undefined && access === "rw") {
    throw new MemfsError("invalid_argument", `the past of ${name} cannot be written to; mount it without :rw`);
  }
  const info = tryFind(catalogue, name);
  if (info === null && (!create || at !== undefined)) throw unknownStore(catalogue, name, at === undefined);
  if (info !== null && info.archivedAt !== null && at === undefined) {
    const advice = `it can be read with: memfs cat, memfs log, and mounted as it was: ${name}@WHEN`;
    throw new MemfsError("archived", `the store ${name} is archived; ${advice}`);
  }
  return info;
}

function unknownStore(catalogue: Catalogue, name: string, creatable: boolean): MemfsError {
  const what = `there is no store ${JSON.stringify(name)}`;
  if (!creatable) return new MemfsError("not_found", `${what}, so it has no past; see: memfs store list`);
  // What was to be a moment, and is none, is taken for a part of the name.
  const sign = name.lastIndexOf("@");
  if (sign > 0 && tryFind(catalogue, name.slice(0, sign)) !== null) {
    const moment = `${JSON.stringify(name.slice(sign + 1))} is no moment of ${name.slice(0, sign)}`;
    return new MemfsError("not_found", `${what}, and ${moment}; give a time, one like "2h ago", #SEQ or memver_…`);
  }
  return new MemfsError("not_found", `${what}; create it with: memfs store create ${name}, or add --create`);
}

/** @throws MemfsError `not_found` */
async function momentOf(
  catalogue: Catalogue,
  { id, name }: StoreInfo,
  { when, clock }: { readonly when: string; readonly clock: Clock },
): Promise<MountedMoment> {
  const { past } = await catalogue.open(id);
  const moment = parseMoment(when, clock.now());
  if (moment === null) {
    const forms = "give #SEQ, memver_…, or a time in RFC 3339";
    throw new MemfsError("invalid_argument", `${JSON.stringify(when)} is no moment; ${forms}`);
  }
  const seq = past.seqOf(moment);
  const time = seq === null ? null : past.timeOf(seq);
  if (seq !== null && time !== null) return { when, seq, time };
  const begins = formatTime(past.timeOf(1) ?? 0);
  const advice = `its journal goes from #1 (${begins}) to now; look for a moment with: memfs log ${name}`;
  throw new MemfsError("not_found", `the store ${name} has no moment ${when}; ${advice}`);
}

/** The same store at several moments is fine. */
function refuseTwice(wanted: readonly WantedStore[]): void {
  const seen = new Set<string>();
  for (const { name, info, at } of wanted) {
    const identity = `${info?.id ?? name}@${at?.seq ?? ""}`;
    if (seen.has(identity)) {
      const moment = at === null ? "" : ` at #${at.seq}`;
      throw new MemfsError("invalid_argument", `the store ${name} is given twice${moment}; give it once`);
    }
    seen.add(identity);
  }
}

/**
 * Checks that stores which were mounted once still can be.
 * @throws MemfsError `not_found`, `archived`
 */
export function requireStores(catalogue: Catalogue, stores: readonly MountedStore[]): void {
  for (const { id, at } of stores) {
    const info = tryFind(catalogue, id);
    if (info === null) throw new MemfsError("not_found", `its store ${id} was deleted; forget it with: memfs umount`);
    if (info.archivedAt !== null && at === undefined) {
      throw new MemfsError("archived", `its store ${info.name} is archived; forget it with: memfs umount`);
    }
  }
}

/** Makes what is missing: all of it or nothing. @throws MemfsError `invalid_argument`, `no_space` */
export async function makeStores(
  catalogue: Catalogue,
  wanted: readonly WantedStore[],
  actor: Actor,
): Promise<MadeStores> {
  const made: string[] = [];
  const undo = async (): Promise<void> => {
    for (const id of made) await catalogue.remove(id);
  };
  const stores: MountedStore[] = [];
  try {
    for (const { name, access, info, at } of wanted) {
      const { id, slug } = info ?? (await catalogue.create({ name }, actor));
      if (info === null) made.push(id);
      const directory = wanted.length === 1 ? null : sourceOf(slug, at);
      stores.push({ id, access, directory, ...(at === null ? {} : { at }) });
    }
  } catch (error) {
    await undo();
    throw error;
  }
  return { stores, undo };
}

/** What tells a store in a mount from the others there: its slug, and `@SEQ` for one in the past. */
export function sourceOf(slug: string, at: MountedMoment | null): string {
  return at === null ? slug : `${slug}@${at.seq}`;
}

function tryFind(catalogue: Catalogue, store: string): StoreInfo | null {
  try {
    return catalogue.find(store);
  } catch (error) {
    if (error instanceof MemfsError && error.code === "not_found") return null;
    throw error;
  }
}
