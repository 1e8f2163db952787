/** `memfs mounts`. */

import type { Command } from "commander";
import type { Mount, MountedStore } from "../../lib/api.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, localTime, paint, printable, table } from "../output.ts";

export function register(program: Command, context: Context): void {
  const command = program.command("mounts").description("what is mounted where, newest first");
  common(command, "memfs mounts").action((flags: { json?: boolean }) => mounts(context, flags));
}

async function mounts(context: Context, flags: { readonly json?: boolean }): Promise<void> {
  const list = await context.ask((client) => client.mounts());
  if (flags.json === true) return json(list);
  table(list.map((mount) => [printable(mount.mountpoint), stores(mount), author(mount), state(mount)].filter(Boolean)));
}

function author({ agent, session_id: session }: Mount): string {
  return printable(`${agent}/${session}`);
}

/** What is worth saying beyond that it is mounted. */
function state({ persist, problem }: Mount): string {
  if (problem !== null) return paint("red", `not mounted: ${printable(problem)}`);
  return persist ? "persistent" : "";
}

function stores(mount: Mount): string {
  return mount.stores.map(shown).join(" ");
}

/** As it can be mounted again: `notes:rw`, `notes@#1234`; of a moment also its time. */
function shown({ name, access, at }: MountedStore): string {
  if (at === null) return printable(`${name}:${access}`);
  return `${printable(`${name}@#${at.seq}`)} (${localTime(at.created_at)})`;
}
