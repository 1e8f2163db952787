/** What the daemon holds and does when nothing happens: memory after many files, CPU while idle. */
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startMemfs } from "./systems/memfs.ts";
import { interrupted } from "./teardown.ts";

export interface Footprint {
  readonly files: number;
  /** Resident memory of the daemon, and its highest so far, MiB. */
  readonly rssMiB: number;
  readonly peakMiB: number;
  /** Processor time used while nothing happened, milliseconds in all. */
  readonly idleMs: number;
  readonly idleSeconds: number;
}

const FILES = 20_000;
const FILES_PER_DIRECTORY = 500;
const IDLE_SECONDS = 10;
/** Linux counts processor time in ticks of USER_HZ = 100. */
const TICK_MS = 10;

function megabytes(status: string, field: string): number {
  return Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024);
}

function cpuMs(pid: number): number {
  // The name in brackets may hold blanks: count the fields behind it. utime and stime are fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Writes and reads 20,000 files of 2 KiB on a memfs mount, then looks at its daemon. */
export async function measureFootprint(scratch: string): Promise<Footprint> {
  const { directory, cli } = await startMemfs(scratch, "any");
  for (let i = 0; i < FILES; i++) {
    if (i % FILES_PER_DIRECTORY === 0) interrupted.throwIfAborted();
    const folder = join(directory, `d${Math.floor(i / FILES_PER_DIRECTORY)}`);
    if (i % FILES_PER_DIRECTORY === 0) await mkdir(folder);
    const file = join(folder, `f${i}`);
    const content = `${i} `.repeat(2048).slice(0, 2048);
    writeFileSync(file, content);
    if (readFileSync(file, "utf8") !== content) throw new Error(`wrong content in ${file}`);
  }
  const { pid } = JSON.parse(await cli("daemon", "status", "--json")) as { pid: number };
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  await sleep(1000); // what is still on its way to LevelDB is not idleness
  const before = cpuMs(pid);
  await sleep(IDLE_SECONDS * 1000, undefined, { signal: interrupted });
  const idleMs = cpuMs(pid) - before;
  const [rssMiB, peakMiB] = [megabytes(status, "VmRSS"), megabytes(status, "VmHWM")];
  return { files: FILES, rssMiB, peakMiB, idleMs, idleSeconds: IDLE_SECONDS };
}
