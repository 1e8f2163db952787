/** Proving that nobody tampered. */

import { Type } from "typebox";
import type { AuditReport } from "../../../lib/api.ts";
import type { Api } from "../api.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";

const verifyQuery = Type.Object({ head: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })) });

export function historyRoutes(api: Api, { catalogue }: Services): void {
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
