/** Random salts for the journal, drawn in blocks: one system call per 256 entries. */

import { randomFillSync } from "node:crypto";

/** That many random bytes, as a latin1 string. */
export type SaltSource = (bytes: number) => string;

const POOL_BYTES = 4096;

/** Salts from the system's randomness. */
export function createSaltSource(): SaltSource {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return (bytes) => {
    if (used + bytes > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += bytes;
    return pool.toString("latin1", used - bytes, used);
  };
}
