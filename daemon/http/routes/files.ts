/** Contents by path, as raw bytes. */

import { Type } from "typebox";
import { MemfsError } from "../../../lib/errors.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { VersionInfo } from "../../../lib/store/types.ts";
import type { Api } from "../api.ts";
import { findVersion, locateOrThrow } from "../lookup.ts";
import type { Services } from "../services.ts";

const fileQuery = Type.Object({ version: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) });

/** The wildcard has no name, and typebox cannot convert a key that is no word. */
interface FileRequest {
  readonly Params: { readonly store: string; readonly "*": string };
  readonly Querystring: Type.Static<typeof fileQuery>;
}

export function fileRoutes(api: Api, { catalogue }: Services): void {
  const schema = { querystring: fileQuery };
  api.get<FileRequest>("/v1/memory_stores/:store/files/*", { schema }, async ({ params, query }, reply) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const version = await find(store, `/${params["*"]}`, query.version);
    const bytes = store.history.read(version.id);
    reply.headers({
      "content-type": "application/octet-stream",
      "x-content-type-options": "nosniff",
      etag: `"${version.sha256 ?? ""}"`,
      "memfs-memory-id": version.memoryId,
      "memfs-version-id": version.id,
    });
    return reply.send(bytes);
  });
}

/** The version whose content is asked for. @throws MemfsError `not_found` */
async function find(store: Store, path: string, name: string | undefined): Promise<VersionInfo> {
  if (name === undefined) {
    const { path: bytes } = await locateOrThrow(store, path);
    return store.history.version(store.memoryAt(bytes).headId);
  }
  const version = await findVersion(store, path, name);
  if (version.sha256 === null) {
    const how = version.redactedAt === null ? "a deletion" : "redacted";
    throw new MemfsError("not_found", `version ${version.n} of ${path} is ${how} and has no content; choose another`);
  }
  return version;
}
