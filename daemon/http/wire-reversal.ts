/** What going back did, in the words of the API. */

import type { FastifyReply } from "fastify";
import type * as api from "../../lib/api/reversal.ts";
import { wirePath } from "../../lib/path.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Kept, Reversed, Reverted } from "../../lib/store/types.ts";
import { sendLong } from "./json-stream.ts";
import { wireVersion } from "./wire.ts";

/** The answer of a rollback or an undo. */
export function sendReversed(
  reply: FastifyReply,
  store: Store,
  { type, dryRun, result }: { type: api.Reversed["type"]; dryRun: boolean; result: Reversed },
): FastifyReply {
  const { id } = store.info;
  const head = { type, dry_run: dryRun, seq: result.seq, kept: result.kept.map(wireKept) };
  return sendLong(reply, { head, key: "changes", items: wireAll(id, result.changes) });
}

function* wireAll(storeId: string, changes: readonly Reverted[]): Generator<api.Reverted> {
  for (const change of changes) yield wireReverted(storeId, change);
}

function wireReverted(storeId: string, { kind, action, memoryId, path, from, to, version }: Reverted): api.Reverted {
  const where = wirePath(path);
  return {
    kind,
    action,
    memory_id: memoryId,
    path: where.path,
    path_exact: where.exact,
    from_path: from === null ? null : wirePath(from).path,
    to: to === null ? null : wireVersion(storeId, to, null),
    version: version === null ? null : wireVersion(storeId, version, null),
  };
}

function wireKept({ kind, memoryId, path, reason }: Kept): api.Kept {
  const where = wirePath(path);
  return { kind, memory_id: memoryId, path: where.path, path_exact: where.exact, reason };
}
