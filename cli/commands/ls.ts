/** `memfs ls TARGET`: a directory of a store, without a mount. */

import type { Command } from "commander";
import type { Memory, MemoryPrefix } from "../../lib/api.ts";
import type { Client } from "../../lib/client.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, localTime, paint, printable, table } from "../output.ts";
import { resolveTarget } from "../target.ts";

export function register(program: Command, context: Context): void {
  const command = program.command("ls").description("list memories").argument("<target>");
  common(command, "memfs ls notes:/projects").action((target: string, flags: { json?: boolean }) =>
    ls(context, target, flags),
  );
}

async function ls(context: Context, text: string, flags: { readonly json?: boolean }): Promise<void> {
  const items = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    return list(client, store, path);
  });
  if (flags.json === true) return json(items);
  table(items.map(row), [0]);
}

/** What is in the directory, or the memory itself. */
async function list(client: Client, store: string, path: string): Promise<(Memory | MemoryPrefix)[]> {
  if (path === "/") return client.directory(store, "/");
  const children = await client.directory(store, `${path}/`);
  if (children.length > 0) return children;
  const siblings = await client.directory(store, path.slice(0, path.lastIndexOf("/") + 1));
  const found = siblings.filter((item) => item.path === path);
  if (found.length === 0) throw new MemfsError("not_found", `nothing is at ${path}; look above it with: memfs ls`);
  return found;
}

function row(item: Memory | MemoryPrefix): string[] {
  if (item.type === "memory_prefix") return ["", "", printable(lastSegment(item.path.slice(0, -1))) + "/"];
  return [String(item.content_size_bytes), paint("dim", localTime(item.updated_at)), printable(lastSegment(item.path))];
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
