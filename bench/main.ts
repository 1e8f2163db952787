/** `npm run bench`: measures memfs beside other filesystems, in interleaved rounds of one run. Reports, never judges. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { attempt } from "./attempt.ts";
import { type Client, compileClient } from "./client.ts";
import { machine } from "./machine.ts";
import { JOBS, type Job, missing, time } from "./jobs.ts";
import { measureParallel } from "./parallel.ts";
import { mountedType } from "./process.ts";
import { type Cpu, ROWS, type Row } from "./rows.ts";
import { bindfs } from "./systems/bindfs.ts";
import { memfs } from "./systems/memfs.ts";
import { native } from "./systems/native.ts";
import { plain } from "./systems/plain.ts";
import type { Running, System } from "./systems/system.ts";
import { type JobRun, printReport, type Report } from "./report.ts";
import { measureHistory } from "./history.ts";
import { measureScale } from "./scale.ts";
import { measureSequential } from "./sequential.ts";
import type { Run } from "./table.ts";
import { interrupted, onTeardown, teardown } from "./teardown.ts";

const USAGE = `npm run bench -- [options]
  --rows NAME,…      of: ${ROWS.map((row) => row.name).join(" ")}
  --systems NAME,…   of: plain bindfs native memfs
  --cpu any|one     only unpinned, or only everything on one CPU (default: both)
  --rounds N         interleaved rounds, the median counts (3)
  --files N          files of 2 KiB (2000)
  --seed N           of the content written
  --scratch DIR      where to work, on the disk to compare with (the system's temporary directory)
  --jobs NAME,…      of: ${JOBS.map((job) => job.name).join(" ")}; "none" leaves them out
  --no-parallel      leave out four processes on four mounts
  --no-sequential    leave out one large file, written and read
  --no-scale         leave out 100,000 memories: the daemon's memory, idle CPU, start, growth
  --no-history       leave out 100,000 versions: log, blame, at, undo, merge
  --json             all samples as JSON`;

const OPTIONS = {
  rows: { type: "string" },
  systems: { type: "string" },
  cpu: { type: "string" },
  rounds: { type: "string", default: "3" },
  files: { type: "string", default: "2000" },
  seed: { type: "string" },
  scratch: { type: "string", default: tmpdir() },
  jobs: { type: "string" },
  "no-parallel": { type: "boolean", default: false },
  "no-sequential": { type: "boolean", default: false },
  "no-scale": { type: "boolean", default: false },
  "no-history": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** A list given by flag, or everything. */
function chosen<T>(flag: string | undefined, all: readonly T[], name: (item: T) => string): T[] {
  if (flag === undefined) return [...all];
  return flag.split(",").map((wanted) => {
    const found = all.find((item) => name(item) === wanted);
    if (found === undefined) throw new Error(`"${wanted}" is none of: ${all.map(name).join(" ")}`);
    return found;
  });
}

