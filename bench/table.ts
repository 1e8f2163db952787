/** Turns samples into the table people read. */
import type { Cpu, Row, Sample, SystemName, Target } from "./rows.ts";

/** One run of the client on one system. */
export interface Run {
  readonly system: SystemName;
  readonly cpu: Cpu;
  readonly samples: readonly Sample[];
}

/** Microseconds per operation: the median over the rounds of each round's median and mean. */
export interface Figure {
  readonly median: number;
  readonly mean: number;
}

/** The median. */
export function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}

/** The figure of one cell, or null when the system did not run. */
export function figureOf(runs: readonly Run[], cell: { row: string; system: SystemName; cpu: Cpu }): Figure | null {
  const samples = runs
    .filter((run) => run.system === cell.system && run.cpu === cell.cpu)
    .flatMap((run) => run.samples.filter((sample) => sample.row === cell.row));
  if (samples.length === 0) return null;
  return { median: middle(samples.map((s) => s.median)), mean: middle(samples.map((s) => s.mean)) };
}

/** Two decimals below ten, one below a hundred. */
export function digits(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function cell(figure: Figure | null): string {
  return figure === null ? "–" : `${digits(figure.median)} (${digits(figure.mean)})`;
}

function ratio(other: Figure | null, own: Figure | null): string {
  return other === null || own === null ? "–" : `${(other.median / own.median).toFixed(2)}×`;
}

/** A target in words; `title` is the other system's. */
export function targetText({ atLeast }: Target, title: string): string {
  return atLeast < 1 ? `≤ ${digits(1 / atLeast)}× ${title}'s time` : `≥ ${atLeast}× ${title}`;
}

/** Whether a target is met: by the median and, so that rare slow operations count, by the mean. */
function verdict(target: Target, title: string, { other, own }: { other: Figure | null; own: Figure | null }): string {
  const text = targetText(target, title);
  if (other === null || own === null) return `${text}: not measured`;
  const median = other.median / own.median >= target.atLeast;
  const mean = other.mean / own.mean >= target.atLeast;
  return `${text}: ${median && mean ? "met" : median ? "met by the median, not by the mean" : mean ? "met by the mean, not by the median" : "**missed**"}`;
}

/** The markdown table: a line per row and per way of running, a column per system. */
export function renderTable(
  runs: readonly Run[],
  rows: readonly Row[],
  systems: readonly { readonly name: SystemName; readonly title: string }[],
): string {
  const head = [
    "µs per operation, median (mean)",
    "CPU",
    ...systems.map((s) => s.title),
    "vs bindfs",
    "vs fuse-native",
    "target",
  ];
  const lines = [head, head.map((_, i) => (i < 2 || i === head.length - 1 ? "---" : "--:"))];
  for (const cpu of ["any", "one"] as const) {
    if (!runs.some((run) => run.cpu === cpu)) continue;
    const titleOf = (name: SystemName): string => systems.find((system) => system.name === name)?.title ?? name;
    for (const { name, label, targets } of rows) {
      const figure = (system: SystemName): Figure | null => figureOf(runs, { row: name, system, cpu });
      const own = figure("memfs");
      lines.push([
        label,
        cpu,
        ...systems.map((system) => cell(figure(system.name))),
        ratio(figure("bindfs"), own),
        ratio(figure("native"), own),
        targets
          .filter((target) => target.cpu === cpu)
          .map((target) => verdict(target, titleOf(target.versus), { other: figure(target.versus), own }))
          .join("; "),
      ]);
    }
  }
  return lines.map((columns) => `| ${columns.join(" | ")} |`).join("\n");
}
