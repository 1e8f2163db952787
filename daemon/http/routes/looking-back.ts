/** What was, and who made it so. */

import { Readable } from "node:stream";
import { Type } from "typebox";
import type { AuditHead, BlamedLine, FileDiff } from "../../../lib/api.ts";
import { patchOf } from "../../../lib/patch.ts";
import type { FileDiff as StoredDiff } from "../../../lib/store/history/diff.ts";
import type { BlamedInfo } from "../../../lib/store/history/history.ts";
import { wirePath } from "../../../lib/path.ts";
import type { SessionInfo } from "../../../lib/store/history/sessions.ts";
import { formatTime } from "../../../lib/time.ts";
import type { Api } from "../api.ts";
import { filesThatDiffer } from "../comparison.ts";
import { sendLong } from "../json-stream.ts";
import { findVersion } from "../lookup.ts";
import { listQuery, pageOf } from "../lists.ts";
import { storeParams } from "../schemas.ts";
import type { Services } from "../services.ts";
import { wireSession } from "../wire.ts";
import { wireBlamed, wireFileDiff } from "../wire-lines.ts";

const word = Type.String({ minLength: 1, maxLength: 4096 });

const blameQuery = Type.Object({
  path: word,
  /** Default: the newest. */
  version: Type.Optional(word),
});

const diffQuery = Type.Object({
  /** Default: the whole store. */
  path: Type.Optional(word),
  /** Another memory; default `path`. */
  to_path: Type.Optional(word),
  from: Type.Optional(word),
  to: Type.Optional(word),
  /** Default: json. */
  format: Type.Optional(Type.Union([Type.Literal("json"), Type.Literal("unified")])),
});

export function lookingBackRoutes(api: Api, { catalogue, mounts }: Services): void {
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

  const diff = { params: storeParams, querystring: diffQuery };
  api.get("/v1/memory_stores/:store/diff", { schema: diff }, async ({ params, query }, reply) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const files = wired(await filesThatDiffer(store, query));
    if (query.format === "unified") return reply.type("text/x-diff").send(Readable.from(patched(files)));
    return sendLong(reply, { head: { type: "diff", memory_store_id: store.info.id }, key: "files", items: files });
  });

  const sessions = { params: storeParams, querystring: Type.Object(listQuery) };
  api.get("/v1/memory_stores/:store/sessions", { schema: sessions }, async ({ params, query }) => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const { id } = store.info;
    const found = (await store.history.sessions()).map((session) => ({ ...session, ...placeOf(session) }));
    const { data, next_page } = pageOf(found, query);
    const mounted = mounts
      .list()
      .filter(({ stores, problem }) => problem === null && stores.some((one) => one.id === id));
    const isMounted = ({ sessionId, agent }: SessionInfo): boolean =>
      mounted.some((mount) => mount.sessionId === sessionId && mount.agent === agent);
    return { data: data.map((session) => wireSession(id, session, isMounted(session))), next_page };
  });

  const head = { params: storeParams };
  api.get("/v1/memory_stores/:store/audit/head", { schema: head }, async ({ params }): Promise<AuditHead> => {
    const store = await catalogue.open(catalogue.find(params.store).id);
    const { seq, hash, at } = await store.history.head();
    return { type: "audit_head", memory_store_id: store.info.id, seq, hash, created_at: formatTime(at) };
  });
}

/** Place in a list, which does not move when the session goes on. A cursor takes no spaces. */
function placeOf({ sessionId, agent, firstAt }: SessionInfo): { id: string; createdAt: number } {
  return { id: `${encodeURIComponent(sessionId)}/${encodeURIComponent(agent)}`, createdAt: firstAt };
}

async function* wired(files: AsyncIterable<StoredDiff>): AsyncGenerator<FileDiff> {
  for await (const file of files) yield wireFileDiff(file);
}

async function* patched(files: AsyncIterable<FileDiff>): AsyncGenerator<Buffer> {
  for await (const file of files) {
    const lines = [...patchOf(file)].flatMap(({ bytes }) => [bytes, LINE_FEED]);
    yield Buffer.concat(lines);
  }
}

const LINE_FEED = Buffer.from("\n");

function* numbered(lines: Iterable<BlamedInfo>): Generator<BlamedLine> {
  let line = 0;
  for (const blamed of lines) yield wireBlamed(++line, blamed);
}
