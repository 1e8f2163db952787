/** Versions: what was. */

import { Type } from "typebox";
import type { Store } from "../../../lib/store/store.ts";
import type { ListVersions, VersionInfo } from "../../../lib/store/types.ts";
import type { List, MemoryVersion } from "../../../lib/api.ts";
import type { Api } from "../api.ts";
import { JsonContents } from "../json-contents.ts";
import { listQuery, pageSize, viewQuery } from "../lists.ts";
import { findVersion, locate, parseTimeParameter, parseVersionSpec, prefixOf } from "../lookup.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireVersion } from "../wire.ts";

const word = Type.Optional(Type.String({ minLength: 1, maxLength: 4096 }));

const listVersionsQuery = Type.Object({
  ...listQuery,
  ...viewQuery,
  memory_id: word,
  operation: Type.Optional(Type.Union([Type.Literal("created"), Type.Literal("modified"), Type.Literal("deleted")])),
  session_id: word,
  api_key_id: word,
  service_account_id: word,
  "created_at[gte]": word,
  "created_at[lte]": word,
  agent: word,
  path: word,
  /** memfs: of what was below this directory, which ends with a slash, and of what moved away from there. */
  path_prefix: word,
  /** memfs: the one version of the memory with this number, id or time; needs `path` or `memory_id`. */
  version: word,
});

type VersionsQuery = Type.Static<typeof listVersionsQuery>;

const versionParams = Type.Object({ ...storeParams.properties, version: Type.String({ minLength: 1 }) });

export function versionRoutes(api: Api, { catalogue }: Services): void {
  const list = { params: storeParams, querystring: listVersionsQuery };
  api.get("/v1/memory_stores/:store/memory_versions", { schema: list }, async ({ params, query }) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    if (query.version !== undefined) return oneVersion(store, query, query.version);
    const options = await listOptions(store, query);
    if (options === null) return { data: [], next_page: null };
    const { items, next } = await store.history.list(options);
    const contents = query.view === "full" ? new JsonContents() : null;
    return { data: items.map((version) => present(store, version, contents)), next_page: next };
  });

  const one = { params: versionParams, querystring: Type.Object(viewQuery) };
  api.get("/v1/memory_stores/:store/memory_versions/:version", { schema: one }, async ({ params, query }) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    return present(store, store.history.version(params.version), query.view === "basic" ? null : new JsonContents());
  });
}

async function oneVersion(store: Store, query: VersionsQuery, name: string): Promise<List<MemoryVersion>> {
  const version =
    query.memory_id === undefined
      ? await findVersion(store, query.path ?? "", name)
      : await store.history.resolve(query.memory_id, parseVersionSpec(name));
  return { data: [present(store, version, query.view === "full" ? new JsonContents() : null)], next_page: null };
}

/** Null when nothing can match. */
async function listOptions(store: Store, query: VersionsQuery): Promise<ListVersions | null> {
  // There are no service accounts here, so none has written anything.
  if (query.service_account_id !== undefined) return null;
  const located = query.path === undefined ? null : await locate(store, query.path);
  if (query.path !== undefined && located === null) return null;
  const options = {
    path: located?.path,
    pathPrefix: query.path_prefix === undefined ? undefined : prefixOf(query.path_prefix),
    memoryId: query.memory_id,
    operation: query.operation,
    sessionId: query.session_id,
    apiKeyId: query.api_key_id,
    agent: query.agent,
    createdFrom: parseTimeParameter("created_at[gte]", query["created_at[gte]"]),
    createdTo: parseTimeParameter("created_at[lte]", query["created_at[lte]"]),
    cursor: query.page,
  };
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(set) as Omit<ListVersions, "limit">), limit: pageSize(query) };
}

/** @param contents null: without them */
function present(store: Store, version: VersionInfo, contents: JsonContents | null): MemoryVersion {
  const { size } = version;
  const content = contents === null || size === null ? null : contents.take(size, () => store.history.read(version.id));
  return wireVersion(store.info.id, version, content);
}
