/** `memfs resolve TARGET --take mine|theirs|FILE`: ends a conflict. */

import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Conflict, ResolveRequest } from "../../lib/api.ts";
import type { Client } from "../../lib/client.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, printable } from "../output.ts";
import { resolveTarget } from "../target.ts";

interface Flags {
  readonly take: string;
  readonly note?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `memfs resolve notes:/plan.md --take theirs
memfs resolve notes:/plan.conflict-s-1.md --take ./merged.md --note "both, by hand"`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("resolve")
    .description("end a conflict: the file gets the text that is taken, the one beside it goes")
    .argument("<target>", "the file, or the one beside it")
    .requiredOption("--take <text>", "mine: the text beside; theirs: the file's; else a file with the text")
    .option("--note <text>", "goes with the version")
    .option("--force", "also if the file was changed since the conflict");
  common(command, EXAMPLES).action((target: string, flags: Flags) => resolve(context, target, flags));
}

async function resolve(context: Context, text: string, flags: Flags): Promise<void> {
  const taken = await read(flags.take);
  const result = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    const conflict = await find(client, store, { path, text });
    if (taken.take === "mine" && flags.force !== true) refuseStale(conflict);
    const { memory_version_id: head, beside } = conflict;
    const seen = head === null ? {} : { memory_version_id: head, beside_version_id: beside.memory_version_id };
    const body = { ...taken, ...seen, ...(flags.note === undefined ? {} : { note: flags.note }) };
    return { conflict, memory: await client.resolve(store, beside.memory_id, body) };
  });
  if (flags.json === true) return json(result.memory);
  const { beside } = result.conflict;
  const what = { mine: `the text of ${printable(beside.path)}`, theirs: "its own text", content: flags.take };
  line(`${printable(result.memory.path)} has ${what[taken.take]}; ${printable(beside.path)} is deleted`);
}

async function read(take: string): Promise<Pick<ResolveRequest, "take" | "content_base64">> {
  if (take === "mine" || take === "theirs") return { take };
  try {
    return { take: "content", content_base64: (await readFile(take)).toString("base64") };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new MemfsError("invalid_argument", `--take is mine, theirs or a file with the text; ${take}: ${reason}`);
  }
}

async function find(client: Client, store: string, { path, text }: { path: string; text: string }): Promise<Conflict> {
  const all = await client.conflicts(store);
  const found = all.filter((conflict) => conflict.path === path || conflict.beside.path === path);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) throw new MemfsError("not_found", `${text} is in no conflict; see: memfs conflicts`);
  const choices = found.map(({ beside }) => beside.path).join(", ");
  throw new MemfsError("ambiguous", `${text} is in several conflicts; name one of: ${choices}`);
}

/** The text beside knows nothing of what was written to the file since. */
function refuseStale({ memory_version_id: head, conflicting_version_id: then, path, beside }: Conflict): void {
  if (head === null || head === then) return;
  const look = `look with memfs diff, then take a merged file, or use --force`;
  throw new MemfsError("conflict", `${path} was changed since ${beside.path} was put beside it; ${look}`);
}
