/** `memfs audit`: whether the journal and the contents are what was written, and who read them. */

import type { Command } from "commander";
import type { AuditReport, MemoryStore } from "../../lib/api.ts";
import type { Client } from "../../lib/client.ts";
import { type ErrorCode, MemfsError, meaningOf } from "../../lib/errors.ts";
import { registerReads } from "../audit-reads.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { complain, json, line, paint, printable } from "../output.ts";

interface Flags {
  readonly head?: string;
  readonly json?: boolean;
}

/** A store's report, or what kept it from being read. */
type Outcome = AuditReport | MemfsError;

interface Result {
  readonly store: MemoryStore;
  readonly outcome: Outcome;
}

/** Errors that concern one store. */
const UNREADABLE: readonly ErrorCode[] = ["bad_key", "damaged", "io"];

/** Exit code of "the answer is no". */
const NO = 1;

export function register(program: Command, context: Context): void {
  const audit = program.command("audit").description("prove that history was not changed, and see who read it");
  const verify = audit
    .command("verify")
    .description("walk the hash chain and the contents; exit code 1 names the first break")
    .argument("[store...]", "default: all")
    .option("--head <hash>", "the head's hash as it was noted elsewhere: what was in the chain then must be in it now");
  common(verify, "memfs audit verify\nmemfs audit verify notes --head 4f1c…").action((stores: string[], flags: Flags) =>
    run(context, stores, flags),
  );
  const newest = audit
    .command("head")
    .description("number and hash of the newest journal entry, to be kept elsewhere")
    .argument("<store>");
  common(newest, "memfs audit head notes").action((store: string, flags: Flags) => head(context, store, flags));
  registerReads(audit, context);
}

async function head(context: Context, name: string, { json: asJson }: Flags): Promise<void> {
  const found = await context.ask(async (client) => client.auditHead((await client.store(name)).id));
  if (asJson === true) json(found);
  else line(`${found.seq} ${found.hash}`);
}

async function run(context: Context, names: readonly string[], { head, json: asJson }: Flags): Promise<void> {
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head)) {
    throw new MemfsError(
      "invalid_argument",
      "--head is no hash; give the 64 hex digits that audit head or audit verify printed",
    );
  }
  const results = await context.ask(async (client) => {
    const stores = await storesOf(client, names);
    if (head !== undefined && stores.length !== 1) {
      throw new MemfsError("invalid_argument", "--head belongs to one store; name it");
    }
    const found: Result[] = [];
    for (const store of stores) found.push({ store, outcome: await verify(client, store, head) });
    return found;
  });
  if (asJson === true) json(results.map(({ store, outcome }) => wire(store, outcome)));
  else for (const { store, outcome } of results) show(store, outcome);
  process.exitCode = exitCodeOf(results.map(({ outcome }) => outcome));
}

/** A store that cannot be read must not hide what is to be said of the others. */
async function verify(client: Client, { id }: MemoryStore, head?: string): Promise<Outcome> {
  try {
    return await client.verify(id, head);
  } catch (error) {
    if (error instanceof MemfsError && UNREADABLE.includes(error.code)) return error;
    throw error;
  }
}

function wire({ id }: MemoryStore, outcome: Outcome): unknown {
  if (!(outcome instanceof MemfsError)) return outcome;
  return { type: "error", memory_store_id: id, error: { code: outcome.code, message: outcome.message } };
}

function show(store: MemoryStore, outcome: Outcome): void {
  if (outcome instanceof MemfsError) complain(`${store.name}: ${outcome.message}`);
  else line(sentence(store, outcome));
}

/** A break weighs more than what could not be looked at. */
function exitCodeOf(outcomes: readonly Outcome[]): number {
  if (outcomes.some((outcome) => !(outcome instanceof MemfsError) && !outcome.ok)) return NO;
  const unreadable = outcomes.find((outcome) => outcome instanceof MemfsError);
  return unreadable === undefined ? 0 : meaningOf(unreadable).exit;
}

function storesOf(client: Client, names: readonly string[]): Promise<MemoryStore[]> {
  if (names.length === 0) return client.stores({ archived: true });
  return Promise.all(names.map((name) => client.store(name)));
}

function sentence(store: MemoryStore, { ok, entries, erased, head, problem }: AuditReport): string {
  const name = printable(store.name);
  if (!ok) return `${name}: ${paint("red", "BROKEN")}: ${printable(problem ?? "")}`;
  const without = erased === 0 ? "" : `, ${erased} erased`;
  return `${name}: ${paint("green", "ok")}, ${entries} entries${without}, head ${head}`;
}
