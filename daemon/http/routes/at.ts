/** The store as it was. */

import { Type } from "typebox";
import type { Api } from "../api.ts";
import { listQuery, pageSize } from "../lists.ts";
import { findMoment, prefixOf } from "../lookup.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireMemory, wirePrefix } from "../wire.ts";

const atParams = Type.Object({ ...storeParams.properties, when: Type.String({ minLength: 1, maxLength: 255 }) });

const atQuery = Type.Object({
  ...listQuery,
  /** A directory, with a slash at the end; default the root. */
  path_prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
});

export function atRoutes(api: Api, { catalogue }: Services): void {
  const list = { params: atParams, querystring: atQuery };
  api.get("/v1/memory_stores/:store/at/:when/memories", { schema: list }, async ({ params, query }) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const seq = findMoment(store, params.when);
    const directory = prefixOf(query.path_prefix ?? "/")
      .toString("latin1")
      .slice(0, -1);
    const { items, next } = await store.history.listAt({
      ...{ seq, directory, limit: pageSize(query) },
      ...(query.page === undefined ? {} : { cursor: query.page }),
    });
    const { id } = store.info;
    const data = items.map((item) => ("prefix" in item ? wirePrefix(item.prefix) : wireMemory(id, item, null)));
    return { data, next_page: next };
  });
}
