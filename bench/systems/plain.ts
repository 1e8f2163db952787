import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import type { System } from "./system.ts";

/** The type of the filesystem that holds `path`: the longest mount point above it. */
export async function filesystemOf(path: string): Promise<string> {
  const real = `${await realpath(path)}/`;
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .map(([, point = "", type = "unknown"]) => ({ point: point.endsWith("/") ? point : `${point}/`, type }))
    .filter(({ point }) => (point.length > 1 ? real.startsWith(point) : point === "/"));
  return mounts.sort((a, b) => a.point.length - b.point.length).at(-1)?.type ?? "unknown";
}

/** A plain directory of the disk: what every other column stands on. */
export async function plain(base: string): Promise<System> {
  const type = await filesystemOf(base);
  return {
    name: "plain",
    title: type,
    describe: async () => ({ text: `plain directory on ${type}`, available: true }),
    start: async (scratch) => ({ directory: scratch }),
  };
}
