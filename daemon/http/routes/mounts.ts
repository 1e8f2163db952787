/** The mounts of this daemon. */

import { Type } from "typebox";
import type { Api } from "../api.ts";
import { listQuery, pageOf } from "../lists.ts";
import { actorOf } from "../peers.ts";
import type { Services } from "../services.ts";
import { wireMount } from "../wire.ts";

/** The largest number is no user: −1 means "none" to the kernel. */
const userNumber = Type.Integer({ minimum: 0, maximum: 0xffff_fffe });
const flag = Type.Optional(Type.Boolean());

const mountBody = Type.Object({
  mountpoint: Type.String({ minLength: 1, maxLength: 4096 }),
  stores: Type.Array(
    Type.Object({
      store: Type.String({ minLength: 1, maxLength: 1024 }),
      access: Type.Union([Type.Literal("ro"), Type.Literal("rw")]),
      at: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    }),
    // Node ids have 15 bits for the store, and no agent reads that many.
    { minItems: 1, maxItems: 1000 },
  ),
  agent: Type.String(),
  session_id: Type.Optional(Type.String()),
  create: flag,
  owner: Type.Optional(Type.Object({ uid: userNumber, gid: userNumber })),
  posix_owner: flag,
  allow_other: flag,
  suid: flag,
  dev: flag,
  persist: flag,
  driver: Type.Optional(Type.Union([Type.Literal("kernel"), Type.Literal("native")])),
});

const mountParams = Type.Object({ mount: Type.String({ minLength: 1 }) });
const detachQuery = Type.Object({ force: Type.Optional(Type.Boolean()) });

export function mountRoutes(api: Api, { mounts, catalogue }: Services): void {
  const known = () => new Map(catalogue.list().map((store) => [store.id, store]));

  api.get("/v1/mounts", { schema: { querystring: Type.Object(listQuery) } }, async ({ query }) => {
    const { data, next_page } = pageOf(mounts.list(), query);
    const stores = known();
    return { data: data.map((mount) => wireMount(mount, (id) => stores.get(id) ?? null)), next_page };
  });

  api.post("/v1/mounts", { schema: { body: mountBody } }, async (request) => {
    const { mountpoint, stores, agent, session_id: sessionId = null, create = false } = request.body;
    const { owner = null, posix_owner: posixOwner = false, allow_other: allowOther = false } = request.body;
    const { suid = false, dev = false, persist = false, driver = "kernel" } = request.body;
    const mount = await mounts.attach({
      ...{ mountpoint, stores, agent, sessionId, create, actor: actorOf(request) },
      ...{ owner, posixOwner, allowOther, suid, dev, persist, driver },
    });
    return wireMount({ ...mount, problem: null }, (id) => catalogue.find(id));
  });

  const one = { params: mountParams, querystring: detachQuery };
  api.delete("/v1/mounts/:mount", { schema: one }, async ({ params, query }) => {
    await mounts.detach(params.mount, { force: query.force ?? false });
    return { id: params.mount, type: "mount_deleted" };
  });
}
