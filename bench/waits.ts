/** How long somebody else waits while the daemon is busy with something large. */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../lib/client.ts";

/** The longest wait, milliseconds, of each kind of request. */
export interface Waits {
  readonly read: number;
  readonly http: number;
}

/** Milliseconds between two requests of a kind. */
const PAUSE = 2;

/** Opens and reads files, and asks the daemon how it is, one request of each kind after the other, until `work` is done. */
export async function waitsDuring<T>(
  work: () => Promise<T>,
  { files, client }: { files: readonly string[]; client: Client },
): Promise<{ result: T; waits: Waits }> {
  let over = false;
  const watch = async (request: (index: number) => Promise<unknown>): Promise<number> => {
    let longest = 0;
    for (let index = 0; !over; index++) {
      const start = performance.now();
      await request(index);
      longest = Math.max(longest, performance.now() - start);
      await sleep(PAUSE);
    }
    return longest;
  };
  // Each open asks the daemon, whatever the kernel keeps.
  const read = watch((index) => readFile(files[index % files.length] ?? ""));
  const http = watch(() => client.daemon());
  try {
    const result = await work();
    over = true;
    return { result, waits: { read: await read, http: await http } };
  } finally {
    over = true;
    await Promise.allSettled([read, http]);
  }
}
