/** `memfs daemon …`: the process behind everything. */

import type { Command } from "commander";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { DaemonStatus } from "../../lib/api.ts";
import { ERRORS, MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import { type Context, isAbsent } from "../context.ts";
import { complain, json, line, table } from "../output.ts";
import { reportOf, runDaemon, startDaemon } from "../start-daemon.ts";

/** Milliseconds a daemon gets to commit drafts, unmount and close. */
const STOP_PATIENCE = 30_000;
const PAUSE = 20;

interface Flags {
  readonly json?: boolean;
  readonly logLevel?: string;
}

export function register(program: Command, context: Context): void {
  const daemon = program.command("daemon").description("start, stop and look at the daemon");
  const level: [string, string] = ["--log-level <level>", "debug, info, warn or error"];

  common(daemon.command("start").description("start the daemon in the background"), "memfs daemon start")
    .option(...level)
    .action(async (flags: Flags) => announce(await start(context, flags), flags, "The daemon runs"));
  common(daemon.command("stop").description("commit, unmount and stop"), "memfs daemon stop").action(
    async (flags: Flags) => announce(await stop(context), flags, "The daemon has stopped"),
  );
  common(daemon.command("restart").description("stop the daemon if it runs, and start it"), "memfs daemon restart")
    .option(...level)
    .action(async (flags: Flags) => {
      await stop(context).catch((error: unknown) => {
        if (!isAbsent(error)) throw error;
      });
      announce(await start(context, flags), flags, "The daemon runs");
    });
  common(
    daemon.command("status").description("what runs; exit code 69 when nothing does"),
    "memfs daemon status",
  ).action(async (flags: Flags) => showStatus(await status(context), flags));
  common(
    daemon.command("run").description("run in the foreground, logging to stderr"),
    "memfs daemon run --log-level debug",
  )
    .option(...level)
    .action(async (flags: Flags) => {
      process.exitCode = await runInForeground(context, flags);
    });
}

function levelFlags({ logLevel }: Flags): string[] {
  return logLevel === undefined ? [] : ["--log-level", logLevel];
}

async function start(context: Context, flags: Flags): Promise<DaemonStatus> {
  const running = await status(context).catch((error: unknown) => {
    if (!isAbsent(error)) throw error;
    return null;
  });
  // Another starter may come first: then, too, a daemon runs that was started with other flags.
  const found =
    running !== null || (await startDaemon(context.home, context.env, levelFlags(flags))).state === "running";
  if (found && flags.logLevel !== undefined) {
    const way = `use: memfs daemon restart --log-level ${flags.logLevel}`;
    complain(`a daemon runs already and keeps its log level; to change it ${way}`);
  }
  return running ?? status(context);
}

/** @throws MemfsError `unreachable`, absent when none runs */
async function status(context: Context): Promise<DaemonStatus> {
  const client = context.running();
  if (client === null) throw absent(context);
  try {
    return await client.daemon();
  } catch (error) {
    throw isAbsent(error) ? absent(context) : error;
  }
}

function absent(context: Context): MemfsError {
  const message = `no daemon runs for ${context.home.dir}; start it with: memfs daemon start`;
  return new MemfsError("unreachable", message, { detail: { absent: true } });
}

/** Returns what the daemon was when its process has ended. */
async function stop(context: Context): Promise<DaemonStatus> {
  await status(context);
  const client = context.running();
  if (client === null) throw absent(context);
  const stopping = await client.stopDaemon();
  context.close();
  const deadline = performance.now() + STOP_PATIENCE;
  while (await isAlive(stopping.pid)) {
    if (performance.now() > deadline) {
      const { pid, home } = stopping;
      throw new MemfsError("busy", `the daemon (pid ${pid}) is still stopping; wait, or look at ${home}/daemon.log`);
    }
    await sleep(PAUSE);
  }
  return stopping;
}

/** Whether a process runs. One that has ended and was not waited for (a container without an init) does not. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    return !/\) [ZX] [^)]*$/.test(stat);
  } catch {
    return false;
  }
}

function announce(status: DaemonStatus, flags: Flags, what: string): void {
  if (flags.json === true) json(status);
  else line(`${what} (pid ${status.pid}, home ${status.home}).`);
}

function showStatus(status: DaemonStatus, flags: Flags): void {
  if (flags.json === true) return json(status);
  table([
    ["pid", String(status.pid)],
    ["version", status.version],
    ["home", status.home],
    ["mounts", mounts(status)],
    ["stores", String(status.stores)],
    ["uptime", `${status.uptime_seconds} s`],
  ]);
}

function mounts({ mounts, absent_mountpoints: absent }: DaemonStatus): string {
  return absent.length === 0 ? String(mounts) : `${mounts}, and ${absent.length} not there; see: memfs mounts`;
}

async function runInForeground(context: Context, flags: Flags): Promise<number> {
  const child = runDaemon(context.home, context.env, levelFlags(flags));
  // The child has a session of its own, so each signal reaches it once, from here.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  const ended = new Promise<number>((resolve) => {
    child.once("exit", (code) => resolve(code ?? ERRORS.internal.exit));
  });
  const report = await reportOf(child, context.home);
  if (report.state === "failed") throw new MemfsError(report.code, report.message);
  if (report.state === "running") {
    throw new MemfsError("locked", `a daemon of ${context.home.dir} runs already; stop it with: memfs daemon stop`);
  }
  return ended;
}
