/** Prints what was measured. */
import { historyLine, type HistoryRow } from "./history.ts";
import type { Job } from "./jobs.ts";
import type { Machine } from "./machine.ts";
import type { Throughput } from "./parallel.ts";
import type { Row, SystemName } from "./rows.ts";
import type { Scale } from "./scale.ts";
import { type SequentialRun, sequentialLines } from "./sequential.ts";
import { digits, middle, renderTable, type Run, targetText } from "./table.ts";

/** One run of a job on one system. */
export interface JobRun {
  readonly job: string;
  readonly system: SystemName;
  readonly milliseconds: number;
}

/** A system of the run: what it is, or why it was left out. */
export interface Described {
  readonly name: SystemName;
  readonly title: string;
  readonly text: string;
}

/** Everything that one run found. */
export interface Report {
  readonly host: Machine;
  readonly settings: {
    readonly rows: readonly Row[];
    readonly rounds: number;
    readonly files: number;
    readonly seed: number;
  };
  readonly systems: readonly Described[];
  readonly runs: readonly Run[];
  readonly jobs: readonly Job[];
  readonly jobRuns: readonly JobRun[];
  readonly verified: readonly string[];
  readonly parallel: Throughput | null;
  readonly sequential: readonly SequentialRun[] | null;
  readonly scale: Scale | null;
  readonly history: readonly HistoryRow[] | null;
}

/** Above this load something else was running: the scheduler then places client and filesystem differently. */
const IDLE_LOAD = 0.5;

/** To standard output, as Markdown. */
export function printReport(report: Report): void {
  const { host, settings, systems } = report;
  console.log(
    `${host.cpu}, ${host.cpus} CPUs, ${host.memoryGiB} GiB; ${host.kernel}; Node ${host.node}; commit ${host.commit}; ${host.date}`,
  );
  console.log(
    `${settings.files} files of 2 KiB, median of ${settings.rounds} interleaved rounds after a warm-up, seed ${settings.seed}`,
  );
  if (host.load > IDLE_LOAD) {
    console.log(`The machine was busy before (load ${host.load}): expect other figures on an idle one`);
  }
  console.log();
  for (const { title, text } of systems) console.log(`- ${title}: ${text}`);
  console.log(`\n${renderTable(report.runs, settings.rows, systems)}\n`);
  if (report.jobRuns.length > 0) console.log(`${renderJobs(report)}\n`);
  if (report.sequential !== null) console.log(`${sequentialLines(report.sequential, systems).join("\n")}\n`);
  const history = (report.history ?? []).map(historyLine);
  for (const line of [...report.verified, ...parallelLines(report.parallel), ...scaleLines(report.scale), ...history]) {
    console.log(line);
  }
}

function renderJobs({ jobs, jobRuns, systems }: Report): string {
  const shown = systems.filter(({ name }) => jobRuns.some((run) => run.system === name));
  const head = ["whole job, ms", ...shown.map(({ title }) => title), "target"];
  const lines = [head, head.map((_, index) => (index === 0 || index === head.length - 1 ? "---" : "--:"))];
  for (const { name, label, targets } of jobs) {
    const figure = (system: SystemName): number =>
      middle(jobRuns.filter((run) => run.job === name && run.system === system).map((run) => run.milliseconds));
    const verdicts = targets.map((target) => {
      const ratio = figure(target.versus) / figure("memfs");
      const title = systems.find((system) => system.name === target.versus)?.title ?? target.versus;
      return `${targetText(target, title)}: ${verdictOf(ratio, target.atLeast)} (${digits(1 / ratio)}×)`;
    });
    lines.push([label, ...shown.map((system) => digits(figure(system.name))), verdicts.join("; ")]);
  }
  return lines.map((columns) => `| ${columns.join(" | ")} |`).join("\n");
}

function verdictOf(ratio: number, atLeast: number): string {
  if (Number.isNaN(ratio)) return "not measured";
  return ratio >= atLeast ? "met" : "**missed**";
}

function parallelLines(parallel: Throughput | null): string[] {
  if (parallel === null) return [];
  const { alone, together } = parallel;
  return [
    `Four processes on four mounts of one store: ${digits(together)} files a second, one alone ${digits(alone)}: ${digits(together / alone)}× (target: at least 1×)`,
  ];
}

function scaleLines(scale: Scale | null): string[] {
  if (scale === null) return [];
  const { footprints, idleMs, idleSeconds, startSeconds, growth } = scale;
  return [
    ...footprints.map(
      ({ memories, rssMiB, peakMiB }) =>
        `Daemon with ${memories} memories of 2 KiB, all written and read: ${rssMiB} MiB resident, at most ${peakMiB} MiB`,
    ),
    "(targets: under 150 MiB with 20,000, under 200 MiB with 100,000)",
    `Idle daemon: ${idleMs} ms of processor time in ${idleSeconds} s (target: none)`,
    `Start with 100,000 memories: ${digits(startSeconds)} s (target: under 1 s)`,
    ...growth.map(
      ({ row, few, many }) =>
        `${row}: ${digits(few)} µs with 1,000 memories, ${digits(many)} µs with 100,000: ${digits(many / few)}× (target: at most 1.5×)`,
    ),
  ];
}
