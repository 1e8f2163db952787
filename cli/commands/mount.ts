/** `memfs mount SPEC… DIR`. */

import type { Command } from "commander";
import { userInfo } from "node:os";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, printable } from "../output.ts";
import { parseSpec, realMountpoint } from "../target.ts";

interface Flags {
  readonly agent?: string;
  readonly session?: string;
  readonly create?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `memfs mount notes ./notes --agent scout
memfs mount notes:rw handbook:ro ./memory`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("mount")
    .description("mount stores on a directory; prints the session id")
    .argument("<spec...>", "STORE, STORE:ro or STORE:rw; then the directory")
    .usage("[options] <spec...> <directory>")
    .option("--agent <name>", "who writes through this mount (default: $MEMFS_AGENT, else the login name)")
    .option("--session <id>", "its session (default: a new one)")
    .option("--create", "make the stores that are not there");
  common(command, EXAMPLES).action((words: string[], flags: Flags) => mount(context, words, flags));
}

async function mount(context: Context, words: readonly string[], flags: Flags): Promise<void> {
  const directory = words.at(-1) ?? "";
  const specs = words.slice(0, -1);
  if (specs.length === 0) {
    throw new MemfsError("invalid_argument", "mount needs a store and a directory; see: memfs mount --help");
  }
  const request = {
    stores: specs.map(parseSpec),
    mountpoint: await realMountpoint(directory),
    agent: flags.agent ?? (context.env["MEMFS_AGENT"] || userInfo().username),
    ...(flags.session === undefined ? {} : { session_id: flags.session }),
    ...(flags.create === undefined ? {} : { create: flags.create }),
  };
  const mounted = await context.ask((client) => client.mount(request));
  if (flags.json === true) json(mounted);
  else line(printable(mounted.session_id));
}
