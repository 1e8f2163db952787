/** The store's limits, checked where every program notices a refusal: at the write, not at the close. */

import { MemfsError } from "../errors.ts";
import type { NodeName, NodeRecord } from "../store/records/node-record.ts";
import type { Store } from "../store/store.ts";

/** A file, and its size as this mount has it now, and as it is to be. */
export interface Growth {
  readonly node: NodeRecord;
  readonly now: number;
  readonly after: number;
}

/** @throws MemfsError `file_too_big`, `quota_exceeded` */
export function checkSize(store: Store, { node, now, after }: Growth): void {
  if (after <= now) return;
  const { maxMemoryBytes, maxLiveBytes, maxHistoryBytes } = store.policy;
  const { liveBytes, historyBytes } = store.usage();
  if (after > maxMemoryBytes && !store.isScratch(node))
    throw new MemfsError("file_too_big", `a memory has at most ${maxMemoryBytes} bytes here`);
  if (liveBytes - node.size + after > maxLiveBytes) {
    throw new MemfsError("quota_exceeded", `the store is full: at most ${maxLiveBytes} bytes of files`);
  }
  if (historyBytes >= maxHistoryBytes) {
    throw new MemfsError("quota_exceeded", `the store is full: at most ${maxHistoryBytes} bytes of history`);
  }
}

/** @throws MemfsError `quota_exceeded` */
export function checkCount(store: Store, at: NodeName): void {
  const { maxMemories } = store.policy;
  if (store.memoriesToBe >= maxMemories && !store.isScratchName(at)) {
    throw new MemfsError("quota_exceeded", `the store is full: at most ${maxMemories} memories`);
  }
}
