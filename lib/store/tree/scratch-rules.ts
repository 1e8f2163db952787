/**
 * Which names are scratch: gitignore patterns as regular expressions over bytes.
 *
 * Written here because names are bytes, and because every creation asks: the patterns become one expression for names
 * and one for paths, where the `ignore` package runs each pattern by itself (3 µs a name) and remembers every path for
 * ever. `test/store/scratch-rules.test.ts` holds it to `git check-ignore`.
 */

import { fromBytes } from "./names.ts";

/** Neighbouring patterns that say the same: scratch, or, behind a `!`, not scratch. Null where no pattern is of that sort. */
interface Run {
  readonly scratch: boolean;
  /** For names at any depth: of files, and of directories. */
  readonly fileNames: RegExp | null;
  readonly directoryNames: RegExp | null;
  /** For paths from the root, without a slash in front. */
  readonly filePaths: RegExp | null;
  readonly directoryPaths: RegExp | null;
}

interface Pattern {
  readonly scratch: boolean;
  readonly directoriesOnly: boolean;
  /** Has a slash that is not its end: it means one path. */
  readonly anchored: boolean;
  readonly source: string;
}

/** What a name is asked about. Bytes. */
export interface ScratchQuery {
  /** The directory's path, from the root, ending in a slash; empty for the root. */
  readonly directory: string;
  readonly name: string;
  readonly isDirectory: boolean;
}

export class ScratchRules {
  /** In the order of the list: the last one that matches decides. */
  readonly #runs: readonly Run[];

  /** Patterns that cannot match anything are dropped, as git does. */
  constructor(patterns: readonly string[]) {
    this.#runs = runsOf(patterns.map(parse).filter((pattern) => pattern !== null));
  }

  /** Whether the patterns name it. The directories above are not asked: what is below scratch is scratch. */
  matches({ directory, name, isDirectory }: ScratchQuery): boolean {
    for (let index = this.#runs.length - 1; index >= 0; index--) {
      const run = this.#runs[index];
      if (run === undefined) break;
      const names = isDirectory ? run.directoryNames : run.fileNames;
      if (names?.test(name) === true) return run.scratch;
      const paths = isDirectory ? run.directoryPaths : run.filePaths;
      if (paths?.test(directory + name) === true) return run.scratch;
    }
    return false;
  }
}

function runsOf(patterns: readonly Pattern[]): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < patterns.length;) {
    const scratch = patterns[start]?.scratch ?? true;
    let end = start;
    while (end < patterns.length && patterns[end]?.scratch === scratch) end += 1;
    runs.push(runOf(patterns.slice(start, end), scratch));
    start = end;
  }
  return runs;
}

function runOf(patterns: readonly Pattern[], scratch: boolean): Run {
  const one = (anchored: boolean, files: boolean): RegExp | null => {
    const chosen = patterns.filter((item) => item.anchored === anchored && !(files && item.directoriesOnly));
    return chosen.length === 0 ? null : new RegExp(`^(?:${chosen.map((item) => item.source).join("|")})$`, "s");
  };
  return {
    scratch,
    fileNames: one(false, true),
    directoryNames: one(false, false),
    filePaths: one(true, true),
    directoryPaths: one(true, false),
  };
}

/** One line of a gitignore file; null for what says nothing. */
function parse(line: string): Pattern | null {
  let glob = fromBytes(Buffer.from(line)).replace(/\r?\n$/, "");
  // Spaces at the end do not count, but for one that is quoted.
  glob = glob.replace(/((?:^|[^\\])(?:\\\\)*(?:\\ )?) +$/, "$1");
  if (glob === "" || glob.startsWith("#")) return null;
  const scratch = !glob.startsWith("!");
  if (!scratch) glob = glob.slice(1);
  const directoriesOnly = glob.endsWith("/");
  if (directoriesOnly) glob = glob.slice(0, -1);
  const anchored = glob.includes("/");
  if (glob.startsWith("/")) glob = glob.slice(1);
  const source = glob === "" ? null : globSource(glob, anchored);
  return source === null ? null : { scratch, directoriesOnly, anchored, source };
}

/** A regular expression for the glob; null when it cannot match anything. */
function globSource(glob: string, anchored: boolean): string | null {
  let source = "";
  for (let at = 0; at < glob.length;) {
    const piece = pieceAt(glob, at, anchored);
    if (piece === null) return null;
    source += piece.source;
    at += piece.length;
  }
  return source;
}

interface Piece {
  readonly source: string;
  /** Bytes of the glob it stands for. */
  readonly length: number;
}

function pieceAt(glob: string, at: number, anchored: boolean): Piece | null {
  const char = glob[at] ?? "";
  if (char === "*") return starsAt(glob, at, anchored);
  if (char === "?") return { source: "[^/]", length: 1 };
  if (char === "[") return bracketAt(glob, at);
  if (char !== "\\") return { source: literal(char), length: 1 };
  const quoted = glob[at + 1];
  return quoted === undefined ? null : { source: literal(quoted), length: 2 };
}

function starsAt(glob: string, at: number, anchored: boolean): Piece {
  const length = /^\*+/.exec(glob.slice(at))?.[0].length ?? 1;
  const first = at === 0 || glob[at - 1] === "/";
  const next = glob[at + length];
  if (anchored && length === 2 && first && next === undefined) return { source: ".*", length };
  if (anchored && length === 2 && first && next === "/") return { source: "(?:.*/)?", length: 3 };
  return { source: "[^/]*", length };
}

/** POSIX classes, as git knows them in the C locale. */
const CLASSES: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "\\x21-\\x7e",
  lower: "a-z",
  print: "\\x20-\\x7e",
  punct: "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e",
  space: "\\x09-\\x0d\\x20",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

const BRACKET = /^\[([!^]?)((?:\]|\[:[a-z]+:\]|\\[^]|[^\]\\])(?:\[:[a-z]+:\]|\\[^]|[^\]\\])*)\]/;
const BRACKET_ITEM = /\[:([a-z]+):\]|(?:\\([^])|([^]))(?:-(?:\\([^])|([^])))?/g;

/** A set of bytes. Null when it has no end or an unknown class: git matches nothing then. */
function bracketAt(glob: string, at: number): Piece | null {
  const found = BRACKET.exec(glob.slice(at));
  if (found === null) return null;
  const [whole, negated, items] = found;
  let set = "";
  for (const [, kind, quoted, plain, quotedEnd, plainEnd] of (items ?? "").matchAll(BRACKET_ITEM)) {
    if (kind !== undefined) {
      const members = CLASSES[kind];
      if (members === undefined) return null;
      set += members;
      continue;
    }
    const low = quoted ?? plain ?? "";
    const high = quotedEnd ?? plainEnd ?? low;
    // A range the wrong way round holds its first byte at most.
    set += low <= high ? `${literal(low)}-${literal(high)}` : literal(low);
  }
  return { source: `(?!/)[${negated === "" ? "" : "^"}${set}]`, length: whole.length };
}

function literal(byte: string): string {
  return /[0-9A-Za-z_]/.test(byte) ? byte : `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
