/** `memfs mount SPEC… DIR`. */

import type { Command } from "commander";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { fromFlags, type MountFlags, mountFlags } from "../mounting.ts";
import { json, line, printable } from "../output.ts";
import { parseSpec, realMountpoint } from "../target.ts";

interface Flags extends MountFlags {
  readonly json?: boolean;
}

const EXAMPLES = `memfs mount notes ./notes --agent scout
memfs mount notes:rw handbook:ro ./memory
memfs mount notes@"2 hours ago" ./before`;

export function register(program: Command, context: Context): void {
  const command = program
    .command("mount")
    .description("mount stores on a directory; prints the session id")
    .argument("<spec...>", "STORE, STORE:ro, STORE:rw or STORE@WHEN; then the directory")
    .usage("[options] <spec...> <directory>")
    .option("--persist", "mount it again after a restart or crash of the daemon, until memfs umount");
  common(mountFlags(command), EXAMPLES).action((words: string[], flags: Flags) => mount(context, words, flags));
}

async function mount(context: Context, words: readonly string[], flags: Flags): Promise<void> {
  const directory = words.at(-1) ?? "";
  const specs = words.slice(0, -1);
  if (specs.length === 0) {
    throw new MemfsError("invalid_argument", "mount needs a store and a directory; see: memfs mount --help");
  }
  const request = {
    ...(await fromFlags(flags, context.env)),
    stores: specs.map(parseSpec),
    mountpoint: await realMountpoint(directory),
  };
  const mounted = await context.ask((client) => client.mount(request));
  if (flags.json === true) json(mounted);
  else line(printable(mounted.session_id));
}
