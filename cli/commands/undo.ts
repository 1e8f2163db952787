/** `memfs undo STORE`: takes back what a session, an agent, or a transaction did. */

import type { Command } from "commander";
import type { UndoRequest } from "../../lib/api/reversal.ts";
import { MemfsError } from "../../lib/errors.ts";
import { formatTime, parseRelative, parseTime } from "../../lib/time.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json } from "../output.ts";
import { showReversed } from "../reversal.ts";
import { resolveTarget } from "../target.ts";

interface Flags {
  readonly session?: string;
  readonly agent?: string;
  readonly since?: string;
  readonly until?: string;
  readonly seq?: string;
  readonly force?: boolean;
  readonly note?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `memfs undo notes --session s-1 --dry-run
memfs undo notes --agent scout --since "2h ago"
memfs undo notes --seq 1234`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("undo")
    .description("take back what a session, an agent, or one entry of the journal did; others' work stays")
    .argument("<store>")
    .option("--session <id>", "all that this session did")
    .option("--agent <name>", "what this agent did")
    .option("--since <time>", "with --agent: from then on")
    .option("--until <time>", "with --agent: up to then")
    .option("--seq <seq>", "what was done with this entry of the journal, such as a rollback or an undo")
    .option("--force", "also what others built on it")
    .option("--note <text>", "say why, in the new versions")
    .option("--dry-run", "only say what would change");
  common(command, EXAMPLES).action((store: string, flags: Flags) => undo(context, store, flags));
}

/** The exit code says whether all of it was undone. */
async function undo(context: Context, text: string, flags: Flags): Promise<void> {
  const what = selection(flags);
  const body: UndoRequest = {
    ...what,
    ...(flags.force === true ? { force: true } : {}),
    ...(flags.note === undefined ? {} : { note: flags.note }),
    dry_run: flags.dryRun ?? false,
  };
  const result = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    if (path !== "/") throw new MemfsError("invalid_argument", `${text} is no store; undo works on a store as a whole`);
    return client.undo(store, body);
  });
  if (flags.json === true) json(result);
  else showReversed(result, text);
  process.exitCode = result.kept.length === 0 ? 0 : 1;
}

/** @throws MemfsError `invalid_argument` */
function selection({ session, agent, since, until, seq }: Flags): UndoRequest {
  if ([session, agent, seq].filter((one) => one !== undefined).length !== 1)
    throw new MemfsError("invalid_argument", "undo needs one of --session, --agent and --seq; say what to undo");
  if (agent === undefined && (since !== undefined || until !== undefined))
    throw new MemfsError("invalid_argument", "--since and --until go with --agent; leave them out");
  if (session !== undefined) return { session_id: session };
  if (agent !== undefined) return { agent, ...time("since", since), ...time("until", until) };
  if (seq !== undefined && /^#?[1-9]\d{0,14}$/.test(seq)) return { seq: Number(seq.replace("#", "")) };
  throw new MemfsError("invalid_argument", `--seq is ${JSON.stringify(seq)}; give the number of a journal entry`);
}

function time(name: "since" | "until", text: string | undefined): UndoRequest {
  if (text === undefined) return {};
  const at = parseTime(text, true) ?? parseRelative(text, Date.now() * 1000);
  if (at !== null) return { [name]: formatTime(at) };
  throw new MemfsError("invalid_argument", `--${name} is ${JSON.stringify(text)}; give a time, or one like "2h ago"`);
}
