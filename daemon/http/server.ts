/** The HTTP server of the daemon, without a socket yet. */

import { TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import fastify, { type FastifyReply } from "fastify";
import { VERSION_HEADER } from "../../lib/api.ts";
import { formatId } from "../../lib/id.ts";
import { VERSION } from "../../lib/version.ts";
import type { Api } from "./api.ts";
import { refusalOf } from "./errors.ts";
import { guard } from "./guard.ts";
import { REQUEST_BYTES } from "./limits.ts";
import { parseBody, parseQuery } from "./parsing.ts";
import { conflictRoutes } from "./routes/conflicts.ts";
import { atRoutes } from "./routes/at.ts";
import { daemonRoutes } from "./routes/daemon.ts";
import { fileRoutes } from "./routes/files.ts";
import { auditRoutes } from "./routes/audit.ts";
import { goingBackRoutes } from "./routes/going-back.ts";
import { historyRoutes } from "./routes/history.ts";
import { lookingBackRoutes } from "./routes/looking-back.ts";
import { memoryRoutes } from "./routes/memories.ts";
import { mountRoutes } from "./routes/mounts.ts";
import { storeRoutes } from "./routes/stores.ts";
import { versionRoutes } from "./routes/versions.ts";
import type { Services } from "./services.ts";

/** Longest URL segment or path: the default of 100 would refuse ids and paths with 414. */
const PARAMETER_LENGTH = 8192;

/** Fastify with the habits the published clients expect instead of its own. */
export function createServer(services: Services): Api {
  const { ids, log } = services;
  const api: Api = fastify({
    bodyLimit: REQUEST_BYTES,
    forceCloseConnections: "idle",
    // What arrives while the server closes is still served: everything behind it is closed later.
    return503OnClosing: false,
    genReqId: () => formatId("req", ids.uid()),
    routerOptions: { maxParamLength: PARAMETER_LENGTH, querystringParser: parseQuery },
    schemaErrorFormatter: ([first], part) =>
      new Error(`${part}${first?.instancePath ?? ""} ${first?.message ?? ""}; correct the request`),
    frameworkErrors: (error, request, reply: FastifyReply) => void reply.send(refuse(error, request, reply)),
  }).setValidatorCompiler(TypeBoxValidatorCompiler);

  api.removeAllContentTypeParsers();
  api.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, parseBody(body.toString()));
    } catch (error) {
      done(error as Error);
    }
  });

  api.addHook("onRequest", async (request, reply) => {
    reply.headers({ "request-id": request.id, [VERSION_HEADER]: VERSION, "cache-control": "no-store" });
    guard(request);
  });
  api.addHook("preHandler", async (request) => {
    if (request.method !== "GET" && services.door.pressed) await services.door.relieved();
  });
  api.setErrorHandler((error, request, reply) => reply.send(refuse(error, request, reply)));
  api.setNotFoundHandler((request, reply) => {
    const error = Object.assign(new Error(`no route ${request.method} ${request.url.split("?")[0]}`), {
      statusCode: 404,
    });
    return reply.send(refuse(error, request, reply));
  });

  function refuse(error: unknown, request: { id: string; url: string; method: string }, reply: Reply): unknown {
    const refusal = refusalOf(error, request.id);
    if (refusal.unexpected) {
      // The route and not the query: what was asked for may be nobody's business.
      const fields = { method: request.method, url: request.url.split("?")[0] ?? "", request: request.id };
      log.error("request failed", { ...fields, error: describe(error) });
    }
    reply.code(refusal.status).headers({ "request-id": request.id, [VERSION_HEADER]: VERSION, ...refusal.headers });
    return refusal.body;
  }

  for (const routes of [
    daemonRoutes,
    storeRoutes,
    memoryRoutes,
    versionRoutes,
    fileRoutes,
    auditRoutes,
    historyRoutes,
    atRoutes,
    goingBackRoutes,
    lookingBackRoutes,
    conflictRoutes,
    mountRoutes,
  ]) {
    routes(api, services);
  }
  return api;
}

interface Reply {
  code(status: number): Reply;
  headers(values: Readonly<Record<string, string>>): Reply;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `; caused by ${error.cause.stack ?? error.cause.message}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
