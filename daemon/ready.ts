/**
 * How a daemon tells whoever started it what became of it: one JSON line on a descriptor, then nothing more.
 * `cli/start-daemon.ts` is the other end.
 */

import { Socket } from "node:net";
import type { StartReport } from "../lib/start-report.ts";

/** The line to the starter. */
export class StarterLine {
  readonly #socket: Socket;

  /** `fd` is a connected unix socket that the starter made. */
  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: true });
    // The starter may be gone already: nobody is told then.
    this.#socket.on("error", () => undefined);
    this.#socket.unref();
  }

  /** Resolves when the report is on its way. */
  report(report: StartReport): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#socket.write(`${JSON.stringify(report)}\n`, () => resolve()));
  }

  /** Calls `ended` when the starter is gone: a daemon in the foreground ends with it. */
  whenStarterEnds(ended: () => void): void {
    this.#socket.once("close", ended).resume();
  }

  close(): void {
    this.#socket.destroy();
  }
}
