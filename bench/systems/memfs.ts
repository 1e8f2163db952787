import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mountedType, pinned, run, unmount, until } from "../process.ts";
import type { Cpu } from "../rows.ts";
import { onTeardown } from "../teardown.ts";
import type { Running, System } from "./system.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A daemon of its own, in a home of its own, with one store mounted. */
export interface MemfsRunning extends Running {
  /** Runs the CLI against this daemon. */
  cli(...args: string[]): Promise<string>;
}

/** Starts a daemon below `scratch` as people do, through the CLI, and mounts a new store. */
export async function startMemfs(scratch: string, cpu: Cpu): Promise<MemfsRunning> {
  const directory = join(scratch, "mount");
  await mkdir(directory);
  const env = { MEMFS_HOME: join(scratch, "home") };
  const cli = (...args: string[]): Promise<string> => run(pinned(cpu, [process.execPath, CLI, ...args]), { env });
  onTeardown(async () => {
    // Also when the daemon is stuck or dead: first the polite way, then the mount is cut off.
    await cli("daemon", "stop").catch(() => undefined);
    await unmount(directory);
  });
  await cli("daemon", "start");
  await cli("store", "create", "bench");
  await cli("mount", "bench", directory, "--agent", "bench");
  await until("the memfs mount", () => mountedType(directory) !== null);
  return {
    directory,
    cli,
    async verify(expected) {
      const { usage } = JSON.parse(await cli("store", "show", "bench", "--json")) as { usage: { versions: number } };
      const [newest] = JSON.parse(await cli("log", "bench", "-n", "1", "--json")) as { agent: string }[];
      if (usage.versions < expected || newest?.agent !== "bench") {
        throw new Error(`memfs recorded ${usage.versions} versions, expected at least ${expected}`);
      }
      return `memfs recorded ${usage.versions} versions (at least ${expected} were due)`;
    },
  };
}

export const memfs: System = {
  name: "memfs",
  title: "memfs",
  describe: async () => ({
    text: `memfs ${(await run([process.execPath, CLI, "--version"])).trim()}, every close recorded as an encrypted version`,
    available: true,
  }),
  start: startMemfs,
};
