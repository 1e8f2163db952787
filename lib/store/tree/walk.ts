/** Walking the tree below a directory: whole subtrees at once, from listings held in memory. */

import { MemfsError } from "../../errors.ts";
import { S_IFDIR } from "./mode.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import type { StoreState } from "../state.ts";
import type { Transaction } from "../transaction.ts";

/** A name below a directory, and what is there. */
export interface Found {
  readonly at: NodeName;
  readonly node: NodeRecord;
}

/**
 * Everything below a directory, a directory before what is in it, by each name that it has there.
 * @throws MemfsError `busy` when a listing is not in memory: call {@link loadSubtree}
 */
export function* namesBelow(tx: Transaction, directory: number): Generator<Found> {
  const listing = tx.state.listings.peek(directory);
  if (listing === undefined) throw new MemfsError("busy", "the directory is being read; try again");
  for (const { name, node, type } of listing.values()) {
    yield { at: { parent: directory, name }, node: tx.node(node) };
    if (type === S_IFDIR) yield* namesBelow(tx, node);
  }
}

/** True when every listing below the directory is in memory. */
export function subtreeLoaded(state: StoreState, directory: number): boolean {
  const listing = state.listings.peek(directory);
  if (listing === undefined) return false;
  for (const entry of listing.values()) {
    if (entry.type === S_IFDIR && !subtreeLoaded(state, entry.node)) return false;
  }
  return true;
}

/** Brings every listing below the directory into memory. */
export async function loadSubtree(state: StoreState, directory: number): Promise<void> {
  const listing = await state.listings.load(directory);
  for (const entry of listing.values()) if (entry.type === S_IFDIR) await loadSubtree(state, entry.node);
}
