/** `memfs diff TARGET [TARGET]`: what differs, as a patch. */

import type { Command } from "commander";
import type { Diff } from "../../lib/api.ts";
import type { Client, DiffQuery } from "../../lib/client.ts";
import { MemfsError } from "../../lib/errors.ts";
import { type PatchLine, patchOf } from "../../lib/patch.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { type Colour, json, paintBytes, write } from "../output.ts";
import { resolveTarget } from "../target.ts";

const EXAMPLES = `memfs diff notes:/limits.md
memfs diff notes:/limits.md@3 notes:/limits.md@5
memfs diff notes@"2h ago"`;

/** Exit code of "they differ". */
const DIFFERS = 1;

export function register(program: Command, context: Context): void {
  const command = program
    .command("diff")
    .description("what a version changed, or what differs between versions, memories, or moments of a directory")
    .argument("<target>", "a memory; or a store or directory with a moment")
    .argument("[target]", "default: for a version or moment, what is now");
  common(command, EXAMPLES).action((from: string, to: string | undefined, flags: { json?: boolean }) =>
    diff(context, [from, to], flags),
  );
}

async function diff(
  context: Context,
  [from, to]: readonly [string, string | undefined],
  flags: { readonly json?: boolean },
): Promise<void> {
  const found = await context.ask((client) => ask(client, from, to));
  if (flags.json === true) json(found);
  else show(found);
  if (found.files.length > 0) process.exitCode = DIFFERS;
}

async function ask(client: Client, fromText: string, toText: string | undefined): Promise<Diff> {
  const from = await resolveTarget(client, fromText, "versioned");
  if (toText === undefined) return client.diff(from.store, alone(from));
  const to = await resolveTarget(client, toText, "versioned");
  if (from.store !== to.store) {
    const message = `${fromText} and ${toText} are in different stores; compare what memfs cat prints of them`;
    throw new MemfsError("invalid_argument", message);
  }
  const paths = { path: from.path, to_path: from.path === to.path ? undefined : to.path };
  return client.diff(from.store, { ...paths, from: from.version ?? "head", to: to.version ?? "head" });
}

/** One target: a version or moment is compared with now, the newest version of a memory with the one before it. */
function alone({ path, version }: { path: string; version: string | null }): DiffQuery {
  return version === null ? { path } : { path, from: version };
}

const COLOURS: Readonly<Record<PatchLine["role"], Colour | null>> = {
  header: "bold",
  hunk: "cyan",
  removed: "red",
  added: "green",
  context: null,
  remark: null,
};

function show({ files }: Diff): void {
  const parts: Buffer[] = [];
  for (const file of files) {
    for (const { role, bytes } of patchOf(file)) {
      const colour = COLOURS[role];
      parts.push(colour === null ? bytes : paintBytes(colour, bytes), LINE_FEED);
    }
  }
  write(Buffer.concat(parts));
}

const LINE_FEED = Buffer.from("\n");
