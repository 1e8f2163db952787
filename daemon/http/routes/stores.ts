/** Memory stores and their policies. */

import { Type } from "typebox";
import type { MemoryStore } from "../../../lib/api.ts";
import { MemfsError } from "../../../lib/errors.ts";
import type { Catalogue } from "../../../lib/store/catalogue.ts";
import type { StoreInfo } from "../../../lib/store/types.ts";
import type { Api } from "../api.ts";
import { listQuery, pageOf } from "../lists.ts";
import { parseTimeParameter } from "../lookup.ts";
import { actorOf } from "../peers.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { policyChanges, wirePolicy, wireStore, wireUsage } from "../wire.ts";

const createBody = Type.Object({
  name: Type.String(),
  description: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  metadata: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  encrypt: Type.Optional(Type.Boolean()),
});

const updateBody = Type.Object({
  name: Type.Optional(Type.String()),
  description: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  metadata: Type.Optional(
    Type.Union([Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()])), Type.Null()]),
  ),
});

const listStoresQuery = Type.Object({
  ...listQuery,
  include_archived: Type.Optional(Type.Boolean()),
  "created_at[gte]": Type.Optional(Type.String()),
  "created_at[lte]": Type.Optional(Type.String()),
});

const policyBody = Type.Partial(
  Type.Object({
    max_memory_bytes: Type.Integer({ minimum: 0 }),
    max_memories: Type.Integer({ minimum: 0 }),
    max_live_bytes: Type.Integer({ minimum: 0 }),
    max_history_bytes: Type.Integer({ minimum: 0 }),
    on_conflict: Type.Union([Type.Literal("keep_both"), Type.Literal("last_writer_wins"), Type.Literal("refuse")]),
    keep_versions: Type.Integer({ minimum: 0 }),
    keep_days: Type.Integer({ minimum: 0 }),
    scratch: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { maxItems: 1000 }),
    strict_names: Type.Boolean(),
  }),
);

export function storeRoutes(api: Api, services: Services): void {
  const { catalogue, mounts } = services;
  const one = { params: storeParams };

  api.post("/v1/memory_stores", { schema: { body: createBody } }, async (request) => {
    const { name, description, metadata, encrypt = true } = request.body;
    const input = { name, description: description ?? "", metadata: metadata ?? {}, encrypt };
    return wireStore(await catalogue.create(input, actorOf(request)));
  });

  api.get("/v1/memory_stores", { schema: { querystring: listStoresQuery } }, async ({ query }) => {
    const from = parseTimeParameter("created_at[gte]", query["created_at[gte]"]) ?? -Infinity;
    const to = parseTimeParameter("created_at[lte]", query["created_at[lte]"]) ?? Infinity;
    const wanted = (info: StoreInfo): boolean =>
      (query.include_archived === true || info.archivedAt === null) && info.createdAt >= from && info.createdAt <= to;
    const { data, next_page } = pageOf(catalogue.list().filter(wanted), query);
    return { data: data.map((info) => wireStore(info)), next_page };
  });

  api.get("/v1/memory_stores/:store", { schema: one }, async ({ params }) => {
    const info = catalogue.find(params.store);
    return { ...wireStore(info), ...(await usageOf(catalogue, info.id)) };
  });

  api.route({
    method: ["POST", "PATCH"],
    url: "/v1/memory_stores/:store",
    schema: { ...one, body: updateBody },
    handler: async (request) => {
      const { name, description, metadata } = request.body;
      const changes = {
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description: description ?? "" }),
        ...(metadata === undefined || metadata === null ? {} : { metadata }),
      };
      const { id } = catalogue.find(request.params.store);
      return wireStore(await catalogue.update(id, changes, actorOf(request)));
    },
  });

  api.post("/v1/memory_stores/:store/archive", { schema: one }, async (request) => {
    const { id } = catalogue.find(request.params.store);
    return wireStore(await catalogue.archive(id, actorOf(request)));
  });

  api.delete("/v1/memory_stores/:store", { schema: one }, async ({ params }) => {
    const { id } = catalogue.find(params.store);
    await mounts.removeStore(id);
    return { id, type: "memory_store_deleted" };
  });

  api.get("/v1/memory_stores/:store/policy", { schema: one }, async ({ params }) =>
    wirePolicy(catalogue.policy(catalogue.find(params.store).id)),
  );

  api.route({
    method: ["POST", "PATCH"],
    url: "/v1/memory_stores/:store/policy",
    schema: { ...one, body: policyBody },
    handler: async (request) => {
      const { id } = catalogue.find(request.params.store);
      return wirePolicy(await catalogue.setPolicy(id, policyChanges(request.body), actorOf(request)));
    },
  });
}

/** A store whose key or data is lost is shown too: whoever wants to delete it has to find it. */
async function usageOf(catalogue: Catalogue, id: string): Promise<Pick<MemoryStore, "usage" | "problem">> {
  try {
    return { usage: wireUsage(await (await catalogue.open(id)).settledUsage()) };
  } catch (error) {
    if (!(error instanceof MemfsError) || !["bad_key", "damaged"].includes(error.code)) throw error;
    return { usage: null, problem: error.message };
  }
}
