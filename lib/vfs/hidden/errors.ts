/** `.memfs/errors`: what this mount refused or failed to do, with the reason behind the errno. */

import { printable } from "../../store/tree/names.ts";
import type { Micros } from "../../store/types.ts";
import { formatTime } from "../../time.ts";
import type { Failures, KeptFailure } from "../failures.ts";
import type { Text } from "./text.ts";

/** One JSON line each, the newest first. */
export function errorsText({ all }: Failures, since: Micros): Text {
  const text = all.toReversed().map(line).join("");
  return { text, changedAt: all.at(-1)?.at ?? since };
}

function line({ at, path, ...rest }: KeptFailure): string {
  return `${JSON.stringify({ time: formatTime(at), path: printable(path), ...rest })}\n`;
}
