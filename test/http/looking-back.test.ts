import t from "tap";
import type { Blame, List, MemoryVersion } from "../../lib/api.ts";
import { httpFixture } from "../fixtures/http.ts";
import { O_APPEND, O_WRONLY, TestMount } from "../fixtures/vfs.ts";

const query = (parameters: Readonly<Record<string, string>>): string => new URLSearchParams(parameters).toString();

t.test("blame names version, agent and session of each line, also of lines that are not UTF-8", async (t) => {
  const { ask, path, mount, live, store } = await httpFixture(t);
  await mount.write("/f", "one\ntwo\n");
  const other = await TestMount.open(live, store.info.id, { agent: "editor", session: "s-2" });
  const file = await other.open("/f", O_WRONLY | O_APPEND);
  await other.putBytes(file, Buffer.from([0xff, 0x0d, 0x0a]), 8);
  await other.close(file);
  await other.mount.detach();
  const { status, body, headers } = await ask<Blame>("GET", `${path}/blame?${query({ path: "/f" })}`);
  t.equal(status, 200);
  t.match(headers["content-type"], /^application\/json/);
  const { body: versions } = await ask<List<MemoryVersion>>("GET", `${path}/memory_versions`);
  const [second, first] = versions.data;
  t.match(body, {
    type: "blame",
    memory_store_id: store.info.id,
    memory_id: first?.memory_id,
    memory_version_id: second?.id,
    path: "/f",
    path_exact: true,
  });
  t.strictSame(body.lines, [
    { line: 1, text: "one", ...by(first) },
    { line: 2, text: "two", ...by(first) },
    { line: 3, text: null, text_base64: "/w0=", ...by(second) },
  ]);
  const older = await ask<Blame>("GET", `${path}/blame?${query({ path: "/f", version: "1" })}`);
  t.equal(older.body.lines.length, 2);
});

function by(version: MemoryVersion | undefined): Record<string, unknown> {
  return {
    memory_id: version?.memory_id,
    memory_version_id: version?.id,
    n: version?.n,
    agent: version?.agent,
    session_id: version?.created_by.type === "session_actor" ? version.created_by.session_id : null,
    created_by: version?.created_by,
    created_at: version?.created_at,
  };
}

t.test("blame refuses what has no lines, and what is not there", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  await mount.write("/f", "text\n");
  await mount.write("/binary", "a\0b");
  const cases: [parameters: Record<string, string>, status: number, code: string][] = [
    [{ path: "/binary" }, 400, "invalid_data"],
    [{ path: "/none" }, 404, "not_found"],
    [{ path: "f" }, 400, "invalid_argument"],
    [{ path: "/f", version: "2" }, 404, "not_found"],
    [{ path: "/f", version: "-1" }, 404, "not_found"],
    [{ path: "/f", version: "#1" }, 404, "not_found"],
    [{ path: "/f", version: "#99" }, 404, "not_found"],
    [{ path: "/f", version: "2001-01-01T00:00:00Z" }, 404, "not_found"],
    [{ path: "/f", version: "memver_0111111111111111111111" }, 404, "not_found"],
    [{ path: "/f", version: "latest" }, 400, "invalid_argument"],
    [{}, 400, "invalid_argument"],
  ];
  for (const [parameters, status, code] of cases) {
    const answer = await ask("GET", `${path}/blame?${query(parameters)}`);
    t.match({ status: answer.status, error: answer.error }, { status, error: { code } }, JSON.stringify(parameters));
  }
});

t.test("a moment finds the memory that was at the path then, an id only one of those", async (t) => {
  const { ask, path, mount, clock, store } = await httpFixture(t);
  const at = (version: string) => ask<string>("GET", `${path}/files/f?${query({ version })}`);
  await mount.write("/f", "first memory\n");
  const first = store.usage().headSeq;
  clock.pass(60);
  await mount.unlink("/f");
  store.settling.recordAll();
  const between = store.usage().headSeq;
  clock.pass(60);
  await mount.write("/f", "second memory\n");
  await mount.write("/g", "another\n");
  t.equal((await at(`#${store.usage().headSeq}`)).body, "second memory\n");
  t.equal((await at(`#${first}`)).body, "first memory\n");
  t.match(await at(`#${between}`), { status: 404, error: { message: /is a deletion and has no content/ } });
  t.match(await at("#1"), { status: 404, error: { code: "not_found" } });
  const other = store.memoryAt(Buffer.from("/g")).headId;
  t.match(await at(other), { status: 404, error: { message: /is no version of a memory that is or was at \/f/ } });
});
