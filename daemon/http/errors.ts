/** The one place where errors become HTTP answers. */

import type { FastifyError } from "fastify";
import type { ErrorEnvelope } from "../../lib/api.ts";
import { ERRORS, type ErrorCode, MemfsError } from "../../lib/errors.ts";

/** An answer that is not a success. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorEnvelope;
  /** True when the error is a bug or damage and should be in the log. */
  readonly unexpected: boolean;
}

/** What `error` is to a client. Never throws. */
export function refusalOf(error: unknown, requestId: string): Refusal {
  const known = asMemfsError(error);
  const { status, type } = ERRORS[known.code];
  return {
    status,
    // Clients retry 409 and everything from 500 on by themselves; a refused write would be sent three times.
    headers: status === 409 ? { "x-should-retry": "false" } : {},
    body: {
      type: "error",
      error: { ...known.detail, type, message: known.message, code: known.code },
      request_id: requestId,
    },
    unexpected: status >= 500,
  };
}

function asMemfsError(error: unknown): MemfsError {
  if (error instanceof MemfsError) return error;
  const { statusCode = 500, message = "the request is not valid", validation } = error as Partial<FastifyError>;
  // The schema's words have their advice already.
  if (validation !== undefined) return new MemfsError("invalid_argument", message);
  if (statusCode < 500) {
    return new MemfsError(CODES[statusCode] ?? "invalid_argument", `${message}; correct the request`);
  }
  return new MemfsError("internal", "something went wrong inside memfs; see the daemon's log", { cause: error });
}

/** Fastify's own refusals. */
const CODES: Readonly<Record<number, ErrorCode>> = { 404: "not_found", 413: "too_large" };
