/** `memfs run SPEC… -- COMMAND…`: a command with stores mounted for as long as it runs. */

import type { Command } from "commander";
import { resolve } from "node:path";
import type { Mount } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";
import type { Context } from "../context.ts";
import { fromFlags, type MountFlags, mountFlags } from "../mounting.ts";
import { complain } from "../output.ts";
import { Signals, runCommand } from "../run-command.ts";
import { parseSpec, realMountpoint } from "../target.ts";
import { makeTemporaryPlace, type TemporaryPlace } from "../temporary-place.ts";

interface Flags extends MountFlags {
  readonly mount?: readonly string[];
}

const EXAMPLES = `
Examples:
  $ memfs run notes -- sh -c 'ls $MEMFS_MOUNT'
  $ memfs run --agent scout --mount notes=./notes --mount handbook:ro=./handbook -- ./agent.py`;

/** What one mount of the run is to be. */
interface Wanted {
  readonly stores: readonly ReturnType<typeof parseSpec>[];
  /** Null for a temporary one. */
  readonly directory: string | null;
}

export function register(program: Command, context: Context): void {
  const command = program
    .command("run")
    .description("run a command with stores mounted; its exit code is this one's")
    .argument(
      "[words...]",
      "STORE, STORE:ro, STORE:rw or STORE@WHEN to mount on a temporary directory; then -- and the command",
    )
    .usage("[options] [spec...] -- <command> [argument...]")
    .option("--mount <spec=directory>", "mount there instead; may be given again", collect);
  mountFlags(command)
    .addHelpText("after", EXAMPLES)
    .action(async (words: string[], flags: Flags) => {
      // What commander hands over has lost the place of the `--`.
      const { rawArgs } = program as Command & { readonly rawArgs: readonly string[] };
      const [file, ...args] = rawArgs.includes("--") ? rawArgs.slice(rawArgs.indexOf("--") + 1) : [];
      if (file === undefined) {
        throw new MemfsError("invalid_argument", "run needs a command behind --; see: memfs run --help");
      }
      const wanted = await wantedMounts(words.slice(0, words.length - args.length - 1), flags.mount ?? []);
      process.exitCode = await run(context, { wanted, flags, command: { file, args } });
    });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** @throws MemfsError `invalid_argument` */
async function wantedMounts(specs: readonly string[], mounts: readonly string[]): Promise<Wanted[]> {
  const given = await Promise.all(
    mounts.map(async (text): Promise<Wanted> => {
      const equals = text.indexOf("=");
      if (equals < 1 || equals === text.length - 1) {
        throw new MemfsError("invalid_argument", `--mount is ${JSON.stringify(text)}; write SPEC=DIRECTORY`);
      }
      const directory = await realMountpoint(resolve(text.slice(equals + 1)));
      return { stores: [parseSpec(text.slice(0, equals))], directory };
    }),
  );
  const temporary: Wanted[] = specs.length === 0 ? [] : [{ stores: specs.map(parseSpec), directory: null }];
  const wanted = [...temporary, ...given];
  if (wanted.length > 0) return wanted;
  throw new MemfsError("invalid_argument", "run needs a store; name one before --, or use --mount");
}

interface Run {
  readonly wanted: readonly Wanted[];
  readonly flags: Flags;
  readonly command: { readonly file: string; readonly args: readonly string[] };
}

/** The exit code of the command, after everything is unmounted again. */
async function run(context: Context, { wanted, flags, command }: Run): Promise<number> {
  const signals = new Signals();
  const mounted = new Mounted(context);
  try {
    for (const one of wanted) await mounted.add(one, flags);
    const [first] = mounted.mounts;
    const { mountpoint: MEMFS_MOUNT = "", session_id: MEMFS_SESSION = "", agent: MEMFS_AGENT = "" } = first ?? {};
    // A connection would not survive a long silence.
    context.close();
    const env = { ...context.env, MEMFS_HOME: context.home.dir, MEMFS_MOUNT, MEMFS_SESSION, MEMFS_AGENT };
    return await runCommand({ ...command, env, signals });
  } finally {
    await mounted.end();
    signals.close();
  }
}

/** The mounts of a run, all of one session. */
class Mounted {
  readonly mounts: Mount[] = [];
  readonly #context: Context;
  readonly #places: TemporaryPlace[] = [];

  constructor(context: Context) {
    this.#context = context;
  }

  async add({ stores, directory }: Wanted, flags: Flags): Promise<void> {
    const request = await fromFlags(flags, this.#context.env);
    const place = directory === null ? await makeTemporaryPlace(request) : null;
    if (place !== null) this.#places.push(place);
    const mountpoint = directory ?? place?.directory ?? "";
    const session = this.mounts[0]?.session_id;
    const body = { ...request, stores, mountpoint, ...(session === undefined ? {} : { session_id: session }) };
    this.mounts.push(await this.#context.ask((client) => client.mount(body)));
  }

  /** Commits and unmounts, also what the command has left processes in. Never rejects: the command's result counts. */
  async end(): Promise<void> {
    for (const mount of this.mounts.reverse()) {
      await this.#unmount(mount).catch((error: unknown) => complain(messageOf(error)));
    }
    for (const place of this.#places) {
      await place.remove().catch((error: unknown) => complain(`${messageOf(error)}; remove ${place.directory}`));
    }
  }

  async #unmount({ id }: Mount): Promise<void> {
    const unmount = (force: boolean) => this.#context.ask((client) => client.unmount(id, { force }));
    try {
      await unmount(false).catch((error: unknown) => {
        // A daemon that dies just now takes the request with it; the next one is started by asking again.
        if (error instanceof MemfsError && error.code === "unreachable") return unmount(false);
        throw error;
      });
    } catch (error) {
      if (!(error instanceof MemfsError)) throw error;
      // Unmounted by the command, or gone with a daemon that died: the start of the next one clears it.
      if (error.code === "not_found") return;
      if (error.code !== "mountpoint_busy") throw error;
      complain(error.message.replace(/; .*$/, "; it is taken away from there, everything written is kept"));
      await unmount(true);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
