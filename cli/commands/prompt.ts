/** `memfs prompt DIR`: what to tell an agent about its memory. */

import type { Command } from "commander";
import type { Mount, MountedStore } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, printable } from "../output.ts";
import { realMountpoint } from "../target.ts";

export function register(program: Command, context: Context): void {
  const command = program
    .command("prompt")
    .description("the paragraph about a mount for an agent's system prompt")
    .argument("<directory>", "a mountpoint");
  common(command, "memfs prompt ./notes").action((directory: string, flags: { json?: boolean }) =>
    prompt(context, directory, flags),
  );
}

async function prompt(context: Context, directory: string, flags: { readonly json?: boolean }): Promise<void> {
  const mountpoint = await realMountpoint(directory);
  const mount = await context.ask(async (client) =>
    (await client.mounts()).find((candidate) => candidate.mountpoint === mountpoint && candidate.problem === null),
  );
  if (mount === undefined) {
    throw new MemfsError("not_found", `nothing of memfs is mounted at ${mountpoint}; see: memfs mounts`);
  }
  const text = paragraph(mount);
  if (flags.json === true) json({ mountpoint, text });
  else line(text);
}

function paragraph(mount: Mount): string {
  const [first] = mount.stores;
  const one = mount.stores.length === 1 && first !== undefined;
  const place = printable(mount.mountpoint);
  const stores = one
    ? `It is the memory store ${describe(first)}`
    : `It holds the memory stores\n${mount.stores.map((store) => `- ${place}/${store.directory ?? ""}: ${describe(store)}`).join("\n")}\n`;
  if (mount.stores.every(({ at }) => at !== null))
    return `The directory ${place} shows your long-term memory as it was. It is read-only and never changes. ${stores}`.trim();
  return `Your long-term memory is the directory ${place}. Read and write it with ordinary tools, as any files. ${stores}
Look there before you start, and write down what will help later; what you save outlives this session. Others may work
on the same files: read a file again before you change it. Every saved change is kept as a version in your name, so
nothing is lost by editing or deleting. To look at history: \`memfs log ${place}/FILE\` lists the versions of a file,
\`memfs show ${place}/FILE@N\` shows version N, \`memfs rollback ${place}/FILE --to N\` brings its content back. Without
that command, ${one ? place : `${place}/STORE`}/.memfs/README says where the past is as files.`;
}

function describe({ name, description, access, at }: MountedStore): string {
  const past = at === null ? null : `as it was at ${at.created_at}, read-only`;
  const rights = past ?? (access === "ro" ? "read-only" : "read and write");
  return `"${printable(name)}" (${rights})${description === "" ? "." : `: ${printable(description).replace(/\.?$/, ".")}`}`;
}
