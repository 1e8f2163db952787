/** Spawning the daemon. `daemon/ready.ts` is the other end of the line it reports on. */

import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { MemfsError } from "../lib/errors.ts";
import type { Home } from "../lib/home.ts";
import type { StartReport } from "../lib/start-report.ts";

/** Threads for LevelDB, the wait on `/dev/fuse`, cache notifications, unmounting; libuv's own 4 could all be waiting. */
const POOL_SIZE = "12";

/**
 * The first two keep the daemon small: V8 would rather let garbage pile up (a young generation of 48 MiB, an old one that
 * doubles before it is looked at). Measured after 20,000 files: a third less memory, no slower.
 *
 * The last keeps it fast after a pause. V8 cleans up when nothing has happened for 8 s, so thoroughly that it drops all
 * compiled code that expects a kind of object of which there happens to be none: some 150 functions, and the next thousand
 * changes took up to twice as long. Agents pause that long all the time. After five minutes the memory goes back all the same.
 */
const HEAP_FLAGS = [
  "--max-semi-space-size=4",
  "--heap-growing-percent=20",
  "--gc-memory-reducer-start-delay-ms=300000",
];

/** glibc keeps what a thread freed for that thread: with one arena per thread little ever goes back. */
const ARENAS = "2";

/** `daemon/main.js` and all that it loads in one file, by `scripts/build.mjs`. */
const MAIN = fileURLToPath(new URL("../daemon/bundle.js", import.meta.url));

/** Descriptor of the line in the child. */
const REPORT_FD = 3;

interface SpawnOptions {
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  readonly flags: readonly string[];
  /** The child's stdout and stderr. */
  readonly output: "inherit" | number;
}

/**
 * Makes sure that a daemon of the home serves, in the background and independent of this process. Of several starters
 * at a time one daemon survives; all of them return when it serves.
 * @throws MemfsError what kept it from starting
 */
export async function startDaemon(
  home: Home,
  env: NodeJS.ProcessEnv,
  flags: readonly string[] = [],
): Promise<StartReport> {
  const log = openLog(home);
  try {
    const child = spawnDaemon({ home, env, flags, output: log });
    const report = await reportOf(child, home);
    // The child goes on by itself.
    child.unref();
    (child.stdio[REPORT_FD] as Readable | null | undefined)?.destroy();
    if (report.state === "failed") throw new MemfsError(report.code, report.message);
    return report;
  } finally {
    closeSync(log);
  }
}

/** A daemon that ends with this process, and whose log comes out here. */
export function runDaemon(home: Home, env: NodeJS.ProcessEnv, flags: readonly string[]): ChildProcess {
  return spawnDaemon({ home, env, flags: ["--foreground", ...flags], output: "inherit" });
}

function spawnDaemon({ home, env, flags, output }: SpawnOptions): ChildProcess {
  const stdio: StdioOptions = ["ignore", output, output, "pipe"];
  const args = [...HEAP_FLAGS, ...process.execArgv, MAIN, "--report-fd", String(REPORT_FD), ...flags];
  return spawn(process.execPath, args, {
    // A session of its own: neither the terminal's end nor its Ctrl-C reaches the daemon directly.
    detached: true,
    // Any other directory could be one that somebody wants to unmount.
    cwd: "/",
    env: { UV_THREADPOOL_SIZE: POOL_SIZE, MALLOC_ARENA_MAX: ARENAS, ...env, MEMFS_HOME: home.dir },
    stdio,
  });
}

/** What the daemon says of its start; also when it dies without a word. */
export async function reportOf(child: ChildProcess, home: Home): Promise<StartReport> {
  const died = new Promise<StartReport>((resolve) => {
    child.once("error", (error) => resolve(silent(error.message, home)));
    child.once("exit", (code, signal) => resolve(silent(`it ended with ${signal ?? `exit code ${code ?? 0}`}`, home)));
  });
  const text = await firstLine(child.stdio[REPORT_FD] as Readable);
  return text === "" ? died : (JSON.parse(text) as StartReport);
}

function silent(reason: string, { logFile }: Home): StartReport {
  return { state: "failed", code: "unreachable", message: `the daemon did not start: ${reason}; see ${logFile}` };
}

/** Up to the first newline; empty when the stream ends before. */
function firstLine(stream: Readable): Promise<string> {
  let text = "";
  return new Promise((resolve) => {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    stream.on("close", () => resolve(""));
    stream.on("error", () => resolve(""));
  });
}

function openLog(home: Home): number {
  try {
    mkdirSync(home.dir, { recursive: true, mode: 0o700 });
    return openSync(home.logFile, "a", 0o600);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new MemfsError("bad_config", `the home ${home.dir} cannot be used (${code}); set MEMFS_HOME`, { cause });
  }
}
