/** `memfs show TARGET`: who made a version, when and how, and its content. */

import type { Command } from "commander";
import type { MemoryVersion } from "../../lib/api.ts";
import type { Client } from "../../lib/client.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { author, json, line, localTime, paint, printable, size, write } from "../output.ts";
import { resolveTarget } from "../target.ts";

export function register(program: Command, context: Context): void {
  const command = program.command("show").description("one version: its record and its content").argument("<target>");
  common(command, "memfs show notes:/limits.md@1").action((target: string, flags: { json?: boolean }) =>
    show(context, target, flags),
  );
}

async function show(context: Context, text: string, flags: { readonly json?: boolean }): Promise<void> {
  const version = await context.ask(async (client) => {
    const { store, path, version } = await resolveTarget(client, text, "versioned");
    if (path !== "/") return read(client, { store, path, version, json: flags.json === true });
    throw new MemfsError(
      "invalid_argument",
      `${text} is a store; name a memory, as in STORE:/path, or see: memfs store show`,
    );
  });
  if (flags.json === true) return json(version);
  record(version);
  content(version);
}

/** What is too large for JSON is shown without its content, unless JSON is what was asked for. */
async function read(
  client: Client,
  { store, path, version, json }: { store: string; path: string; version: string | null; json: boolean },
): Promise<MemoryVersion> {
  try {
    return await client.versionAt(store, path, version);
  } catch (error) {
    if (json || !(error instanceof MemfsError) || error.code !== "too_large") throw error;
    return client.versionAt(store, path, version, "basic");
  }
}

function record(version: MemoryVersion): void {
  const path = version.path === null ? "(redacted)" : printable(version.path);
  line(paint("yellow", `version ${version.id}`));
  line(`Memory:  ${path}@${version.n} (${version.memory_id})`);
  line(`Change:  ${version.operation}`);
  line(`Author:  ${author(version)}${by(version)}`);
  line(`Time:    ${localTime(version.created_at)}`);
  if (version.content_sha256 !== null)
    line(`Content: ${size(version.content_size_bytes ?? 0)}, sha256 ${version.content_sha256}`);
  if (version.note !== null) line(`Note:    ${version.note.split("\n").map(printable).join("\n         ")}`);
  if (version.redacted_at !== null) line(`Redacted: ${localTime(version.redacted_at)}`);
  line("");
}

function by({ process: evidence }: MemoryVersion): string {
  if (evidence === null || evidence.program === "") return "";
  return ` (${printable(evidence.program)}, pid ${evidence.pid}, uid ${evidence.uid})`;
}

function content(version: MemoryVersion): void {
  if (version.content === null) {
    if (version.content_base64 !== undefined) line("(binary; print it with: memfs cat)");
    else if ((version.content_size_bytes ?? 0) > 0) line("(large; print it with: memfs cat)");
    return;
  }
  write(version.content);
  if (version.content !== "" && !version.content.endsWith("\n")) line("");
}
