/** What a large store costs: memory, the time of a start, and an operation beside the same one in a small store. */
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "./client.ts";
import { type MemfsRunning, startMemfs } from "./systems/memfs.ts";
import { interrupted } from "./teardown.ts";

/** The daemon's resident memory, MiB. */
export interface Footprint {
  readonly memories: number;
  readonly rssMiB: number;
  /** The highest so far. */
  readonly peakMiB: number;
}

/** What was found. */
export interface Scale {
  /** After so many memories were written and read. */
  readonly footprints: readonly Footprint[];
  /** Processor time used while nothing happened, milliseconds in all. */
  readonly idleMs: number;
  readonly idleSeconds: number;
  /** Seconds from `memfs daemon start` to a daemon that serves the largest store. */
  readonly startSeconds: number;
  /** Medians of an operation, µs, in the store with few and with all memories. */
  readonly growth: readonly { readonly row: string; readonly few: number; readonly many: number }[];
}

/** Memories after which the daemon is looked at; targets are set for these. */
const FEW = 1000;
const SOME = 20_000;
const ALL = 100_000;
const PER_DIRECTORY = 500;
const GROWTH_ROWS = ["create", "read", "append", "rename", "unlink"];
const GROWTH_FILES = 1000;
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

async function pidOf({ cli }: MemfsRunning): Promise<number> {
  return (JSON.parse(await cli("daemon", "status", "--json")) as { pid: number }).pid;
}

/** Writes and reads files of 2 KiB, from one number to below another. */
async function fill(directory: string, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    const folder = join(directory, `d${Math.floor(index / PER_DIRECTORY)}`);
    if (index % PER_DIRECTORY === 0) {
      interrupted.throwIfAborted();
      await mkdir(folder);
    }
    const content = `${index} `.repeat(2048).slice(0, 2048);
    const file = join(folder, `f${index}`);
    await writeFile(file, content);
    if ((await readFile(file, "utf8")) !== content) throw new Error(`wrong content in ${file}`);
  }
}

async function footprint(running: MemfsRunning, memories: number): Promise<Footprint> {
  const status = readFileSync(`/proc/${await pidOf(running)}/status`, "utf8");
  return { memories, rssMiB: megabytes(status, "VmRSS"), peakMiB: megabytes(status, "VmHWM") };
}

async function idleTime(running: MemfsRunning): Promise<number> {
  const pid = await pidOf(running);
  await sleep(1000); // what is still on its way to LevelDB is not idleness
  const before = cpuMs(pid);
  await sleep(IDLE_SECONDS * 1000, undefined, { signal: interrupted });
  return cpuMs(pid) - before;
}

/** Medians by row of the second of two runs: the daemon's code is compiled while it runs. */
async function medians(client: Client, directory: string): Promise<Map<string, number>> {
  const work = { files: GROWTH_FILES, seed: 1, rows: GROWTH_ROWS, cpu: "any" } as const;
  await client({ ...work, directory: join(directory, "growth0") });
  const samples = await client({ ...work, directory: join(directory, "growth1") });
  return new Map(samples.map(({ row, median }) => [row, median]));
}

/** Fills a store of a daemon of its own, looking at both on the way. */
export async function measureScale(scratch: string, client: Client): Promise<Scale> {
  const running = await startMemfs(scratch, "any");
  const { directory, cli } = running;
  await cli("store", "policy", "bench", "max_memories=200000", "max_live_bytes=4G");
  await fill(directory, 0, FEW);
  const few = await medians(client, directory);
  await fill(directory, FEW, SOME);
  const footprints = [await footprint(running, SOME)];
  const idleMs = await idleTime(running);
  await fill(directory, SOME, ALL);
  footprints.push(await footprint(running, ALL));
  const many = await medians(client, directory);
  await cli("daemon", "stop");
  const start = performance.now();
  await cli("daemon", "start");
  const startSeconds = (performance.now() - start) / 1000;
  const growth = GROWTH_ROWS.map((row) => ({ row, few: few.get(row) ?? NaN, many: many.get(row) ?? NaN }));
  return { footprints, idleMs, idleSeconds: IDLE_SECONDS, startSeconds, growth };
}
