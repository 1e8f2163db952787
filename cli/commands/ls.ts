/** `memfs ls TARGET`: a directory of a store, without a mount. */

import type { Command } from "commander";
import type { Memory, MemoryPrefix } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, localTime, paint, printable, table } from "../output.ts";
import { resolveTarget } from "../target.ts";

export function register(program: Command, context: Context): void {
  const command = program
    .command("ls")
    .description("list the memories of a directory, now or at a moment")
    .argument("<target>");
  common(command, 'memfs ls notes:/projects\nmemfs ls notes@"2h ago"').action(
    (target: string, flags: { json?: boolean }) => ls(context, target, flags),
  );
}

async function ls(context: Context, text: string, flags: { readonly json?: boolean }): Promise<void> {
  const items = await context.ask(async (client) => {
    const { store, path, version } = await resolveTarget(client, text, "versioned");
    const read: Read = async (directory) => {
      if (version === null) return client.directory(store, directory);
      const found = await client.directoryAt(store, version, directory);
      return found.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
    };
    return list(read, path);
  });
  if (flags.json === true) return json(items);
  table(items.map(row), [0]);
}

/** What is directly in a directory, whose path ends with a slash. */
type Read = (directory: string) => Promise<(Memory | MemoryPrefix)[]>;

/** What is in the directory, or the memory itself. */
async function list(read: Read, path: string): Promise<(Memory | MemoryPrefix)[]> {
  if (path === "/") return read("/");
  const children = await read(`${path}/`);
  if (children.length > 0) return children;
  const siblings = await read(path.slice(0, path.lastIndexOf("/") + 1));
  const found = siblings.filter((item) => item.path === path || item.path === `${path}/`);
  if (found.length === 0) throw new MemfsError("not_found", `nothing is at ${path}; look above it with: memfs ls`);
  return found.filter(({ type }) => type === "memory");
}

function row(item: Memory | MemoryPrefix): string[] {
  if (item.type === "memory_prefix") return ["", "", printable(lastSegment(item.path.slice(0, -1))) + "/"];
  return [String(item.content_size_bytes), paint("dim", localTime(item.updated_at)), printable(lastSegment(item.path))];
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
