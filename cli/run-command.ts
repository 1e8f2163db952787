/** Running a command in the place of this process: its terminal, its signals, its exit code. */

import { spawn, type ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { complain } from "./output.ts";

/** What somebody may send to end a command or tell it something. */
const PASSED_ON = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
type Signal = (typeof PASSED_ON)[number];

/** Exit codes that shells use for a command that cannot be run, is not there, or was ended by a signal. */
const CANNOT_RUN = 126;
const NOT_FOUND = 127;
const BY_SIGNAL = 128;

/** Keeps this process alive through signals, and hands them to the command once there is one. */
export class Signals {
  readonly #handlers: (readonly [Signal, () => void])[];
  #child: ChildProcess | null = null;
  #early: Signal | null = null;

  constructor() {
    this.#handlers = PASSED_ON.map((signal) => [signal, () => this.#pass(signal)]);
    for (const [signal, handler] of this.#handlers) process.on(signal, handler);
  }

  /** The signal that came before there was a command: it is not to be run. */
  get early(): Signal | null {
    return this.#early;
  }

  follow(child: ChildProcess): void {
    this.#child = child;
  }

  close(): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler);
  }

  #pass(signal: Signal): void {
    if (this.#child === null) this.#early ??= signal;
    // A terminal sends what is typed to both of us.
    else if (!((signal === "SIGINT" || signal === "SIGQUIT") && isatty(0))) this.#child.kill(signal);
  }
}

export interface RunOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly signals: Signals;
}

/** Resolves with the exit code, as a shell would have it. Never rejects. */
export function runCommand({ file, args, env, signals }: RunOptions): Promise<number> {
  if (signals.early !== null) return Promise.resolve(BY_SIGNAL + constants.signals[signals.early]);
  return new Promise((resolve) => {
    const child = spawn(file, args, { env, stdio: "inherit" });
    signals.follow(child);
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      const missing = error.code === "ENOENT";
      complain(
        missing
          ? `there is no command ${file}; check its name`
          : `${file} cannot be run (${error.code ?? ""}); check it`,
      );
      resolve(missing ? NOT_FOUND : CANNOT_RUN);
    });
    child.on("exit", (code, signal) => resolve(code ?? BY_SIGNAL + (signal === null ? 0 : constants.signals[signal])));
  });
}
