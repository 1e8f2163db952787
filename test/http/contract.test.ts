import { connect } from "node:net";
import t from "tap";
import type { ErrorEnvelope } from "../../lib/api.ts";
import { httpFixture } from "../fixtures/http.ts";

const STORES = "/v1/memory_stores";

t.test("every answer has a request id, every refusal the envelope", async (t) => {
  const { ask, api } = await httpFixture(t);
  const good = await ask("GET", STORES);
  t.match(good.headers, { "request-id": /^req_01\w{22}$/, "memfs-version": "0.1.0" });
  const cases: [method: "GET" | "POST", url: string, status: number, type: string][] = [
    ["GET", "/nope", 404, "not_found_error"],
    ["POST", "/v1/daemon", 404, "not_found_error"],
    ["GET", `${STORES}/${"x".repeat(500)}`, 404, "not_found_error"],
    ["GET", `${STORES}/%ff`, 400, "invalid_request_error"],
    ["GET", `${STORES}?limit=no`, 400, "invalid_request_error"],
    ["POST", STORES, 400, "invalid_request_error"],
  ];
  for (const [method, url, status, type] of cases) {
    const { body, ...answer } = await ask<ErrorEnvelope>(method, url);
    t.equal(answer.status, status, `${method} ${url.slice(0, 60)}`);
    t.match(body, {
      type: "error",
      error: { type, message: /./, code: /./ },
      request_id: answer.headers["request-id"],
    });
  }
  const large = await api.inject({ method: "POST", url: STORES, payload: `"${"x".repeat(2 ** 20)}"` });
  t.match(
    { status: large.statusCode, body: large.json() },
    { status: 413, body: { error: { type: "request_too_large" } } },
  );
});

t.test("bodies are taken as the clients in the field send them, and never converted", async (t) => {
  const { ask, api, path } = await httpFixture(t);
  const post = async (url: string, payload: string, headers: Record<string, string>) =>
    (await api.inject({ method: "POST", url, payload, headers })).statusCode;
  t.equal(await post(`${path}/archive`, "", { "content-type": "application/json" }), 200, "a JSON type without a body");
  t.equal(await post(`${path}/archive`, "{}", { "content-type": "application/json; charset=utf-8" }), 200);
  t.equal(await post(`${path}/archive`, "", {}), 200, "nothing at all");
  t.equal(await post(STORES, '{"name":"a"}', {}), 200, "no type");
  t.equal(await post(STORES, '{"name":', { "content-type": "application/json" }), 400);
  t.equal(await post(STORES, "[]", { "content-type": "application/json" }), 400);
  t.equal(await post(STORES, '{"name":7}', { "content-type": "application/json" }), 400, "a number is no name");
  t.equal(
    (await ask("POST", STORES, { body: { name: "b", metadata: { k: null } } })).status,
    400,
    "null is no value on create",
  );
  t.equal((await ask("POST", STORES, { body: { name: "", description: "x" } })).status, 400);
  t.equal((await ask("POST", STORES, { body: { name: "c", description: "d".repeat(1025) } })).status, 400);
});

t.test("the headers of all generations of clients are accepted, in any mix", async (t) => {
  const { ask } = await httpFixture(t);
  const headers = {
    authorization: "Bearer key",
    "x-api-key": "key",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "managed-agents-2026-04-01,agent-memory-2026-07-22",
  };
  t.equal((await ask("GET", `${STORES}?beta=true&include_archived=false`, { headers })).status, 200);
});

t.test("a command of another version is refused before anything happens, but can look and stop", async (t) => {
  const { ask, catalogue } = await httpFixture(t);
  const headers = { "memfs-version": "9.9.9" };
  t.match(await ask("POST", STORES, { body: { name: "x" }, headers }), {
    status: 400,
    error: {
      code: "version_mismatch",
      message: "the daemon is version 0.1.0 and this command is 9.9.9; run: memfs daemon restart",
    },
  });
  t.equal(catalogue.list().length, 1);
  for (const url of ["/v1/daemon", "/healthz"]) t.equal((await ask("GET", url, { headers })).status, 200, url);
  t.equal((await ask("POST", "/v1/daemon/stop", { headers })).status, 200);
});

t.test("a web page cannot drive the daemon", async (t) => {
  const { ask } = await httpFixture(t);
  const refused = [
    { host: "evil.example" },
    { host: "localhost.evil.example" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { host: "127.0.0.1:80", origin: "http://127.0.0.1.evil.example" },
  ];
  for (const headers of refused) {
    t.match(
      await ask("GET", STORES, { headers }),
      { status: 403, error: { type: "permission_error" } },
      JSON.stringify(headers),
    );
  }
  for (const headers of [
    { host: "localhost" },
    { host: "127.0.0.1:7433", origin: "http://localhost:7433" },
    { host: "[::1]" },
  ]) {
    t.equal((await ask("GET", STORES, { headers })).status, 200, JSON.stringify(headers));
  }
});

t.test("what is no HTTP at all does not disturb the server", async (t) => {
  const { api, ask, directory } = await httpFixture(t);
  const path = `${directory}.sock`;
  await api.listen({ path });
  const socket = connect(path);
  socket.write("\u0000\u0001 nonsense\r\n\r\n");
  const text = await new Promise<string>((resolve, reject) => {
    socket.once("data", (data) => resolve(data.toString()));
    socket.once("error", reject);
  });
  t.match(text, /^HTTP\/1\.1 400 /);
  socket.destroy();
  t.equal((await ask("GET", "/healthz")).status, 200);
});
