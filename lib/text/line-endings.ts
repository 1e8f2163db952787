/** The line endings of a text, apart from its lines: a merge takes them as one property of the whole. */

import type { Text } from "./lines.ts";

/** All lines end so; `none` when no line ends at all (nothing, or one line without a line feed). */
export type LineEnding = "lf" | "crlf" | "mixed" | "none";

const RETURN = "\r";

export function lineEnding({ lines, terminated }: Text): LineEnding {
  const ended = terminated ? lines.length : lines.length - 1;
  let returns = 0;
  for (const line of lines) if (line.endsWith(RETURN)) returns++;
  if (!terminated && lines.at(-1)?.endsWith(RETURN) === true) return "mixed";
  if (ended <= 0) return "none";
  if (returns === 0) return "lf";
  return returns === ended ? "crlf" : "mixed";
}

/** The text without the carriage returns of its CRLF. */
export function withoutReturns({ lines, terminated }: Text): Text {
  return { lines: lines.map((line) => (line.endsWith(RETURN) ? line.slice(0, -1) : line)), terminated };
}

/** The text with CRLF; it had line feeds only. */
export function withReturns({ lines, terminated }: Text): Text {
  const last = lines.length - 1;
  return { lines: lines.map((line, at) => (at < last || terminated ? line + RETURN : line)), terminated };
}
