/** What is measured, and how fast it must be. */

export type Cpu = "any" | "one";
export type SystemName = "plain" | "bindfs" | "native" | "memfs";

/** memfs must be at least `atLeast` times as fast as `versus`. */
export interface Target {
  readonly cpu: Cpu;
  readonly versus: SystemName;
  readonly atLeast: number;
}

export interface Row {
  /** Name of the row in `client.c`. Times are microseconds per operation. */
  readonly name: string;
  readonly label: string;
  readonly targets: readonly Target[];
  /** Versions that memfs must have recorded for each file afterwards. */
  readonly versions: number;
}

function row(name: string, label: string, options: { versions?: number; bindfs?: number; native?: number }): Row {
  const targets: Target[] = [{ cpu: "any", versus: "bindfs", atLeast: options.bindfs ?? 1 }];
  if (options.native !== undefined) targets.push({ cpu: "any", versus: "native", atLeast: options.native });
  return { name, label, targets, versions: options.versions ?? 0 };
}

/** Every row, in the order of the table. */
export const ROWS: readonly Row[] = [
  row("create", "create + write 2 KiB + close", { bindfs: 1.5, native: 2, versions: 1 }),
  row("read", "open + read 2 KiB + close, warm", { bindfs: 1.5, native: 2 }),
  row("stat", "stat, warm", {}),
  row("append", "append 100 B + close", { native: 2, versions: 1 }),
  row("overwrite", "overwrite 2 KiB in place", { versions: 1 }),
  row("truncate", "truncate + write 2 KiB", { versions: 1 }),
  row("atomic", "atomic save (temporary file, rename)", { versions: 1 }),
  row("list", "`ls -l`, per entry, warm", {}),
  row("grep", "`grep -r`, per file, warm", {}),
  row("rename", "rename", {}),
  row("unlink", "unlink", {}),
  row("mkdir", "mkdir + rmdir", {}),
  row("fsync", "write 100 B + fsync", {}),
];

/** One row's result of one run of the client, microseconds per operation. */
export interface Sample {
  readonly row: string;
  readonly n: number;
  readonly median: number;
  readonly mean: number;
}
