/** Single instance per home: the daemon holds `flock` on a file that is never removed, so it ends with the process. */

import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { MemfsError } from "../lib/errors.ts";
import { tryLock } from "./libc.ts";

/** Milliseconds between two tries. */
const PAUSE = 50;

/** How to wait for the lock. */
export interface LockOptions {
  readonly file: string;
  /** Milliseconds to wait for a holder that is stopping. */
  readonly patience: number;
  /** Asked between two tries: whether the holder serves, so that waiting is over. */
  readonly served: () => Promise<boolean>;
}

/**
 * Takes the lock for the life of this process, or returns false when whoever holds it serves. Starters race for it:
 * one wins, the others wait here until it serves.
 * @throws MemfsError `locked` when the holder neither serves nor goes away
 */
export async function acquireLock(options: LockOptions): Promise<boolean> {
  const { file, patience, served } = options;
  // INVARIANT: opened without O_TRUNC, since a loser must not wipe the pid of the winner; never unlinked, since two
  // processes could then hold "the" lock on two files.
  const fd = openSync(file, "a+", 0o600);
  const deadline = performance.now() + patience;
  while (!tryLock(fd)) {
    if (await served()) {
      closeSync(fd);
      return false;
    }
    if (performance.now() > deadline) {
      closeSync(fd);
      const holder = readFileSync(file, "utf8").trim();
      const by = holder === "" ? "another process" : `process ${holder}`;
      throw new MemfsError("locked", `${file} is held by ${by}, which does not answer; end it, then try again`);
    }
    await sleep(PAUSE);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return true;
}
