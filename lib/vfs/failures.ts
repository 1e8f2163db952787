/** Why operations of a mount failed lately: a program shows an errno, `.memfs/errors` what is behind it. */

import { type ErrorCode, MemfsError, meaningOf } from "../errors.ts";
import type { Micros } from "../store/types.ts";

/** What went wrong. */
export interface FailedOperation {
  readonly operation: string;
  /** Bytes, in the store. */
  readonly path: string;
  readonly error: unknown;
}

/** One failure as it is kept. */
export interface KeptFailure {
  /** When it happened last. */
  readonly at: Micros;
  readonly operation: string;
  readonly path: string;
  readonly errno: string;
  readonly code: ErrorCode;
  readonly reason: string;
  /** How often it happened in a row. */
  readonly times: number;
}

/** Failures kept; the oldest go first. */
const KEPT = 200;

/** What asks for an explanation. The rest (ENOENT, EEXIST, …) says all there is to say, and is everyday. */
const TELLING: ReadonlySet<string> = new Set([
  "EROFS",
  "EFBIG",
  "EDQUOT",
  "ENOSPC",
  "EIO",
  "ESTALE",
  "EPERM",
  "EACCES",
  "ENOLCK",
]);

export const isTelling = (error: unknown): boolean => TELLING.has(meaningOf(error).errno);

export class Failures {
  #kept: KeptFailure[] = [];

  add(at: Micros, { operation, path, error }: FailedOperation): void {
    const { errno } = meaningOf(error);
    const known = error instanceof MemfsError;
    const code = known ? error.code : "internal";
    const reason = known ? error.message : "an unexpected failure; the daemon's log says more";
    const last = this.#kept.at(-1);
    const again = last !== undefined && last.operation === operation && last.path === path && last.reason === reason;
    if (again) this.#kept.pop();
    const times = again ? last.times + 1 : 1;
    this.#kept.push({ at, operation, path, errno, code, reason, times });
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  /** The newest last. */
  get all(): readonly KeptFailure[] {
    return this.#kept;
  }
}
