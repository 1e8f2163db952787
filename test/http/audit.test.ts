/** Who read what, and mounts of the past, over HTTP. */
import t from "tap";
import type { List, MemoryRead, MemoryVersion, Mount } from "../../lib/api.ts";
import { httpFixture } from "../fixtures/http.ts";
import { TestMount } from "../fixtures/vfs.ts";

t.test("reads are a list in pages, filtered by version, memory, session and what came after", async (t) => {
  const { ask, path, mount, live, store } = await httpFixture(t);
  const reader = await TestMount.open(live, store.info.id, { agent: "reader", session: "s-2", access: "ro" });
  for (const name of ["/a", "/b", "/c"]) {
    await mount.write(name, name);
    await reader.read(name);
  }
  await mount.write("/a", "again");
  await reader.read("/a");
  const reads = async (query = ""): Promise<List<MemoryRead>> => {
    const { status, body } = await ask<List<MemoryRead>>("GET", `${path}/audit/reads${query}`);
    t.equal(status, 200, query);
    return body;
  };
  const all = await reads();
  t.strictSame(all.data.map(({ path: at, n }) => `${at ?? ""}@${n}`), ["/a@2", "/c@1", "/b@1", "/a@1"]); // prettier-ignore
  const { body: versions } = await ask<List<MemoryVersion>>("GET", `${path}/memory_versions?path=/a`);
  const [second, first] = versions.data;
  t.match(all.data[0], {
    type: "memory_read",
    session_id: "s-2",
    agent: "reader",
    memory_version_id: second?.id,
    memory_id: second?.memory_id,
    path_exact: true,
  });
  t.strictSame(await reads(`?memory_version_id=${first?.id ?? ""}`), { data: all.data.slice(3), next_page: null });
  t.equal((await reads(`?memory_id=${first?.memory_id ?? ""}&session_id=s-2`)).data.length, 2);
  t.strictSame(await reads("?session_id=s-1"), { data: [], next_page: null }, "what somebody wrote is not read");
  t.strictSame((await reads(`?session_id=s-2&before=${first?.id ?? ""}`)).data, []);

  const pages: MemoryRead[] = [];
  let page: string | null = "";
  while (page !== null) {
    const found: List<MemoryRead> = await reads(`?limit=3${page === "" ? "" : `&page=${page}`}`);
    pages.push(...found.data);
    page = found.next_page;
  }
  t.strictSame(pages, all.data);
  await reader.mount.detach();
});

t.test("questions about reads that have no answer are refused", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  await mount.write("/a", "a");
  const unknown = "memver_01AAAAAAAAAAAAAAAAAAAAAA";
  for (const [query, status, code] of [
    [`before=${unknown}`, 404, "not_found"],
    [`memory_version_id=${unknown}`, 404, "not_found"],
    ["memory_version_id=mem_x", 404, "not_found"],
    ["page=bm9uZQ", 400, "invalid_argument"],
    ["limit=0", 400, "invalid_argument"],
  ] as const) {
    const answer = await ask("GET", `${path}/audit/reads?${query}`);
    t.match(answer, { status, error: { code } }, query);
  }
});

t.test("a mount says which moment it shows", async (t) => {
  const { ask, directory, mount, store } = await httpFixture(t);
  await mount.write("/a", "a");
  const seq = store.usage().headSeq;
  const mountAt = (at: string, access = "ro") =>
    ask<Mount>("POST", "/v1/mounts", {
      body: { mountpoint: directory, stores: [{ store: "notes", access, at }], agent: "scout" },
    });
  const [version] = (await store.history.list({ limit: 1 })).items;
  for (const when of [`#${seq}`, version?.id ?? ""]) {
    const { status, body } = await mountAt(when);
    t.equal(status, 200);
    t.match(body.stores, [{ name: "notes", access: "ro", directory: null, at: { when, seq } }]);
    t.match(body.stores[0]?.at?.created_at, /^\d{4}-.*Z$/);
    t.strictSame((await ask<List<Mount>>("GET", "/v1/mounts")).body.data[0]?.stores, body.stores);
    t.equal((await ask("DELETE", `/v1/mounts/${body.id}`)).status, 200);
  }
  t.match(await mountAt(`#${seq + 1000}`), { status: 404, error: { code: "not_found" } });
  t.match(await mountAt("someday"), { status: 400, error: { message: /"someday" is no moment; give/ } });
  t.match(await mountAt(`#${seq}`, "rw"), { status: 400, error: { code: "invalid_argument" } });
  t.strictSame((await ask<List<Mount>>("GET", "/v1/mounts")).body.data, []);
});
