/** The daemon's log: one JSON object per line, never contents. */

import { closeSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { LOG_LEVELS, type LogLevel } from "../lib/config.ts";
import type { LogFields, Logger } from "../lib/log.ts";

/** Rotated files that are kept: `.1` is the newest. */
const KEPT = 3;

/** Takes finished lines. */
export interface LogSink {
  write(line: string): void;
  close(): void;
}

/** A logger that writes lines of `level` and above. */
export function createLogger(level: LogLevel, sink: LogSink, now: () => Date = () => new Date()): Logger {
  const threshold = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel) => {
    const silent = LOG_LEVELS.indexOf(name) < threshold;
    return (message: string, fields: LogFields = {}): void => {
      if (!silent) sink.write(`${JSON.stringify({ time: now().toISOString(), level: name, message, ...fields })}\n`);
    };
  };
  return Object.freeze({ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") });
}

/** Lines to a descriptor that somebody else keeps, for a daemon in the foreground. */
export function descriptorSink(fd: number): LogSink {
  return { write: (line) => void tryWrite(fd, line), close: () => undefined };
}

/**
 * Lines to a file of mode 0600 that is renamed to `.1` (and `.1` to `.2`, …) before it would grow over `maxBytes`.
 * `follow` is told the descriptor after each rotation, so that what the runtime itself prints goes there too.
 */
export class RotatingFile implements LogSink {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #follow: (fd: number) => void;
  #fd: number;
  #size: number;

  constructor(path: string, maxBytes: number, follow: (fd: number) => void = () => undefined) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#follow = follow;
    this.#fd = openSync(path, "a", 0o600);
    this.#size = statSync(path).size;
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#size > 0 && this.#size + bytes > this.#maxBytes) this.#rotate();
    if (tryWrite(this.#fd, line)) this.#size += bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #rotate(): void {
    try {
      for (let n = KEPT - 1; n >= 1; n--) rename(`${this.#path}.${n}`, `${this.#path}.${n + 1}`);
      rename(this.#path, `${this.#path}.1`);
      const fd = openSync(this.#path, "a", 0o600);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#follow(fd);
    } catch {
      // Better a log that is too long than a daemon that stops for it; the next attempt is a whole file later.
    }
    this.#size = 0;
  }
}

function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** A full disk must not take the daemon down with its log. */
function tryWrite(fd: number, line: string): boolean {
  try {
    writeSync(fd, line);
    return true;
  } catch {
    return false;
  }
}
