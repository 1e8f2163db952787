/** What a command works with: the home, the daemon's client, the way it was called. */

import { Client } from "../lib/client.ts";
import { MemfsError } from "../lib/errors.ts";
import { findSocket, type Home, homeOf } from "../lib/home.ts";

export class Context {
  readonly env: NodeJS.ProcessEnv;
  readonly home: Home;
  #client: Client | null = null;

  constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
    this.home = homeOf(env);
  }

  /**
   * Runs `ask` against the daemon, which is started when none runs.
   * @throws MemfsError what the daemon refused with, or what kept it from starting
   */
  async ask<T>(ask: (client: Client) => Promise<T>): Promise<T> {
    const running = this.running();
    try {
      if (running !== null) return await ask(running);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    const { startDaemon } = await import("./start-daemon.ts");
    await startDaemon(this.home, this.env);
    this.close();
    const started = this.running();
    if (started === null)
      throw new MemfsError("unreachable", `the daemon of ${this.home.dir} left no socket; see its log`);
    return ask(started);
  }

  /** The client of the daemon if one has ever listened; it may be gone. */
  running(): Client | null {
    const socket = findSocket(this.home);
    if (socket !== null) this.#client ??= new Client(socket);
    return this.#client;
  }

  /** Lets the process end. */
  close(): void {
    this.#client?.close();
    this.#client = null;
  }
}

/** Whether the error says that no daemon runs, so that nothing has been asked of any. */
export function isAbsent(error: unknown): boolean {
  return error instanceof MemfsError && error.code === "unreachable" && error.detail["absent"] === true;
}
