/** Going back: always forward, as new versions. */

import { Type } from "typebox";
import { MemfsError } from "../../../lib/errors.ts";
import { pathsOf } from "../../../lib/path.ts";
import type { Moment } from "../../../lib/store/history/past.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { Cause } from "../../../lib/store/transaction.ts";
import type { Reversed } from "../../../lib/store/types.ts";
import type { UndoOf } from "../../../lib/store/reversal/undo-selection.ts";
import type { Api } from "../api.ts";
import { findVersion, locate, locateOrThrow, parseTimeParameter, parseVersionSpec } from "../lookup.ts";
import { actorOf, evidenceOf } from "../peers.ts";
import { storeParams, versionName } from "../schemas.ts";
import type { Services } from "../services.ts";
import { sendReversed } from "../wire-reversal.ts";

const pathName = Type.String({ minLength: 1, maxLength: 4096 });
const note = Type.Optional(Type.String({ minLength: 1, maxLength: 4096 }));

const rollbackBody = Type.Object({
  path: Type.Optional(pathName),
  memory_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  to: versionName,
  dry_run: Type.Optional(Type.Boolean()),
  with_path: Type.Optional(Type.Boolean()),
  as_path: Type.Optional(pathName),
  note,
});

const undoBody = Type.Object({
  session_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  agent: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  since: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  until: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  seq: Type.Optional(Type.Integer({ minimum: 1 })),
  dry_run: Type.Optional(Type.Boolean()),
  force: Type.Optional(Type.Boolean()),
  note,
});

type UndoBody = Type.Static<typeof undoBody>;

type RollbackBody = Type.Static<typeof rollbackBody>;

export function goingBackRoutes(api: Api, { catalogue }: Services): void {
  const rollback = { params: storeParams, body: rollbackBody };
  api.post("/v1/memory_stores/:store/rollback", { schema: rollback }, async (request, reply) => {
    const { body } = request;
    if ((body.path === undefined) === (body.memory_id === undefined))
      throw new MemfsError("invalid_argument", "rollback needs either path or memory_id; give one of them");
    const store = await catalogue.open(catalogue.find(request.params.store).id);
    const cause = { actor: actorOf(request), evidence: await evidenceOf(request) };
    const directory = body.path === undefined ? null : await directoryAt(store, body.path, String(body.to));
    const result =
      directory === null
        ? await rollbackMemory(store, body, cause)
        : await rollbackTree(store, { path: directory, body }, cause);
    return sendReversed(reply, store, { type: "rollback", dryRun: body.dry_run ?? false, result });
  });

  const undo = { params: storeParams, body: undoBody };
  api.post("/v1/memory_stores/:store/undo", { schema: undo }, async (request, reply) => {
    const { dry_run: dryRun = false, force, note } = request.body;
    const of = undoOf(request.body);
    const store = await catalogue.open(catalogue.find(request.params.store).id);
    const cause = { actor: actorOf(request), evidence: await evidenceOf(request) };
    const result = await store.reversal.undo({ of, dryRun, force, note }, cause);
    return sendReversed(reply, store, { type: "undo", dryRun, result });
  });
}

/** @throws MemfsError `invalid_argument` */
function undoOf({ session_id: session, agent, seq, since, until }: UndoBody): UndoOf {
  if ([session, agent, seq].filter((one) => one !== undefined).length !== 1)
    throw new MemfsError("invalid_argument", "undo needs one of session_id, agent and seq; say what to undo");
  if (agent === undefined && (since !== undefined || until !== undefined))
    throw new MemfsError("invalid_argument", "since and until go with agent; leave them out");
  if (session !== undefined) return { session };
  if (seq !== undefined) return { seq };
  const span = { since: parseTimeParameter("since", since) ?? null, until: parseTimeParameter("until", until) ?? null };
  return { agent: agent ?? "", ...span };
}

/** Bytes of a path where a directory is, or where nothing is and no memory was; null where a memory is or was. */
async function directoryAt(store: Store, text: string, to: string): Promise<Buffer | null> {
  const [exact = Buffer.alloc(0), described] = pathsOf(text);
  for (const path of described === undefined ? [exact] : [exact, described])
    if (store.reversal.isDirectory(path)) return path;
  // Only of a memory can a number be a version.
  if ("n" in parseVersionSpec(to)) await locateOrThrow(store, text);
  return (await locate(store, text)) === null ? exact : null;
}

async function rollbackMemory(store: Store, body: RollbackBody, cause: Cause): Promise<Reversed> {
  const name = String(body.to);
  const to = parseVersionSpec(name);
  // A version that is named by its id may be of a former memory at the path.
  const memoryId = body.memory_id ?? (await memoryAt(store, body.path ?? "", "id" in to ? name : undefined));
  const as = body.as_path === undefined ? undefined : pathsOf(body.as_path)[0];
  const { dry_run: dryRun, with_path: withPath, note } = body;
  const change = await store.reversal.rollback({ memoryId, to, dryRun, withPath, as, note }, cause);
  return { seq: change.seq, changes: [change], kept: [] };
}

async function memoryAt(store: Store, path: string, version: string | undefined): Promise<string> {
  return (await findVersion(store, path, version)).memoryId;
}

function rollbackTree(
  store: Store,
  { path, body }: { path: Buffer; body: RollbackBody },
  cause: Cause,
): Promise<Reversed> {
  if (body.with_path === true || body.as_path !== undefined)
    throw new MemfsError(
      "invalid_argument",
      "a directory goes back with all its paths; leave out with_path and as_path",
    );
  const { dry_run: dryRun, note } = body;
  return store.reversal.rollbackTree({ path, to: momentOf(String(body.to)), dryRun, note }, cause);
}

/** @throws MemfsError `invalid_argument` */
function momentOf(text: string): Moment {
  const spec = parseVersionSpec(text);
  if ("id" in spec) return { version: spec.id };
  if (!("n" in spec)) return spec;
  throw new MemfsError(
    "invalid_argument",
    `a directory has no versions of its own, so it has no version ${text}; give a time, #SEQ or memver_…`,
  );
}
