/** `memfs rollback TARGET --to VERSION`. */

import type { Command } from "commander";
import type { Reversed, Reverted } from "../../lib/api/reversal.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, printable } from "../output.ts";
import { showReversed } from "../reversal.ts";
import { requireVersion, resolveTarget } from "../target.ts";

interface Flags {
  readonly to: string;
  readonly path?: boolean;
  readonly as?: string;
  readonly note?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `memfs rollback notes:/limits.md --to 1
memfs rollback ./notes/limits.md --to "2h ago" --dry-run
memfs rollback notes:/plans --to "#1234"`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("rollback")
    .description("bring back what a memory, a directory or a store was, as new versions")
    .argument("<target>")
    .requiredOption("--to <version>", "memver_…, a number from 1, -1 for the one before the head, #SEQ, or a time")
    .option("--path", "a memory: back at the path that it had, too")
    .option("--as <path>", "a memory: at this path of the store")
    .option("--note <text>", "say why, in the new versions")
    .option("--dry-run", "only say what would change");
  common(command, EXAMPLES).action((target: string, flags: Flags) => rollback(context, target, flags));
}

async function rollback(context: Context, text: string, flags: Flags): Promise<void> {
  const to = requireVersion(flags.to);
  const { result, store } = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    const body = {
      ...{ path, to, dry_run: flags.dryRun ?? false },
      ...(flags.path === true ? { with_path: true } : {}),
      ...(flags.as === undefined ? {} : { as_path: flags.as }),
      ...(flags.note === undefined ? {} : { note: flags.note }),
    };
    return { result: await client.rollback(store, body), store };
  });
  if (flags.json === true) return json(result);
  const [only, ...others] = result.changes;
  if (only?.kind === "memory" && others.length === 0 && result.kept.length === 0 && isPlain(only))
    return line(sentence(result, only));
  showReversed(result, store);
}

/** One memory, and nothing but its content. */
function isPlain({ action, from_path: from, to }: Reverted): boolean {
  return (action === "modified" || action === "none") && from === null && to !== null;
}

function sentence({ dry_run: dryRun }: Reversed, { path, to, version, action }: Reverted): string {
  const where = printable(path);
  const name = `version ${to?.n ?? 0}`;
  if (action === "none") return `${where} has the content of ${name} already`;
  if (dryRun) return `${where} would get the content of ${name} (${to?.id ?? ""})`;
  return `${where} has the content of ${name} again, as version ${version?.n ?? 0} (${version?.id ?? ""})`;
}
