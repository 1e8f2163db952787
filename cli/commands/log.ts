/** `memfs log TARGET`: one line per version. */

import type { Command } from "commander";
import type { MemoryVersion } from "../../lib/api.ts";
import type { Client, Query } from "../../lib/client.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { author, json, localTime, paint, printable, table } from "../output.ts";
import { resolveTarget } from "../target.ts";
import { formatTime, parseRelative, parseTime } from "../../lib/time.ts";

interface Flags {
  readonly agent?: string;
  readonly session?: string;
  readonly since?: string;
  readonly until?: string;
  readonly operation?: string;
  readonly number?: string;
  readonly json?: boolean;
}

const EXAMPLES = `memfs log ./notes/limits.md
memfs log notes --session s-1 --since "2h ago"`;

/** Cells of every row. */
const COLUMNS = 6;
const NOTE_CHARACTERS = 60;
const OPERATIONS = ["created", "modified", "deleted"];

export function register(program: Command, context: Context): void {
  const command = program
    .command("log")
    .description("the versions of a store, a directory or a memory, newest first")
    .argument("<target>")
    .option("--agent <name>", "only what this agent wrote")
    .option("--session <id>", "only what this session wrote")
    .option("--since <time>", "from then on")
    .option("--until <time>", "up to then")
    .option("--operation <operation>", OPERATIONS.join(", "))
    .option("-n, --number <count>", "at most so many");
  common(command, EXAMPLES).action((target: string, flags: Flags) => log(context, target, flags));
}

async function log(context: Context, text: string, flags: Flags): Promise<void> {
  const filters = {
    agent: flags.agent,
    session_id: flags.session,
    operation: operation(flags.operation),
    "created_at[gte]": time("--since", flags.since),
    "created_at[lte]": time("--until", flags.until),
  };
  const count = number(flags.number);
  const { versions, present } = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    if (path === "/") return { versions: await client.versions(store, filters, count), present: null };
    const [newest] = await client.versions(store, { path }, 1);
    if (newest === undefined) return below(client, { store, path, filters, count });
    return { versions: await client.versions(store, { ...filters, path }, count), present: newest.memory_id };
  });
  if (flags.json === true) return json(versions);
  // What was at the path before the present memory is named by its id, because `PATH@N` would mean the present one.
  const former = (version: MemoryVersion): boolean => present !== null && version.memory_id !== present;
  const marked = (version: MemoryVersion): string =>
    [former(version) ? `former ${version.memory_id}` : "", noteOf(version)].filter(Boolean).join("  ");
  table(
    versions.map((version) => [...row(version), marked(version)].filter((cell, at) => at < COLUMNS || cell !== "")),
    [COLUMNS - 1],
  );
}

interface Asked {
  readonly store: string;
  readonly path: string;
  readonly filters: Query;
  readonly count: number;
}

/** The versions of what is or was in a directory. */
async function below(client: Client, { store, path, filters, count }: Asked): Promise<Shown> {
  const query = { path_prefix: `${path}/` };
  const versions = await client.versions(store, { ...filters, ...query }, count);
  if (versions.length > 0 || (await client.versions(store, query, 1)).length > 0) return { versions, present: null };
  throw new MemfsError("not_found", `no memory is or was at ${path}; look with: memfs ls`);
}

interface Shown {
  readonly versions: readonly MemoryVersion[];
  /** Id of the memory that is at the path, or was last; null for a directory or store. */
  readonly present: string | null;
}

/** The beginning of its note; `memfs show` has all of it. */
function noteOf({ note }: MemoryVersion): string {
  if (note === null) return "";
  const [firstLine = ""] = note.trim().split("\n");
  const short = [...firstLine].slice(0, NOTE_CHARACTERS).join("");
  return paint("dim", `"${printable(short)}${short === note.trim() ? "" : "…"}"`);
}

function row(version: MemoryVersion): string[] {
  return [
    paint("dim", localTime(version.created_at)),
    version.id,
    version.operation,
    `${version.path === null ? "(redacted)" : printable(version.path)}@${version.n}`,
    author(version),
    sizeChange(version),
  ];
}

function sizeChange({ content_size_change_bytes: change }: MemoryVersion): string {
  if (change === null) return "?";
  if (change === 0) return "0";
  return change > 0 ? paint("green", `+${change}`) : paint("red", String(change));
}

function operation(text: string | undefined): Query[string] {
  if (text === undefined || OPERATIONS.includes(text)) return text;
  throw new MemfsError("invalid_argument", `--operation is ${text}; give one of ${OPERATIONS.join(", ")}`);
}

function number(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new MemfsError("invalid_argument", `-n is ${text}; give a number from 1`);
}

function time(flag: string, text: string | undefined): Query[string] {
  if (text === undefined) return undefined;
  const at = parseTime(text, true) ?? parseRelative(text, Date.now() * 1000);
  if (at !== null) return formatTime(at);
  throw new MemfsError("invalid_argument", `${flag} is ${JSON.stringify(text)}; give a time, or one like "2h ago"`);
}
