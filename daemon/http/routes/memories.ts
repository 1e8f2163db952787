/** Memories: what is there now. */

import { Type } from "typebox";
import { MemfsError } from "../../../lib/errors.ts";
import { pathsOf } from "../../../lib/path.ts";
import type { Api } from "../api.ts";
import { listQuery, pageSize, viewQuery } from "../lists.ts";
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
    const data = items.map((item) => {
      if ("prefix" in item) return wirePrefix(item.prefix);
      return wireMemory(store.info.id, item, query.view === "full" ? store.readHead(item.id) : null);
    });
    return { data, next_page: next };
  });

  const one = { params: memoryParams, querystring: Type.Object(viewQuery) };
  api.get("/v1/memory_stores/:store/memories/:memory", { schema: one }, async ({ params, query }) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const memory = store.memory(params.memory);
    return wireMemory(store.info.id, memory, query.view === "basic" ? null : store.readHead(memory.id));
  });
}

/** Bytes of a prefix; a described one (with `%XX`) only ever comes from a list of this API. */
function prefixOf(text: string): Buffer {
  if (!text.startsWith("/") || !text.endsWith("/")) {
    throw new MemfsError("invalid_argument", `path_prefix ${text} is no directory; start and end it with /`);
  }
  const described = pathsOf(text.slice(0, -1)).at(-1) ?? Buffer.alloc(0);
  return Buffer.concat([described, Buffer.from("/")]);
}
