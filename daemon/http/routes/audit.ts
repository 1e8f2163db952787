/** Who read what. */

import { Type } from "typebox";
import type { List, MemoryRead } from "../../../lib/api.ts";
import type { Api } from "../api.ts";
import { listQuery, pageSize } from "../lists.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireRead } from "../wire.ts";

const id = Type.Optional(Type.String({ minLength: 1, maxLength: 255 }));
const readsQuery = Type.Object({
  memory_version_id: id,
  memory_id: id,
  session_id: id,
  before: id,
  ...listQuery,
});

export function auditRoutes(api: Api, { catalogue }: Services): void {
  const reads = { params: storeParams, querystring: readsQuery };
  api.get(
    "/v1/memory_stores/:store/audit/reads",
    { schema: reads },
    async ({ params, query }): Promise<List<MemoryRead>> => {
      const store = await catalogue.open(catalogue.find(params.store).id);
      const { memory_version_id: versionId, memory_id: memoryId, session_id: sessionId, before } = query;
      const filters = { versionId, memoryId, sessionId, before };
      const { items, next } = await store.reads.list({ ...filters, limit: pageSize(query), cursor: query.page });
      return { data: items.map(wireRead), next_page: next };
    },
  );
}
