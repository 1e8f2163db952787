/** `memfs sessions STORE`: who worked here. */

import type { Command } from "commander";
import type { Session } from "../../lib/api.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, localTime, paint, printable, table } from "../output.ts";

export function register(program: Command, context: Context): void {
  const command = program
    .command("sessions")
    .description("the agents and sessions that did something in a store; who began last comes first")
    .argument("<store>");
  common(command, "memfs sessions notes").action((store: string, flags: { json?: boolean }) =>
    sessions(context, store, flags),
  );
}

async function sessions(context: Context, name: string, flags: { readonly json?: boolean }): Promise<void> {
  const found = await context.ask(async (client) => client.sessions((await client.store(name)).id));
  if (flags.json === true) return json(found);
  table(found.map(row));
}

function row(session: Session): string[] {
  const { agent, session_id: id, first_at: first, last_at: last, writes, conflicts, mounts, mounted } = session;
  const span = `${paint("dim", localTime(first))}  ${paint("dim", localTime(last))}`;
  const done = [count(writes, "write"), count(mounts, "mount")];
  if (conflicts > 0) done.push(paint("yellow", count(conflicts, "conflict")));
  if (mounted) done.push(paint("green", "mounted now"));
  return [printable(`${agent}/${id}`), span, done.join(", ")];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
