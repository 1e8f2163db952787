/** `memfs rollback TARGET --to VERSION`. */

import type { Command } from "commander";
import type { Rollback } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, printable } from "../output.ts";
import { requireVersion, resolveTarget } from "../target.ts";

interface Flags {
  readonly to: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `memfs rollback notes:/limits.md --to 1
memfs rollback ./notes/limits.md --to "2h ago" --dry-run`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("rollback")
    .description("bring a memory's earlier content back, as a new version")
    .argument("<target>")
    .requiredOption("--to <version>", "memver_…, a number from 1, -1 for the one before the head, or a time")
    .option("--dry-run", "only say what would change");
  common(command, EXAMPLES).action((target: string, flags: Flags) => rollback(context, target, flags));
}

async function rollback(context: Context, text: string, flags: Flags): Promise<void> {
  const to = requireVersion(flags.to);
  const result = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    if (path === "/") throw new MemfsError("invalid_argument", `${text} is a store; name a memory, as in STORE:/path`);
    return client.rollback(store, { path, to, dry_run: flags.dryRun ?? false });
  });
  if (flags.json === true) return json(result);
  for (const change of result.changes) line(sentence(result, change));
}

function sentence({ dry_run: dryRun }: Rollback, { path, to, version }: Rollback["changes"][number]): string {
  const where = printable(path);
  if (dryRun) return `${where} would get the content of version ${to.n} (${to.id})`;
  if (version === null) return `${where} has the content of version ${to.n} already`;
  return `${where} has the content of version ${to.n} again, as version ${version.n} (${version.id})`;
}
