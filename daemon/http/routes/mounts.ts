/** The mounts of this daemon. */

import { Type } from "typebox";
import type { Api } from "../api.ts";
import { listQuery, pageOf } from "../lists.ts";
import { actorOf, peer } from "../peers.ts";
import type { Services } from "../services.ts";
import { wireMount } from "../wire.ts";

const mountBody = Type.Object({
  mountpoint: Type.String({ minLength: 1, maxLength: 4096 }),
  stores: Type.Array(
    Type.Object({
      store: Type.String({ minLength: 1, maxLength: 1024 }),
      access: Type.Union([Type.Literal("ro"), Type.Literal("rw")]),
    }),
    // Node ids have 15 bits for the store, and no agent reads that many.
    { minItems: 1, maxItems: 1000 },
  ),
  agent: Type.String(),
  session_id: Type.Optional(Type.String()),
  create: Type.Optional(Type.Boolean()),
});

const mountParams = Type.Object({ mount: Type.String({ minLength: 1 }) });
const detachQuery = Type.Object({ force: Type.Optional(Type.Boolean()) });

export function mountRoutes(api: Api, { mounts, catalogue }: Services): void {
  const describe = (id: string) => catalogue.find(id);

  api.get("/v1/mounts", { schema: { querystring: Type.Object(listQuery) } }, async ({ query }) => {
    const { data, next_page } = pageOf(mounts.list(), query);
    return { data: data.map((mount) => wireMount(mount, describe)), next_page };
  });

  api.post("/v1/mounts", { schema: { body: mountBody } }, async (request) => {
    const { mountpoint, stores, agent, session_id: sessionId = null, create = false } = request.body;
    const { uid, gid } = peer(request);
    const actor = actorOf(request);
    const mount = await mounts.attach({ mountpoint, stores, agent, sessionId, create, actor, owner: { uid, gid } });
    return wireMount(mount, describe);
  });

  const one = { params: mountParams, querystring: detachQuery };
  api.delete("/v1/mounts/:mount", { schema: one }, async ({ params, query }) => {
    await mounts.detach(params.mount, { force: query.force ?? false });
    return { id: params.mount, type: "mount_deleted" };
  });
}
