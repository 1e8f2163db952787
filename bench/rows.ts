/** What is measured, and how fast it must be. */

export type Cpu = "any" | "one";
export type SystemName = "plain" | "bindfs" | "native" | "memfs";

/** memfs must be at least `atLeast` times as fast as `versus`; below 1 it may take that much longer. */
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

/** How many times as fast as another system; `slower`: at most so many times its time. */
interface Wanted {
  readonly versions?: number;
  readonly bindfs?: number;
  readonly native?: number;
  readonly plainSlower?: number;
  /** On one CPU. */
  readonly bindfsOne?: number;
  readonly bindfsOneSlower?: number;
}

function row(name: string, label: string, wanted: Wanted): Row {
  const { bindfs, native, plainSlower, bindfsOne, bindfsOneSlower } = wanted;
  const targets: Target[] = [];
  if (bindfs !== undefined) targets.push({ cpu: "any", versus: "bindfs", atLeast: bindfs });
  if (native !== undefined) targets.push({ cpu: "any", versus: "native", atLeast: native });
  if (plainSlower !== undefined) targets.push({ cpu: "any", versus: "plain", atLeast: 1 / plainSlower });
  if (bindfsOne !== undefined) targets.push({ cpu: "one", versus: "bindfs", atLeast: bindfsOne });
  if (bindfsOneSlower !== undefined) targets.push({ cpu: "one", versus: "bindfs", atLeast: 1 / bindfsOneSlower });
  return { name, label, targets, versions: wanted.versions ?? 0 };
}

/** Every row, in the order of the table. */
export const ROWS: readonly Row[] = [
  row("create", "create + write 2 KiB + close", { bindfs: 2.5, native: 2, versions: 1 }),
  row("read", "open + read 2 KiB + close, warm", { bindfs: 2.5, native: 2, bindfsOne: 1.2 }),
  row("stat", "stat, warm", { bindfs: 1, plainSlower: 2 }),
  row("append", "append 100 B + close", { bindfs: 1.3, native: 2, bindfsOneSlower: 1.6, versions: 1 }),
  row("overwrite", "overwrite 2 KiB in place", { bindfs: 1.3, bindfsOneSlower: 1.6, versions: 1 }),
  row("truncate", "truncate + write 2 KiB", { bindfs: 2.5, versions: 1 }),
  row("atomic", "atomic save (temporary file, rename)", { bindfs: 2.2, versions: 1 }),
  row("list", "`ls -l`, per entry, warm", { bindfs: 1, plainSlower: 2 }),
  row("grep", "`grep -r`, per file, warm", { bindfs: 2.5, bindfsOne: 1.2 }),
  row("rename", "rename", { bindfs: 1.3, bindfsOneSlower: 1.6 }),
  row("unlink", "unlink", { bindfs: 1.1 }),
  row("mkdir", "mkdir + rmdir", { bindfs: 1.3, bindfsOneSlower: 1.6 }),
  row("fsync", "write 100 B + fsync", { plainSlower: 2.5 }),
];

/** One row's result of one run of the client, microseconds per operation. */
export interface Sample {
  readonly row: string;
  readonly n: number;
  readonly median: number;
  readonly mean: number;
}
