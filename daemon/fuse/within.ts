/** Waiting for a mount to end, for a while. */

import { setTimeout as delay } from "node:timers/promises";

/** True when `ended` resolved within so many milliseconds. */
export async function endedWithin(ended: Promise<void>, milliseconds: number): Promise<boolean> {
  const patience = new AbortController();
  const timeout = delay(milliseconds, false, { signal: patience.signal }).catch(() => false);
  const result = await Promise.race([ended.then(() => true), timeout]);
  patience.abort();
  return result;
}
