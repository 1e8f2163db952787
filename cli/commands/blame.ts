/** `memfs blame TARGET`: who wrote each line. */

import type { Command } from "commander";
import type { Blame, BlamedLine } from "../../lib/api.ts";
import { bytesOfLine } from "../../lib/patch.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { author, json, localTime, paint, write } from "../output.ts";
import { resolveMemory } from "../target.ts";

const EXAMPLES = `memfs blame ./notes/limits.md
memfs blame notes:/limits.md@"2h ago"`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("blame")
    .description("the lines of a memory, each with the version, agent and session that it came with")
    .argument("<target>");
  common(command, EXAMPLES).action((target: string, flags: { json?: boolean }) => blame(context, target, flags));
}

async function blame(context: Context, text: string, flags: { readonly json?: boolean }): Promise<void> {
  const found = await context.ask(async (client) => {
    const { store, path, version } = await resolveMemory(client, text);
    return client.blame(store, path, version ?? undefined);
  });
  if (flags.json === true) return json(found);
  const width = widthsOf(found);
  const rows = found.lines.map((blamed) => {
    const who = `${versionName(found, blamed).padStart(width.version)}  ${author(blamed).padEnd(width.author)}`;
    const when = paint("dim", localTime(blamed.created_at));
    const row = `${who}  ${when}  ${String(blamed.line).padStart(width.line)}  `;
    return Buffer.concat([Buffer.from(row), bytesOfLine(blamed), LINE_FEED]);
  });
  write(Buffer.concat(rows));
}

const LINE_FEED = Buffer.from("\n");

interface Widths {
  readonly version: number;
  readonly author: number;
  readonly line: number;
}

function widthsOf(found: Blame): Widths {
  const width = { version: 0, author: 0, line: String(found.lines.length).length };
  for (const blamed of found.lines) {
    width.version = Math.max(width.version, versionName(found, blamed).length);
    width.author = Math.max(width.author, author(blamed).length);
  }
  return width;
}

/** What comes behind the path in a target; the whole id for a version of another memory. */
function versionName(found: Blame, { memory_id, memory_version_id, n }: BlamedLine): string {
  return memory_id === found.memory_id ? `@${n}` : memory_version_id;
}
