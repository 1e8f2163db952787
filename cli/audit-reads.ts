/** `memfs audit reads TARGET`: which sessions have read what. */

import type { Command } from "commander";
import type { MemoryRead } from "../lib/api.ts";
import type { Client, Query } from "../lib/client.ts";
import { MemfsError } from "../lib/errors.ts";
import { common } from "./command.ts";
import type { Context } from "./context.ts";
import { json, localTime, paint, printable, table } from "./output.ts";
import { resolveTarget, type Target } from "./target.ts";

interface Flags {
  readonly session?: string;
  readonly before?: string;
  readonly json?: boolean;
}

const EXAMPLES = `memfs audit reads notes:/limits.md@3
memfs audit reads notes --session s-1
memfs audit reads notes --before memver_01…`;

export function registerReads(audit: Command, context: Context): void {
  const command = audit
    .command("reads")
    .description("who has opened which versions through a mount, newest first")
    .argument("<target>", "a store, a memory, or a version of it")
    .option("--session <id>", "only what this session read")
    .option("--before <version>", "only what its author, or --session, had read before memver_… was made");
  common(command, EXAMPLES).action((target: string, flags: Flags) => reads(context, target, flags));
}

async function reads(context: Context, text: string, { session, before, json: asJson }: Flags): Promise<void> {
  if (before !== undefined && !/^memver_\w+$/.test(before))
    throw new MemfsError("invalid_argument", `--before is ${JSON.stringify(before)}; give a version id, memver_…`);
  const found = await context.ask(async (client) => {
    const target = await resolveTarget(client, text, "versioned");
    const query = { ...(await subject(client, target, text)), session_id: session, before };
    return client.reads(target.store, query);
  });
  if (asJson === true) json(found);
  else table(found.map(row));
}

/** What the reads are to be of. */
async function subject(client: Client, { store, path, version }: Target, text: string): Promise<Query> {
  if (path === "/") return version === null ? {} : { memory_version_id: versionId(version, text) };
  const [found] = await client.versions(store, { path, version: version ?? undefined }, 1);
  if (found === undefined) throw new MemfsError("not_found", `no memory is or was at ${path}; look with: memfs ls`);
  return version === null ? { memory_id: found.memory_id } : { memory_version_id: found.id };
}

/** Of a store as such, the only name of a version is its id. @throws MemfsError `invalid_argument` */
function versionId(version: string, text: string): string {
  if (version.startsWith("memver_")) return version;
  throw new MemfsError("invalid_argument", `${text} names no version; write STORE:/path@VERSION or STORE@memver_…`);
}

function row({ created_at, agent, session_id, memory_version_id, path, n }: MemoryRead): string[] {
  return [
    paint("dim", localTime(created_at)),
    printable(`${agent}/${session_id}`),
    memory_version_id,
    `${path === null ? "(redacted)" : printable(path)}@${n}`,
  ];
}
