/** The commands of `memfs`: which there are, and running one. */

import { Command, CommanderError } from "commander";
import { MemfsError, meaningOf } from "../lib/errors.ts";
import { VERSION } from "../lib/version.ts";
import type { Register } from "./command.ts";
import { Context } from "./context.ts";
import { complain } from "./output.ts";

/** Exit code of a wrong call (EX_USAGE). */
const USAGE = 64;

/** First word → its file. Only the one that is called is loaded. */
const COMMANDS: Readonly<Record<string, () => Promise<{ register: Register }>>> = {
  daemon: () => import("./commands/daemon.ts"),
  store: () => import("./commands/store.ts"),
  mount: () => import("./commands/mount.ts"),
  umount: () => import("./commands/umount.ts"),
  mounts: () => import("./commands/mounts.ts"),
  run: () => import("./commands/run.ts"),
  doctor: () => import("./commands/doctor.ts"),
  ls: () => import("./commands/ls.ts"),
  cat: () => import("./commands/cat.ts"),
  log: () => import("./commands/log.ts"),
  diff: () => import("./commands/diff.ts"),
  blame: () => import("./commands/blame.ts"),
  show: () => import("./commands/show.ts"),
  rollback: () => import("./commands/rollback.ts"),
  undo: () => import("./commands/undo.ts"),
  sessions: () => import("./commands/sessions.ts"),
  conflicts: () => import("./commands/conflicts.ts"),
  resolve: () => import("./commands/resolve.ts"),
  drafts: () => import("./commands/drafts.ts"),
  audit: () => import("./commands/audit.ts"),
  prompt: () => import("./commands/prompt.ts"),
};

/** Runs a command line; resolves with its exit code. Never rejects. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  let context: Context | null = null;
  try {
    context = new Context(env);
    const program = await build(args, context);
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, commandOf(args));
  } finally {
    context?.close();
  }
}

async function build(args: readonly string[], context: Context): Promise<Command> {
  const program = new Command("memfs")
    .description("Memory stores of AI agents as directories, every change a version.")
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .addHelpText("after", TARGETS);
  const called = COMMANDS[commandOf(args) ?? ""];
  const loaders = called === undefined ? Object.values(COMMANDS) : [called];
  for (const { register } of await Promise.all(loaders.map((load) => load()))) register(program, context);
  return program;
}

/** The first word, if it is a command. */
function commandOf(args: readonly string[]): string | null {
  const word = args.find((argument) => !argument.startsWith("-"));
  return word !== undefined && Object.hasOwn(COMMANDS, word) ? word : null;
}

const TARGETS = `
A TARGET is STORE, STORE:/path, STORE:/path@VERSION, or a path inside a mount.
A VERSION is memver_…, a number from 1, -1 for the one before the head, #SEQ, or a time.

Example:
  $ memfs store create notes && mkdir notes && memfs mount notes ./notes`;

/** One line for what went wrong, and its exit code. */
function report(error: unknown, command: string | null): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    complain(`${usageMessage(error)}; see: memfs ${command === null ? "" : `${command} `}--help`);
    return USAGE;
  }
  if (error instanceof MemfsError) {
    complain(error.message);
    return meaningOf(error).exit;
  }
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  complain(`unexpected error; please report it: ${reason}`);
  return meaningOf(error).exit;
}

function usageMessage(error: CommanderError): string {
  if (error.code === "commander.help") return "no command is given";
  return error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
}
