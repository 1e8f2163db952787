/** One large file written and read from beginning to end, on each system in turn. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mountedType, run, unmount, until } from "./process.ts";
import type { SystemName } from "./rows.ts";
import { type MemfsRunning, startMemfs } from "./systems/memfs.ts";
import type { System } from "./systems/system.ts";
import { digits, middle } from "./table.ts";
import { interrupted } from "./teardown.ts";

/** Of one round on one system. Megabytes (10^6) per second. */
export interface SequentialRun {
  readonly system: SystemName;
  /** With the close. */
  readonly write: number;
  /** Microseconds that a request for another file took at most meanwhile. */
  readonly longest: number;
  /** Without pages in the kernel; memfs with a daemon that has just been started and read nothing. */
  readonly first: number;
  /** The same, of a second file: memfs has read one by then, and its code is compiled as it is in any daemon that works. */
  readonly cold: number;
  readonly warm: number;
}

const SOURCE = fileURLToPath(new URL("sequential.c", import.meta.url));
const MIB = 64;
/** What memfs is to reach. */
const TARGETS = Object.freeze({ write: 180, longest: 20_000, cold: 500, warm: 1500 });

interface Contestant {
  readonly system: SystemName;
  readonly directory: string;
  /** Forgets what only a process that goes on could know. */
  restart(): Promise<void>;
}

interface Step {
  readonly rate: number;
  readonly longest?: number;
}

/** @param scratch a directory of its own; systems that are not asked for are left out */
export async function measureSequential(
  scratch: string,
  { systems, rounds, seed }: { systems: readonly System[]; rounds: number; seed: number },
): Promise<SequentialRun[]> {
  const binary = join(scratch, "sequential");
  await run(["cc", "-O2", "-std=gnu11", "-pthread", "-o", binary, SOURCE]);
  const contestants: Contestant[] = [];
  for (const system of systems) contestants.push(await start(system, join(scratch, system.name)));
  const runs: SequentialRun[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of contestants) {
      process.stderr.write(
        `${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}: one large file, ${contestant.system}\n`,
      );
      const found = await measure(contestant, binary, seed + round);
      if (round > 0) runs.push(found);
    }
  }
  return runs;
}

async function start(system: System, own: string): Promise<Contestant> {
  await mkdir(own);
  const { name } = system;
  if (name !== "memfs") return { system: name, ...(await system.start(own, "any")), restart: () => Promise.resolve() };
  const running = await startMemfs(own, "any");
  const { directory, cli } = running;
  await cli("store", "policy", "bench", "max_memory_bytes=1G", "max_live_bytes=4G");
  return { system: name, directory, restart: () => restart(running) };
}

async function restart({ cli, directory }: MemfsRunning): Promise<void> {
  await cli("daemon", "stop");
  await unmount(directory);
  await cli("daemon", "start");
  await cli("mount", "bench", directory, "--agent", "bench");
  await until("the memfs mount", () => mountedType(directory) !== null);
}

async function measure(contestant: Contestant, binary: string, seed: number): Promise<SequentialRun> {
  const { system, directory } = contestant;
  const [file, before, other] = [join(directory, "large"), join(directory, "before"), join(directory, "other")];
  await writeFile(other, "a small file");
  const step = async (...args: string[]): Promise<Step> =>
    JSON.parse(await run([binary, ...args], { signal: interrupted })) as Step;
  const work = [file, String(MIB), String(seed)];
  // Other bytes: chunks that are there already would not be written again.
  const earlier = [before, String(MIB), String(2 ** 40 + seed)];
  await step("write", ...earlier, other);
  const write = await step("write", ...work, other);
  await contestant.restart();
  const first = await step("cold", ...earlier);
  const cold = await step("cold", ...work);
  const warm = await step("warm", ...work);
  await rm(file);
  await rm(before);
  const rates = { write: write.rate, first: first.rate, cold: cold.rate, warm: warm.rate };
  return { system, longest: write.longest ?? NaN, ...rates };
}

/** The Markdown table, and what memfs is to reach. */
export function sequentialLines(
  runs: readonly SequentialRun[],
  systems: readonly { readonly name: SystemName; readonly title: string }[],
): string[] {
  const shown = systems.filter(({ name }) => runs.some(({ system }) => system === name));
  const figure = (system: SystemName, what: keyof typeof TARGETS | "first"): number =>
    middle(runs.filter((run) => run.system === system).map((run) => run[what]));
  const met = (what: keyof typeof TARGETS): string => {
    const own = figure("memfs", what);
    if (Number.isNaN(own)) return "not measured";
    return (what === "longest" ? own <= TARGETS[what] : own >= TARGETS[what]) ? "met" : "**missed**";
  };
  const cells = (what: keyof typeof TARGETS | "first", label: string, verdict: string): string =>
    `| ${[label, ...shown.map(({ name }) => digits(figure(name, what))), verdict].join(" | ")} |`;
  const row = (what: keyof typeof TARGETS, label: string, target: string): string =>
    cells(what, label, `${target}: ${met(what)}`);
  return [
    `| ${[`${MIB} MiB in pieces of 128 KiB`, ...shown.map(({ title }) => title), "target"].join(" | ")} |`,
    `| --- | ${shown.map(() => "--:").join(" | ")} | --- |`,
    row("write", "write with close, MB/s", `≥ ${TARGETS.write}`),
    row("longest", "longest wait for another file meanwhile, µs", `≤ ${TARGETS.longest}`),
    cells("first", "read cold, the first file after a start, MB/s", ""),
    row("cold", "read cold, MB/s", `≥ ${TARGETS.cold}`),
    row("warm", "read warm, MB/s", `≥ ${TARGETS.warm}`),
  ];
}
