/**
 * `watcher.ts SOCKET FILE…`: makes one request after the other until it gets SIGTERM, then prints the longest waits. A file
 * is opened and read, since each open asks the daemon, whatever the kernel keeps; beside that the daemon is asked how it is.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../lib/client.ts";
import type { Waits } from "./waits.ts";

/** Milliseconds between two requests of a kind. */
const PAUSE = 2;
/** The code of this process is compiled meanwhile. */
const WARM_UP = 50;

const [socket = "", ...files] = process.argv.slice(2);
const client = new Client(socket);
let over = false;
process.once("SIGTERM", () => (over = true));

/** The longest wait, milliseconds, until this is over. */
async function watch(request: (index: number) => Promise<unknown>, most = Infinity): Promise<number> {
  let longest = 0;
  for (let index = 0; !over && index < most; index++) {
    const start = performance.now();
    await request(index);
    longest = Math.max(longest, performance.now() - start);
    await sleep(PAUSE);
  }
  return longest;
}

const read = (index: number): Promise<unknown> => readFile(files[index % files.length] ?? "");
const ask = (): Promise<unknown> => client.daemon();

await Promise.all([watch(read, WARM_UP), watch(ask, WARM_UP)]);
console.log("ready");
const [longestRead, longestAnswer] = await Promise.all([watch(read), watch(ask)]);
const waits: Waits = { read: longestRead, http: longestAnswer };
console.log(JSON.stringify(waits));
client.close();
