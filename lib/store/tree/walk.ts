/** Walking the tree below a directory: whole subtrees at once, from listings held in memory. */

import { MemfsError } from "../../errors.ts";
import { S_IFDIR } from "./mode.ts";
import type { NodeRecord } from "../records/node-record.ts";
import type { StoreState } from "../state.ts";
import type { Transaction } from "../transaction.ts";

/**
 * Everything below a directory, a directory before what is in it.
 * @throws MemfsError `busy` when a listing is not in memory: call {@link loadSubtree}
 */
export function* nodesBelow(tx: Transaction, directory: number): Generator<NodeRecord> {
  const listing = tx.state.listings.peek(directory);
  if (listing === undefined) throw new MemfsError("busy", "the directory is being read; try again");
  for (const entry of listing.values()) {
    yield tx.node(entry.node);
    if (entry.type === S_IFDIR) yield* nodesBelow(tx, entry.node);
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
