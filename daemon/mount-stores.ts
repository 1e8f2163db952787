/** The stores a mount is asked to show: found, or made when the caller said so. */

import { MemfsError } from "../lib/errors.ts";
import type { Catalogue } from "../lib/store/catalogue.ts";
import type { Actor, StoreInfo } from "../lib/store/types.ts";

export type Access = "ro" | "rw";

/** What to mount, as it was asked for. */
export interface StoreRequest {
  /** `store` is an id, name or slug. */
  readonly stores: readonly { readonly store: string; readonly access: Access }[];
  /** Make the stores that are not there. */
  readonly create: boolean;
}

/** A store of a request; `info` is null while it has to be made. */
export interface WantedStore {
  readonly name: string;
  readonly access: Access;
  readonly info: StoreInfo | null;
}

/** Stores that are all there, and the way back. */
export interface MadeStores {
  readonly stores: readonly { readonly id: string; readonly slug: string; readonly access: Access }[];
  /** Deletes the ones that were made. */
  undo(): Promise<void>;
}

/**
 * Finds the stores and changes nothing.
 * @throws MemfsError `not_found`, `ambiguous`, `archived`; `invalid_argument` when none or one twice is asked for
 */
export function findStores(catalogue: Catalogue, request: StoreRequest): readonly WantedStore[] {
  if (request.stores.length === 0) throw new MemfsError("invalid_argument", "no store is given; name at least one");
  const seen = new Set<string>();
  return request.stores.map(({ store: name, access }) => {
    const info = tryFind(catalogue, name);
    if (info === null && !request.create) {
      const advice = `create it with: memfs store create ${name}, or add --create`;
      throw new MemfsError("not_found", `there is no store ${JSON.stringify(name)}; ${advice}`);
    }
    if (info !== null && info.archivedAt !== null) {
      throw new MemfsError("archived", `the store ${name} is archived; it can be read with: memfs cat, memfs log`);
    }
    const identity = info?.id ?? name;
    if (seen.has(identity)) throw new MemfsError("invalid_argument", `the store ${name} is given twice; give it once`);
    seen.add(identity);
    return { name, access, info };
  });
}

/**
 * Checks that stores which were mounted once still can be.
 * @throws MemfsError `not_found`, `archived`
 */
export function requireStores(catalogue: Catalogue, stores: readonly { readonly id: string }[]): void {
  for (const { id } of stores) {
    const info = tryFind(catalogue, id);
    if (info === null) throw new MemfsError("not_found", `its store ${id} was deleted; forget it with: memfs umount`);
    if (info.archivedAt !== null) {
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
  const stores: { id: string; slug: string; access: Access }[] = [];
  try {
    for (const { name, access, info } of wanted) {
      const { id, slug } = info ?? (await catalogue.create({ name }, actor));
      if (info === null) made.push(id);
      stores.push({ id, slug, access });
    }
  } catch (error) {
    await undo();
    throw error;
  }
  return { stores, undo };
}

function tryFind(catalogue: Catalogue, store: string): StoreInfo | null {
  try {
    return catalogue.find(store);
  } catch (error) {
    if (error instanceof MemfsError && error.code === "not_found") return null;
    throw error;
  }
}
