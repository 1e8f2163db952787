import { run } from "../process.ts";
import type { System } from "./system.ts";

/** A plain directory of the disk that holds `scratch`: what every other column stands on. */
export async function plain(scratch: string): Promise<System> {
  const type = (await run(["df", "--output=fstype", scratch])).trim().split("\n").at(-1) ?? "unknown";
  return {
    name: "plain",
    title: type,
    describe: async () => ({ text: `plain directory on ${type}`, available: true }),
    start: async (directory) => ({ directory }),
  };
}
