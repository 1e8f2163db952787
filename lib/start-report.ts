/** What a starting daemon tells the process that spawned it. */

import type { ErrorCode } from "./errors.ts";

export type StartReport =
  /** It serves. */
  | { readonly state: "ready"; readonly pid: number }
  /** Another daemon of the same home serves; this one has gone. */
  | { readonly state: "running" }
  /** It could not start. */
  | { readonly state: "failed"; readonly code: ErrorCode; readonly message: string };
