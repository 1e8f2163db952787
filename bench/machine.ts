/** What the figures were taken on. */
import { cpus, loadavg, release, totalmem } from "node:os";
import { firstLine } from "./process.ts";

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGiB: number;
  /** Runnable processes, averaged over the minute before the run. */
  readonly load: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
}

/** The machine, and the commit that is measured (`+` when the tree has changes of its own). */
export async function machine(): Promise<Machine> {
  const commit = await firstLine(["git", "rev-parse", "--short", "HEAD"]);
  const changes = await firstLine(["git", "status", "--porcelain", "--", "lib", "daemon", "cli"]);
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
    cpu: cpus()[0]?.model.trim() ?? "unknown CPU",
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    commit: commit === null ? "no commit" : `${commit}${changes ? "+" : ""}`,
  };
}