function count(text: string, flag: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${flag} takes a number of at least 1, not "${text}"`);
  return value;
}

/** A system started in one of the two ways of running. */
interface Contestant {
  readonly system: System;
  readonly cpu: Cpu;
  readonly running: Running;
}

async function startAll(systems: readonly System[], cpus: readonly Cpu[], scratch: string): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  for (const cpu of cpus) {
    for (const system of systems) {
      interrupted.throwIfAborted();
      const own = join(scratch, `${system.name}-${cpu}`);
      await mkdir(own);
      contestants.push({ system, cpu, running: await system.start(own, cpu) });
    }
  }
  return contestants;
}

interface Settings {
  readonly rows: readonly Row[];
  readonly rounds: number;
  readonly files: number;
  readonly seed: number;
}

/**
 * Runs every contestant once per round, after a round that does not count: daemons run for weeks, and one in a language
 * that is compiled while it runs needs some thousand operations to get to its speed.
 */
async function measure(contestants: readonly Contestant[], settings: Settings, client: Client): Promise<Run[]> {
  const { rounds, files, seed } = settings;
  const rows = settings.rows.map((row) => row.name);
  const runs: Run[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (const { system, cpu, running } of contestants) {
      const what = round === 0 ? "warm-up" : `round ${round} of ${rounds}`;
      process.stderr.write(`${what}: ${system.name}, ${cpu} CPU\n`);
      const directory = join(running.directory, `round${round}`);
      const samples = await client({ directory, files, seed: seed + round, rows, cpu });
      if (round > 0) runs.push({ system: system.name, cpu, samples });
    }
  }
  return runs;
}

/** Asks each system that can tell whether it did what it claims. */
async function verify(contestants: readonly Contestant[], { rows, rounds, files }: Settings): Promise<string[]> {
  // The client creates the files whatever rows are asked for.
  const perFile = 1 + rows.filter((row) => row.name !== "create").reduce((sum, row) => sum + row.versions, 0);
  const lines: string[] = [];
  for (const { running } of contestants) {
    if (running.verify) lines.push(await running.verify(perFile * files * rounds));
  }
  return lines;
}

/** Runs every job once per round on each system, unpinned, after a round that does not count. */
async function measureJobs(
  contestants: readonly Contestant[],
  jobs: readonly Job[],
  work: { scratch: string; rounds: number },
): Promise<JobRun[]> {
  const runs: JobRun[] = [];
  const unpinned = contestants.filter(({ cpu, system }) => cpu === "any" && system.name !== "native");
  for (const job of jobs) {
    const reason = await missing(job);
    if (reason !== null) {
      process.stderr.write(`${job.label}: left out, ${reason}\n`);
      continue;
    }
    await job.prepare(work.scratch);
    for (let round = 0; round <= work.rounds; round++) {
      for (const { system, running } of unpinned) {
        process.stderr.write(
          `${round === 0 ? "warm-up" : `round ${round} of ${work.rounds}`}: ${job.name} on ${system.name}\n`,
        );
        const directory = join(running.directory, `${job.name}${round}`);
        const milliseconds = await time(job, { scratch: work.scratch, directory });
        if (round > 0) runs.push({ job: job.name, system: system.name, milliseconds });
      }
    }
  }
  return runs;
}

async function bench(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(USAGE);
  const settings: Settings = {
    rows: chosen(values.rows, ROWS, (row) => row.name),
    rounds: count(values.rounds, "rounds"),
    files: count(values.files, "files"),
    seed: count(values.seed ?? String(1 + Math.floor(Math.random() * 2 ** 31)), "seed"),
  };
  const cpus = chosen<Cpu>(values.cpu, ["any", "one"], (cpu) => cpu);
  const host = await machine();
  const scratch = await mkdtemp(join(values.scratch, "mb-"));
  onTeardown(() => removeScratch(scratch));
  const systems = chosen(values.systems, [await plain(scratch), bindfs, native, memfs], (system) => system.name);
  const client = await compileClient(scratch);
  const described = await Promise.all(systems.map(async (system) => ({ system, ...(await system.describe()) })));
  const available = described.filter(({ available }) => available).map(({ system }) => system);

  const contestants = await startAll(available, cpus, scratch);
  const runs = await measure(contestants, settings, client);
  const verified = await verify(contestants, settings);
  const jobs = values.jobs === "none" ? [] : chosen(values.jobs, JOBS, (job) => job.name);
  const jobRuns = await measureJobs(contestants, jobs, { scratch, rounds: settings.rounds });
  const own = async (name: string): Promise<string> => {
    await mkdir(join(scratch, name));
    return join(scratch, name);
  };
  const ours = available.includes(memfs);
  const parallel =
    ours && !values["no-parallel"] ? await attempt(async () => measureParallel(await own("parallel"), client)) : null;
  const scale =
    ours && !values["no-scale"] ? await attempt(async () => measureScale(await own("scale"), client)) : null;
  const sequential = values["no-sequential"]
    ? null
    : await attempt(async () =>
        measureSequential(await own("sequential"), {
          ...settings,
          systems: available.filter(({ name }) => name !== "native"),
        }),
      );
  const history =
    ours && !values["no-history"] ? await attempt(async () => measureHistory(await own("history"))) : null;

  const about = described.map(({ system: { name, title }, text }) => ({ name, title, text }));
  const report: Report = {
    host,
    settings,
    systems: about,
    runs,
    jobs,
    jobRuns,
    verified,
    parallel,
    sequential,
    scale,
    history,
  };
  if (values.json) console.log(JSON.stringify(report, null, 2));
  else printReport(report);
}

/** Never through a mount that is still there: that would delete what is mounted. */
async function removeScratch(scratch: string): Promise<void> {
  const mounts = ["bindfs", "native", "memfs"].flatMap((name) => [`${name}-any`, `${name}-one`]);
  mounts.push(...["bindfs", "memfs"].map((name) => join("sequential", name)));
  const places = [...mounts, "parallel", "scale", "history"].flatMap((name) =>
    ["mount", "mount1", "mount2", "mount3", "mount-other", "mount-undone"].map((mount) => join(name, mount)),
  );
  const left = places.filter((place) => mountedType(join(scratch, place)) !== null);
  if (left.length > 0) throw new Error(`still mounted below ${scratch}: ${left.join(", ")}`);
  await rm(scratch, { recursive: true, force: true });
}

try {
  await bench();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`bench: ${interrupted.aborted ? "interrupted" : message}`);
  process.exitCode = 1;
} finally {
  await teardown();
}
