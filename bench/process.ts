/** Child processes of the benchmark. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cpu } from "./rows.ts";

/** A command as its words; `cpu` "one" keeps it on the first CPU. */
export function pinned(cpu: Cpu, command: readonly string[]): string[] {
  return cpu === "one" ? ["taskset", "-c", "0", ...command] : [...command];
}

/** How a child is run. */
export interface RunOptions {
  /** Added to the benchmark's own environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the child when it fires. */
  readonly signal?: AbortSignal;
}

/** Starts a command; its stderr is the benchmark's. Nothing of the terminal's Ctrl-C reaches it: teardown ends it. */
export function start(command: readonly string[], { env, signal }: RunOptions = {}): ChildProcess {
  const [file = "", ...args] = command;
  const options: SpawnOptions = {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
    env: { ...process.env, ...env },
  };
  return spawn(file, args, signal === undefined ? options : { ...options, signal });
}

/** Runs a command to its end and gives its stdout. Rejects when it cannot start or exits with anything but 0. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = start(command, options);
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${command.join(" ")} failed with exit code ${code}`);
  return Buffer.concat(chunks).toString();
}

/** The first line a command prints, or null when it is not installed or fails. */
export async function firstLine(command: readonly string[]): Promise<string | null> {
  try {
    return (await run(command)).split("\n")[0]?.trim() ?? null;
  } catch {
    return null;
  }
}

/** Polls until `condition` holds, at most `seconds`. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${seconds} s`);
    await sleep(20);
  }
}

/** Ends a child that was started here, politely first. */
export async function end(child: ChildProcess): Promise<void> {
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (over()) return;
  child.kill("SIGTERM");
  await until("the end of a child process", over, 5).catch(() => child.kill("SIGKILL"));
}

/** The type of the filesystem mounted exactly at `path`, from the kernel's table, or null. */
export function mountedType(path: string): string | null {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines.map((line) => line.split(" ")).findLast((fields) => fields[1] === path)?.[2] ?? null;
}

/** Unmounts what is mounted at `path`, whatever its state. */
export async function unmount(path: string): Promise<void> {
  if (mountedType(path) !== null) await run(["umount", "-l", path]);
}
