/**
 * The daemon's process: arguments, signals, exit code. Started by the CLI:
 * `main.js [--foreground] [--report-fd N] [--log-level LEVEL]`, the home in `MEMFS_HOME`.
 */

import { parseArgs } from "node:util";
import { readConfig } from "../lib/config.ts";
import { MemfsError, meaningOf } from "../lib/errors.ts";
import { type Home, homeOf } from "../lib/home.ts";
import type { Logger } from "../lib/log.ts";
import type { StartReport } from "../lib/start-report.ts";
import { VERSION } from "../lib/version.ts";
import { type Daemon, makeHome, openDaemon } from "./daemon.ts";
import { redirect } from "./libc.ts";
import { acquireLock } from "./lock.ts";
import { createLogger, descriptorSink, RotatingFile } from "./log-file.ts";
import { StarterLine } from "./ready.ts";
import { isServed } from "./served.ts";

/** Milliseconds to wait for a daemon of the same home that is stopping. */
const PATIENCE = 30_000;

const { values: flags } = parseArgs({
  options: {
    foreground: { type: "boolean", default: false },
    "report-fd": { type: "string" },
    "log-level": { type: "string" },
  },
});

function openLog(home: Home): Logger {
  const config = readConfig({ file: home.configFile, env: process.env, flags: { log_level: flags["log-level"] } });
  if (flags.foreground) return createLogger(config.logLevel, descriptorSink(2));
  const file = new RotatingFile(home.logFile, config.logMaxBytes, (fd) => {
    // What Node itself prints before it dies belongs in the log too.
    redirect(fd, 1);
    redirect(fd, 2);
  });
  return createLogger(config.logLevel, file);
}

/** Stops in order, once; what is asked while it stops changes nothing. */
function stopper(daemon: Promise<Daemon>, log: Logger): (why: string, exitCode?: number) => void {
  let stopping = false;
  return (why, exitCode = 0) => {
    if (stopping) return;
    stopping = true;
    log.info("stopping", { why });
    daemon
      .then((opened) => opened.close())
      .then(
        () => exitCode,
        (error: unknown) => {
          log.error("stopping failed; nothing acknowledged is lost", { error: String(error) });
          return meaningOf(error).exit;
        },
      )
      .then((code) => process.exit(code))
      .catch(() => process.exit(1));
  };
}

function onSignals(stop: (why: string) => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      // A second signal ends the process at once: nothing acknowledged is lost either way.
      for (const again of ["SIGTERM", "SIGINT"] as const) process.on(again, () => process.exit(1));
      stop(signal);
    });
  }
  // A terminal that goes away is no reason to stop what runs in the background.
  if (!flags.foreground) process.on("SIGHUP", () => undefined);
}

/** A bug must not take the mounts down silently: a stray rejection is logged, an exception ends the daemon in order. */
function onBugs(log: Logger, stop: (why: string, exitCode: number) => void): void {
  const describe = (error: unknown): string =>
    error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.on("unhandledRejection", (error) => log.error("unhandled rejection", { error: describe(error) }));
  process.on("uncaughtException", (error) => {
    log.error("uncaught exception", { error: describe(error) });
    stop("uncaught exception", meaningOf(error).exit);
  });
}

/**
 * Serves, or finds that another daemon of this home does.
 * @throws MemfsError what keeps it from starting
 */
async function start(starter: StarterLine | null): Promise<StartReport> {
  const home = homeOf();
  makeHome(home);
  const mine = await acquireLock({ file: home.lockFile, patience: PATIENCE, served: () => isServed(home) });
  if (!mine) return { state: "running" };
  const log = openLog(home);
  let stop: (why: string, exitCode?: number) => void = () => undefined;
  const daemon = openDaemon({ home, env: process.env, log, onStopRequest: () => stop("request") });
  stop = stopper(daemon, log);
  try {
    await daemon;
  } catch (error) {
    log.error("could not start", { error: error instanceof MemfsError ? error.message : String(error) });
    throw error;
  }
  onSignals(stop);
  onBugs(log, stop);
  if (flags.foreground) starter?.whenStarterEnds(() => stop("the starter ended"));
  log.info("serving", { version: VERSION, pid: process.pid, node: process.version });
  return { state: "ready", pid: process.pid };
}

function failed(error: unknown): StartReport {
  if (error instanceof MemfsError) return { state: "failed", code: error.code, message: error.message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    state: "failed",
    code: "internal",
    message: `unexpected error; please report it: ${message}`.replaceAll(/\s*\n\s*/g, " "),
  };
}

const starter = flags["report-fd"] === undefined ? null : new StarterLine(Number(flags["report-fd"]));
let exitCode = 0;
const report = await start(starter).catch((error: unknown) => {
  exitCode = meaningOf(error).exit;
  return failed(error);
});
await starter?.report(report);
if (report.state !== "ready") process.exit(exitCode);
if (!flags.foreground) starter?.close();
