/** `memfs cat TARGET`: the bytes of a memory or version, and nothing else. */

import type { Command } from "commander";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, write } from "../output.ts";
import { resolveMemory } from "../target.ts";

export function register(program: Command, context: Context): void {
  const command = program.command("cat").description("print a memory or a version of it").argument("<target>");
  common(command, "memfs cat notes:/limits.md\nmemfs cat notes:/limits.md@1").action(
    (target: string, flags: { json?: boolean }) => cat(context, target, flags),
  );
}

async function cat(context: Context, text: string, flags: { readonly json?: boolean }): Promise<void> {
  await context.ask(async (client) => {
    const { store, path, version } = await resolveMemory(client, text);
    if (flags.json !== true) return write(await client.file(store, path, version ?? undefined));
    const shown = await client.versionAt(store, path, version);
    if (shown.content_sha256 === null)
      throw new MemfsError("not_found", `${text} has no content (deleted or redacted); name another version`);
    json(shown);
  });
}
