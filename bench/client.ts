/** Compiles and runs the measuring client. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstLine, pinned, run } from "./process.ts";
import type { Cpu, Sample } from "./rows.ts";
import { interrupted } from "./teardown.ts";

const SOURCE = fileURLToPath(new URL("client.c", import.meta.url));

/** What the client is asked to do. */
export interface Work {
  /** Made by the client and gone afterwards. */
  readonly directory: string;
  readonly files: number;
  readonly seed: number;
  readonly rows: readonly string[];
  readonly cpu: Cpu;
}

/** Runs the compiled client once. */
export type Client = (work: Work) => Promise<Sample[]>;

/** Compiles the client into `scratch` and gives the way to run it. */
export async function compileClient(scratch: string): Promise<Client> {
  if ((await firstLine(["cc", "--version"])) === null) {
    throw new Error(
      "there is no C compiler for the measuring client; install it: sudo apt-get install -y gcc libc6-dev",
    );
  }
  const binary = join(scratch, "client");
  await run(["cc", "-O2", "-std=gnu11", "-o", binary, SOURCE]);
  return async ({ directory, files, seed, rows, cpu }) => {
    const output = await run(pinned(cpu, [binary, directory, String(files), String(seed), ...rows]), {
      signal: interrupted,
    });
    return output
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Sample);
  };
}
