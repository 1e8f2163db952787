/** Differences as a patch in the manner of git, which `patch` and `git apply` read. */

import type { DiffHunk, DiffLine, DiffSide, FileDiff, LineText } from "./api.ts";

/** A line of a patch, for whoever shows it in colours. */
export interface PatchLine {
  readonly role: "header" | "hunk" | "context" | "removed" | "added" | "remark";
  /** Without the line feed. */
  readonly bytes: Buffer;
}

/** Bytes of a line, without its line feed. */
export function bytesOfLine({ text, text_base64: encoded }: LineText): Buffer {
  return text === null ? Buffer.from(encoded ?? "", "base64") : Buffer.from(text);
}

/** The lines of the patch for one file. */
export function* patchOf(file: FileDiff): Generator<PatchLine> {
  for (const text of headersOf(file)) yield { role: "header", bytes: Buffer.from(text) };
  const [a, b] = namesOf(file);
  if (file.kind === "binary") yield header(`Binary files ${a} and ${b} differ`);
  if (file.kind === "too_large") yield header(`Files ${a} and ${b} differ, and are too large to say where`);
  if (file.kind === "damaged") yield header(`Files ${a} and ${b} cannot be compared: one is damaged`);
  if (file.hunks.length === 0) return;
  yield header(`--- ${a}${tabAfter(a)}`);
  yield header(`+++ ${b}${tabAfter(b)}`);
  for (const hunk of file.hunks) yield* linesOf(hunk);
}

function header(text: string): PatchLine {
  return { role: "header", bytes: Buffer.from(text) };
}

/** A name with a space ends at a tab, else `patch` takes the rest of the line for a time. */
function tabAfter(name: string): string {
  return name.includes(" ") ? "\t" : "";
}

function* headersOf({ from, to }: FileDiff): Generator<string> {
  const some = to ?? from;
  if (some === null) return;
  yield `diff --git ${quoted("a", from ?? some)} ${quoted("b", to ?? some)}`;
  if (from === null) yield `new file mode ${some.mode}`;
  else if (to === null) yield `deleted file mode ${some.mode}`;
  else yield* changesOf(from, to);
  const version = (side: DiffSide | null): string => side?.memory_version_id ?? "none";
  if (some.memory_version_id !== null) yield `index ${version(from)}..${version(to)}`;
}

function* changesOf(from: DiffSide, to: DiffSide): Generator<string> {
  if (from.mode !== to.mode) {
    yield `old mode ${from.mode}`;
    yield `new mode ${to.mode}`;
  }
  if (from.memory_id === to.memory_id && from.path !== to.path) {
    yield `rename from ${quoted("", from)}`;
    yield `rename to ${quoted("", to)}`;
  }
}

function namesOf({ from, to }: FileDiff): readonly [string, string] {
  const nothing = "/dev/null";
  return [from === null ? nothing : quoted("a", from), to === null ? nothing : quoted("b", to)];
}

/** `a/PATH`; in quotes where git would have them. Control characters are never in a path of the API. */
function quoted(prefix: string, { path }: DiffSide): string {
  const name = prefix === "" ? path.slice(1) : prefix + path;
  return /["\\]/.test(name) ? `"${name.replaceAll(/["\\]/g, "\\$&")}"` : name;
}

const MARKS = { context: " ", removed: "-", added: "+" } as const;

function* linesOf(hunk: DiffHunk): Generator<PatchLine> {
  const { from_line, from_count, to_line, to_count, lines } = hunk;
  const range = `@@ -${spanOf(from_line, from_count)} +${spanOf(to_line, to_count)} @@`;
  yield { role: "hunk", bytes: Buffer.from(range) };
  for (const line of lines) yield* lineOf(line);
}

/** One line is the default, as in GNU's. */
function spanOf(line: number, count: number): string {
  return count === 1 ? String(line) : `${line},${count}`;
}

function* lineOf(line: DiffLine): Generator<PatchLine> {
  yield { role: line.kind, bytes: Buffer.concat([Buffer.from(MARKS[line.kind]), bytesOfLine(line)]) };
  if (line.no_newline === true) yield { role: "remark", bytes: Buffer.from("\\ No newline at end of file") };
}
