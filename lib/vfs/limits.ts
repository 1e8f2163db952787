/** The store's limits, checked where every program notices a refusal: at the write, not at the close. */

import { MemfsError } from "../errors.ts";
import type { Store } from "../store/store.ts";

/**
 * @param before size of the file as it is stored
 * @param after size it is to have
 * @throws MemfsError `file_too_big`, `quota_exceeded`
 */
export function checkSize(store: Store, { before, after }: { before: number; after: number }): void {
  if (after <= before) return;
  const { maxMemoryBytes, maxLiveBytes, maxHistoryBytes } = store.policy;
  const { liveBytes, historyBytes } = store.usage();
  if (after > maxMemoryBytes) throw new MemfsError("file_too_big", `a memory has at most ${maxMemoryBytes} bytes here`);
  if (liveBytes - before + after > maxLiveBytes) {
    throw new MemfsError("quota_exceeded", `the store is full: at most ${maxLiveBytes} bytes of files`);
  }
  if (historyBytes >= maxHistoryBytes) {
    throw new MemfsError("quota_exceeded", `the store is full: at most ${maxHistoryBytes} bytes of history`);
  }
}

/** @throws MemfsError `quota_exceeded` */
export function checkCount(store: Store): void {
  const { maxMemories } = store.policy;
  if (store.usage().memories >= maxMemories) {
    throw new MemfsError("quota_exceeded", `the store is full: at most ${maxMemories} memories`);
  }
}
