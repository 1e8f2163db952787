/** Four processes, each on a mount of its own, all of one store: what they get done together beside one alone. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "./client.ts";
import { mountedType, unmount, until } from "./process.ts";
import { startMemfs } from "./systems/memfs.ts";
import { onTeardown } from "./teardown.ts";

/** Passes over all rows in a second, times the files of a pass. */
export interface Throughput {
  readonly alone: number;
  readonly together: number;
}

const PROCESSES = 4;
const FILES = 1000;
const ROWS = ["create", "read", "append", "overwrite", "atomic", "rename", "unlink"];

/** Starts a daemon of its own. Each of the processes does as much as the one alone. */
export async function measureParallel(scratch: string, client: Client): Promise<Throughput> {
  const { directory, cli } = await startMemfs(scratch, "any");
  const mounts = [directory];
  for (let index = 1; index < PROCESSES; index++) {
    const other = join(scratch, `mount${index}`);
    await mkdir(other);
    onTeardown(() => unmount(other));
    await cli("mount", "bench", other, "--agent", `bench${index}`);
    await until("a memfs mount", () => mountedType(other) !== null);
    mounts.push(other);
  }
  const pass = (mount: string, name: string): Promise<unknown> =>
    client({ directory: join(mount, name), files: FILES, seed: 1, rows: ROWS, cpu: "any" });
  await pass(directory, "warm");
  const alone = await filesPerSecond(1, () => [pass(directory, "alone")]);
  const together = await filesPerSecond(PROCESSES, () => mounts.map((mount, index) => pass(mount, `together${index}`)));
  return { alone, together };
}

async function filesPerSecond(processes: number, start: () => Promise<unknown>[]): Promise<number> {
  const begin = performance.now();
  await Promise.all(start());
  return (processes * FILES) / ((performance.now() - begin) / 1000);
}
