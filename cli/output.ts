/** Writing for people and for machines. */

import type { MemoryVersion } from "../lib/api.ts";

/** Writes to stdout as it is. */
export function write(data: string | Uint8Array): void {
  process.stdout.write(data);
}

export function line(text: string): void {
  write(`${text}\n`);
}

/** The machine's form of an answer: one JSON document. */
export function json(value: unknown): void {
  line(JSON.stringify(value, null, 2));
}

/** What went wrong, in one line on stderr. */
export function complain(message: string): void {
  process.stderr.write(`memfs: ${printable(message.replaceAll(/\s*\n\s*/g, " "))}\n`);
}

/** Rows with aligned columns; what stands in `right` is aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): void {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, width(cell))));
  for (const row of rows) {
    const cells = row.map((cell, column) => {
      const padding = " ".repeat((widths[column] ?? 0) - width(cell));
      if (right.includes(column)) return padding + cell;
      return column === row.length - 1 ? cell : cell + padding;
    });
    line(cells.join("  "));
  }
}

/** Columns the text takes, without its colours. */
function width(text: string): number {
  return text.replaceAll(/\u001b\[\d+m/g, "").length;
}

/** A name or path that cannot drive the terminal it is shown on. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/** Local time to the second: `2026-11-21 09:42:10`. */
export function localTime(rfc3339: string): string {
  const at = new Date(rfc3339);
  const two = (value: number): string => String(value).padStart(2, "0");
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `10 MiB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(1))} ${UNITS[unit] ?? ""}`;
}

const CODES = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", cyan: "36" } as const;

export type Colour = keyof typeof CODES;

/** The text in a colour, where a person looks and has not asked for none (NO_COLOR, https://no-color.org). */
export function paint(colour: Colour, text: string): string {
  return wantsColours() ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

/** As {@link paint}, for bytes that may be no text. */
export function paintBytes(colour: Colour, bytes: Buffer): Buffer {
  if (!wantsColours()) return bytes;
  return Buffer.concat([Buffer.from(`\u001b[${CODES[colour]}m`), bytes, Buffer.from("\u001b[0m")]);
}

function wantsColours(): boolean {
  return process.stdout.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
}

/** Who made a version: agent and session, or whoever it was. */
export function author({ agent, created_by: by }: Pick<MemoryVersion, "agent" | "created_by">): string {
  switch (by.type) {
    case "session_actor":
      return printable(`${agent ?? ""}/${by.session_id}`);
    case "api_actor":
      return printable(by.api_key_id);
    case "user_actor":
      return printable(by.user_id);
  }
}
