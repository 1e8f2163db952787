/** Contents by path, as raw bytes. */

import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Type } from "typebox";
import { MemfsError } from "../../../lib/errors.ts";
import type { VersionContent } from "../../../lib/store/history/history.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { VersionInfo } from "../../../lib/store/types.ts";
import type { Api } from "../api.ts";
import { findVersion, locateOrThrow } from "../lookup.ts";
import type { Services } from "../services.ts";

/** Bytes read at once, ~1 ms. */
const PIECE_BYTES = 512 * 1024;

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
    const content = store.history.open(version.id);
    const first = content.read(0, PIECE_BYTES);
    reply.headers({
      "content-type": "application/octet-stream",
      "x-content-type-options": "nosniff",
      etag: `"${version.sha256 ?? ""}"`,
      "memfs-memory-id": version.memoryId,
      "memfs-version-id": version.id,
    });
    if (first.length === content.size) return reply.send(first);
    reply.header("content-length", content.size);
    return reply.send(Readable.from(pieces(first, content), { objectMode: false }));
  });
}

/** Large content goes out as it is read: a slow reader does not fill the memory, and others get their turns. */
async function* pieces(first: Buffer, { size, read }: VersionContent): AsyncGenerator<Buffer> {
  yield first;
  for (let offset = first.length; offset < size; offset += PIECE_BYTES) {
    await nextTurn();
    yield read(offset, PIECE_BYTES);
  }
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
