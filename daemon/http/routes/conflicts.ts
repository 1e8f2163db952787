/** What several agents wrote that does not go together: conflicts, and drafts that were refused. */

import { Type } from "typebox";
import type { Conflict, Draft, List, Memory } from "../../../lib/api.ts";
import { MemfsError } from "../../../lib/errors.ts";
import { pathsOf } from "../../../lib/path.ts";
import type { Resolution } from "../../../lib/store/merge/open-conflicts.ts";
import type { Api } from "../api.ts";
import { listQuery, pageOf } from "../lists.ts";
import { actorOf, evidenceOf } from "../peers.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireConflict, wireDraft, wireMemory } from "../wire.ts";

const id = Type.String({ minLength: 1, maxLength: 255 });
const conflictParams = Type.Intersect([storeParams, Type.Object({ memory: id })]);
const resolveBody = Type.Object({
  take: Type.Union([Type.Literal("mine"), Type.Literal("theirs"), Type.Literal("content")]),
  content_base64: Type.Optional(Type.String()),
  memory_version_id: Type.Optional(id),
  beside_version_id: Type.Optional(id),
  note: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
});
const draftBody = Type.Object({
  mount_id: id,
  memory_store_id: id,
  path: Type.String({ minLength: 1, maxLength: 4096 }),
});

export function conflictRoutes(api: Api, { catalogue, mounts }: Services): void {
  const list = { params: storeParams, querystring: Type.Object(listQuery) };
  api.get(
    "/v1/memory_stores/:store/conflicts",
    { schema: list },
    async ({ params, query }): Promise<List<Conflict>> => {
      const store = await catalogue.open(catalogue.find(params.store).id);
      const conflicts = await store.conflicts.list();
      const { data, next_page } = pageOf(
        conflicts.map((conflict) => ({ ...conflict, id: conflict.besideId, createdAt: conflict.at })),
        query,
      );
      return { data: data.map(wireConflict), next_page };
    },
  );

  const resolve = { params: conflictParams, body: resolveBody };
  api.post(
    "/v1/memory_stores/:store/conflicts/:memory/resolve",
    { schema: resolve },
    async (request): Promise<Memory> => {
      const { params, body } = request;
      const store = await catalogue.open(catalogue.find(params.store).id);
      const resolution: Resolution = { beside: params.memory, ...taken(body), note: body.note ?? null };
      const cause = { actor: actorOf(request), evidence: await evidenceOf(request) };
      const memory = await store.conflicts.resolve(resolution, cause);
      return wireMemory(store.info.id, store.memory(memory), null);
    },
  );

  api.get(
    "/v1/drafts",
    { schema: { querystring: Type.Object(listQuery) } },
    async ({ query }): Promise<List<Draft>> => {
      const drafts = mounts
        .filesystems()
        .flatMap(({ info, filesystem }) =>
          filesystem
            .drafts()
            .map((draft) => ({ info, draft, id: `${info.id} ${draft.storeId} ${draft.path.toString("latin1")}` })),
        );
      const { data, next_page } = pageOf(
        drafts.map((one) => ({ ...one, createdAt: one.draft.modifiedAt })),
        query,
      );
      return { data: data.map(({ info, draft }) => wireDraft(info, draft)), next_page };
    },
  );

  api.post("/v1/drafts/save", { schema: { body: draftBody } }, async ({ body }): Promise<Draft> => {
    const { info, drafts, path } = find(body);
    return wireDraft(info, await drafts.save(path));
  });

  api.post("/v1/drafts/discard", { schema: { body: draftBody } }, async ({ body }): Promise<Draft> => {
    const { info, drafts, path } = find(body);
    return wireDraft(info, drafts.discard(path));
  });

  function find({
    mount_id,
    memory_store_id,
    path: text,
  }: {
    mount_id: string;
    memory_store_id: string;
    path: string;
  }) {
    const mount = mounts.filesystems().find(({ info }) => info.id === mount_id);
    if (mount === undefined) throw new MemfsError("not_found", `there is no mount ${mount_id}; see: memfs mounts`);
    const held = mount.filesystem.drafts().filter(({ storeId }) => storeId === memory_store_id);
    const known = pathsOf(text).find((bytes) => held.some(({ path }) => path.equals(bytes)));
    if (known === undefined) throw new MemfsError("not_found", `${text} has no draft there; see: memfs drafts`);
    const drafts = mount.filesystem.draftsOf(memory_store_id);
    return { info: mount.info, drafts, path: known.toString("latin1") };
  }
}

/** @throws MemfsError `invalid_argument` */
function taken(body: {
  take: "mine" | "theirs" | "content";
  content_base64?: string;
  memory_version_id?: string;
  beside_version_id?: string;
}): Pick<Resolution, "take" | "seen"> {
  const { take, content_base64: content, memory_version_id: head, beside_version_id: mine } = body;
  if ((take === "content") !== (content !== undefined))
    throw new MemfsError("invalid_argument", "content_base64 goes with take: content, and only with that");
  if ((head === undefined) !== (mine === undefined))
    throw new MemfsError("invalid_argument", "memory_version_id and beside_version_id go together; give both or none");
  const seen = head === undefined || mine === undefined ? undefined : { head, mine };
  return { take: take === "content" ? Buffer.from(content ?? "", "base64") : take, seen };
}
