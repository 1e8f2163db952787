/** Going back, and proving that nobody tampered. */

import { Type } from "typebox";
import type { AuditReport, Rollback } from "../../../lib/api.ts";
import { MemfsError } from "../../../lib/errors.ts";
import { wirePath } from "../../../lib/path.ts";
import type { Api } from "../api.ts";
import { locateOrThrow, parseVersionSpec } from "../lookup.ts";
import { actorOf, evidenceOf } from "../peers.ts";
import { storeParams, versionName } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireVersion } from "../wire.ts";

const rollbackBody = Type.Object({
  path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  memory_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  to: versionName,
  dry_run: Type.Optional(Type.Boolean()),
});

const verifyQuery = Type.Object({ head: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })) });

export function historyRoutes(api: Api, { catalogue }: Services): void {
  const rollback = { params: storeParams, body: rollbackBody };
  api.post("/v1/memory_stores/:store/rollback", { schema: rollback }, async (request): Promise<Rollback> => {
    const { path, memory_id, to, dry_run = false } = request.body;
    if ((path === undefined) === (memory_id === undefined)) {
      throw new MemfsError("invalid_argument", "rollback needs either path or memory_id; give one of them");
    }
    const store = await catalogue.open(catalogue.find(request.params.store).id);
    const memoryId = memory_id ?? (await locateOrThrow(store, path ?? "")).memoryId;
    const cause = { actor: actorOf(request), evidence: await evidenceOf(request) };
    const result = await store.reversal.rollback(
      { memoryId, to: parseVersionSpec(String(to)), dryRun: dry_run },
      cause,
    );
    const { id } = store.info;
    const where = wirePath(result.path);
    return {
      type: "rollback",
      dry_run,
      changes: [
        {
          memory_id: result.memoryId,
          path: where.path,
          path_exact: where.exact,
          to: wireVersion(id, result.to, null),
          version: result.version === null ? null : wireVersion(id, result.version, null),
        },
      ],
    };
  });

  const verify = { params: storeParams, querystring: verifyQuery };
  api.get(
    "/v1/memory_stores/:store/audit/verify",
    { schema: verify },
    async ({ params, query }): Promise<AuditReport> => {
      const store = await catalogue.open(catalogue.find(params.store).id);
      const report = await store.verify(query.head === undefined ? {} : { head: query.head });
      return { type: "audit_report", memory_store_id: store.info.id, ...report };
    },
  );
}
