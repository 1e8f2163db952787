/** `memfs conflicts STORE`: changes that do not go together, until somebody resolves them. */

import type { Command } from "commander";
import type { Conflict } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, localTime, paint, printable, table } from "../output.ts";
import { resolveTarget } from "../target.ts";

const EXAMPLES = `memfs conflicts notes
memfs diff notes:/plan.md notes:/plan.conflict-s-1.md
memfs resolve notes:/plan.md --take theirs`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("conflicts")
    .description("what several agents wrote that does not go together, oldest first")
    .argument("<store>");
  common(command, EXAMPLES).action((store: string, flags: { json?: boolean }) => conflicts(context, store, flags));
}

async function conflicts(context: Context, text: string, flags: { readonly json?: boolean }): Promise<void> {
  const list = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    if (path !== "/") throw new MemfsError("invalid_argument", `${text} is a path; name its store`);
    return client.conflicts(store);
  });
  // Pages are newest first, as everywhere; whoever resolves begins with the oldest.
  list.reverse();
  if (flags.json === true) return json(list);
  if (list.length === 0 && process.stdout.isTTY) return line("no conflicts");
  table(list.map(row));
}

function row({ created_at: at, path, memory_version_id: head, beside }: Conflict): string[] {
  const where = head === null ? `${printable(path)} (deleted)` : printable(path);
  return [paint("dim", localTime(at)), where, printable(beside.path), printable(beside.session_id ?? "")];
}
