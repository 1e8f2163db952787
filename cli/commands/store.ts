/** `memfs store …`: named trees of memories. */

import type { Command } from "commander";
import { createInterface } from "node:readline/promises";
import type { MemoryStore, Usage } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, localTime, paint, printable, size, table } from "../output.ts";
import { policyChanges, policyRows } from "../policy.ts";

interface Flags {
  readonly description?: string;
  readonly name?: string;
  readonly encrypt: boolean;
  readonly archived?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function register(program: Command, context: Context): void {
  const store = program.command("store").description("create, list and change memory stores");
  common(
    store.command("create").description("make a store; prints its id"),
    'memfs store create notes --description "What the team has learned"',
  )
    .argument("<name>")
    .option("--description <text>", "what it is for; agents read it")
    .option("--no-encrypt", "do not seal contents at rest")
    .action((name: string, flags: Flags) => create(context, name, flags));
  common(store.command("list").description("the stores, newest first"), "memfs store list")
    .option("--archived", "archived ones too")
    .action((flags: Flags) => list(context, flags));
  common(store.command("show").description("a store, its counts and its policy"), "memfs store show notes")
    .argument("<store>")
    .action((name: string, flags: Flags) => show(context, name, flags));
  common(
    store.command("update").description("change name or description"),
    "memfs store update notes --name team-notes",
  )
    .argument("<store>")
    .option("--name <name>")
    .option("--description <text>")
    .action((name: string, flags: Flags) => update(context, name, flags));
  common(store.command("archive").description("make a store read-only for ever"), "memfs store archive notes")
    .argument("<store>")
    .action(async (name: string, flags: Flags) => {
      const archived = await context.ask((client) => client.archiveStore(name));
      if (flags.json === true) json(archived);
    });
  common(store.command("rm").description("delete a store with all its history"), "memfs store rm notes --yes")
    .argument("<store>")
    .option("--yes", "do not ask")
    .action((name: string, flags: Flags) => remove(context, name, flags));
  common(
    store.command("policy").description("show or change limits and habits"),
    "memfs store policy notes max_memory_bytes=20M",
  )
    .argument("<store>")
    .argument("[key=value...]", "sizes take K, M, G")
    .action((name: string, pairs: string[], flags: Flags) => policy(context, { name, pairs }, flags));
}

async function create(context: Context, name: string, flags: Flags): Promise<void> {
  const { description, encrypt } = flags;
  const body = { name, encrypt, ...(description === undefined ? {} : { description }) };
  const store = await context.ask((client) => client.createStore(body));
  if (flags.json === true) json(store);
  else line(store.id);
}

async function list(context: Context, flags: Flags): Promise<void> {
  const stores = await context.ask((client) => client.stores({ archived: flags.archived ?? false }));
  if (flags.json === true) return json(stores);
  table(
    stores.map(({ id, name, description, archived_at: archived }) => {
      const state = archived === null ? "" : "(archived) ";
      return [id, printable(name), `${paint("dim", state)}${printable(description)}`];
    }),
  );
}

async function show(context: Context, name: string, flags: Flags): Promise<void> {
  const store = await context.ask((client) => client.store(name));
  const policy = await context.ask((client) => client.policy(store.id));
  if (flags.json === true) return json({ ...store, policy });
  table([...storeRows(store), ...policyRows(policy)]);
}

function storeRows(store: MemoryStore): string[][] {
  return [
    ["id", store.id],
    ["name", printable(store.name)],
    ["description", printable(store.description)],
    ["created", localTime(store.created_at)],
    ...(store.archived_at === null ? [] : [["archived", localTime(store.archived_at)]]),
    ["sealed at rest", store.encrypted ? "yes" : "no"],
    ...(store.problem === undefined ? [] : [["problem", paint("red", printable(store.problem))]]),
    ...usageRows(store.usage ?? null),
  ];
}

/** What a store holds cannot be known without its key. */
function usageRows(usage: Usage | null): string[][] {
  return [
    ["memories", String(usage?.memories ?? "unknown")],
    ["versions", String(usage?.versions ?? "unknown")],
    ["live bytes", usage === null ? "unknown" : size(usage.live_bytes)],
    ["history bytes", usage === null ? "unknown" : size(usage.history_bytes)],
  ];
}

async function update(context: Context, store: string, { name, description, json: asJson }: Flags): Promise<void> {
  if (name === undefined && description === undefined) {
    throw new MemfsError("invalid_argument", "nothing to change; give --name or --description");
  }
  const body = { ...(name === undefined ? {} : { name }), ...(description === undefined ? {} : { description }) };
  const updated = await context.ask((client) => client.updateStore(store, body));
  if (asJson === true) json(updated);
}

async function remove(context: Context, name: string, flags: Flags): Promise<void> {
  const store = await context.ask((client) => client.store(name));
  if (flags.yes !== true) await confirm(store);
  const removed = await context.ask((client) => client.deleteStore(store.id));
  if (flags.json === true) json(removed);
}

/** @throws MemfsError `invalid_argument` when nobody can answer, or the answer is no */
async function confirm({ name, usage }: MemoryStore): Promise<void> {
  if (!process.stdin.isTTY) throw new MemfsError("invalid_argument", "deleting a store needs a yes; add --yes");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const holding = usage ? `${usage.memories} memories and ${usage.versions} versions` : "contents that cannot be read";
  const what = `${printable(name)} with ${holding}`;
  const answer = await terminal.question(`Delete the store ${what} for good? [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new MemfsError("invalid_argument", "nothing was deleted; answer y to delete");
}

async function policy(
  context: Context,
  { name, pairs }: { readonly name: string; readonly pairs: readonly string[] },
  flags: Flags,
): Promise<void> {
  const changes = policyChanges(pairs);
  const result = await context.ask((client) =>
    pairs.length === 0 ? client.policy(name) : client.setPolicy(name, changes),
  );
  if (flags.json === true) json(result);
  else table(policyRows(result));
}
