/** What was, and who made it so. */

import { Type } from "typebox";
import type { BlamedLine } from "../../../lib/api.ts";
import type { BlamedInfo } from "../../../lib/store/history.ts";
import { wirePath } from "../../../lib/path.ts";
import type { Api } from "../api.ts";
import { sendLong } from "../json-stream.ts";
import { findVersion } from "../lookup.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireBlamed } from "../wire-lines.ts";

const word = Type.String({ minLength: 1, maxLength: 4096 });

const blameQuery = Type.Object({
  path: word,
  /** Default: the newest. */
  version: Type.Optional(word),
});

export function lookingBackRoutes(api: Api, { catalogue }: Services): void {
  const blame = { params: storeParams, querystring: blameQuery };
  api.get("/v1/memory_stores/:store/blame", { schema: blame }, async ({ params, query }, reply) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const version = await findVersion(store, query.path, query.version);
    const lines = await store.history.blame(version.id);
    const { path, exact } = version.path === null ? { path: null, exact: true } : wirePath(version.path);
    const head = {
      type: "blame",
      memory_store_id: store.info.id,
      memory_id: version.memoryId,
      memory_version_id: version.id,
      path,
      path_exact: exact,
    };
    return sendLong(reply, { head, key: "lines", items: numbered(lines) });
  });
}

function* numbered(lines: Iterable<BlamedInfo>): Generator<BlamedLine> {
  let line = 0;
  for (const blamed of lines) yield wireBlamed(++line, blamed);
}
