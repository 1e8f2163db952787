/** `memfs drafts`: what mounts hold that is no version yet. */

import type { Command } from "commander";
import type { Draft, DraftRequest } from "../../lib/api.ts";
import type { Client } from "../../lib/client.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, localTime, paint, printable, size, table } from "../output.ts";
import { resolveTarget } from "../target.ts";

interface Flags {
  readonly session?: string;
  readonly json?: boolean;
}

const LIST = `memfs drafts`;
const SAVE = `memfs drafts save ./notes/plan.md`;
const DISCARD = `memfs drafts discard notes:/plan.md --session s-1`;

export function register(program: Command, context: Context): void {
  const drafts = program.command("drafts").description("what mounts hold that is no version yet");
  const all = drafts.command("list", { isDefault: true }).description("all of them, newest first");
  common(all, LIST).action((flags: Flags) => list(context, flags));
  const save = drafts
    .command("save")
    .description("make a version of a draft; one that was refused goes beside its file")
    .argument("<target>")
    .option("--session <id>", "the mount's session, where several have one");
  common(save, SAVE).action((target: string, flags: Flags) => end(context, target, { ...flags, verb: "save" }));
  const discard = drafts
    .command("discard")
    .description("drop a draft: its mount shows the file as it is stored")
    .argument("<target>")
    .option("--session <id>", "the mount's session, where several have one");
  common(discard, DISCARD).action((target: string, flags: Flags) =>
    end(context, target, { ...flags, verb: "discard" }),
  );
}

async function list(context: Context, flags: Flags): Promise<void> {
  const drafts = await context.ask((client) => client.drafts());
  if (flags.json === true) return json(drafts);
  if (drafts.length === 0 && process.stdout.isTTY) return line("no drafts");
  table(drafts.map(row), [2]);
}

function row(draft: Draft): string[] {
  const { modified_at: at, path, mountpoint, size_bytes: bytes, refused, open } = draft;
  const state = refused ? paint("red", "refused") : open ? "open" : "waiting";
  const author = printable(`${draft.agent}/${draft.session_id}`);
  return [paint("dim", localTime(at)), printable(path), size(bytes), state, author, printable(mountpoint)];
}

async function end(
  context: Context,
  text: string,
  { verb, session, json: asJson }: Flags & { readonly verb: "save" | "discard" },
): Promise<void> {
  const draft = await context.ask(async (client) => {
    const { store, path } = await resolveTarget(client, text, "unversioned");
    const request = await find(client, { store, path, text, session });
    return verb === "save" ? client.saveDraft(request) : client.discardDraft(request);
  });
  if (asJson === true) return json(draft);
  const { path, refused } = draft;
  if (verb === "discard") line(`the draft of ${printable(path)} is gone; its mount shows the file as it is stored`);
  else if (refused) line(`the draft of ${printable(path)} is kept; if it does not go together with it, beside it`);
  else line(`the draft of ${printable(path)} is stored`);
}

async function find(
  client: Client,
  { store, path, text, session }: { store: string; path: string; text: string; session: string | undefined },
): Promise<DraftRequest> {
  const all = (await client.drafts()).filter((draft) => draft.memory_store_id === store && draft.path === path);
  const found = all.filter((draft) => session === undefined || draft.session_id === session);
  const [only] = found;
  if (only === undefined) throw new MemfsError("not_found", `${text} has no draft; see: memfs drafts`);
  if (found.length > 1) {
    const sessions = found.map((draft) => draft.session_id).join(", ");
    throw new MemfsError("ambiguous", `several mounts have a draft of ${text}; add --session, one of: ${sessions}`);
  }
  return { mount_id: only.mount_id, memory_store_id: store, path };
}
