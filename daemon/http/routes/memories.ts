/** Memories: what is there now. */

import { Type } from "typebox";
import type { Memory } from "../../../lib/api.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { MemoryInfo } from "../../../lib/store/types.ts";
import type { Api } from "../api.ts";
import { JsonContents } from "../json-contents.ts";
import { listQuery, pageSize, viewQuery } from "../lists.ts";
import { prefixOf } from "../lookup.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireMemory, wirePrefix } from "../wire.ts";

const listMemoriesQuery = Type.Object({
  ...listQuery,
  ...viewQuery,
  path_prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  depth: Type.Optional(Type.Union([Type.Literal(0), Type.Literal(1)])),
});

const memoryParams = Type.Object({ ...storeParams.properties, memory: Type.String({ minLength: 1 }) });

export function memoryRoutes(api: Api, { catalogue }: Services): void {
  const list = { params: storeParams, querystring: listMemoriesQuery };
  api.get("/v1/memory_stores/:store/memories", { schema: list }, async ({ params, query }) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const { items, next } = await store.listMemories({
      prefix: prefixOf(query.path_prefix ?? "/"),
      depth: query.depth ?? 0,
      limit: pageSize(query),
      ...(query.page === undefined ? {} : { cursor: query.page }),
    });
    const contents = query.view === "full" ? new JsonContents() : null;
    const data = items.map((item) => ("prefix" in item ? wirePrefix(item.prefix) : present(store, item, contents)));
    return { data, next_page: next };
  });

  const one = { params: memoryParams, querystring: Type.Object(viewQuery) };
  api.get("/v1/memory_stores/:store/memories/:memory", { schema: one }, async ({ params, query }) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const memory = store.memory(params.memory);
    return present(store, memory, query.view === "basic" ? null : new JsonContents());
  });
}

/** @param contents null: without them */
function present(store: Store, memory: MemoryInfo, contents: JsonContents | null): Memory {
  const content = contents?.take(memory.size, () => store.readHead(memory.id)) ?? null;
  return wireMemory(store.info.id, memory, content);
}
