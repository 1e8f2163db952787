import { mkdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type {
  AuditReport,
  List,
  Memory,
  MemoryPrefix,
  MemoryStore,
  MemoryVersion,
  Mount,
  Policy,
} from "../../lib/api.ts";
import type { Reversed } from "../../lib/api/reversal.ts";
import { httpFixture } from "../fixtures/http.ts";
import { OPERATOR } from "../fixtures/store.ts";

const STORES = "/v1/memory_stores";

t.test("stores are made, found by id, name or slug, changed by merge patch, archived once, deleted", async (t) => {
  const { ask } = await httpFixture(t);
  const body = { name: "Team Notes", description: "d", metadata: { a: "1", b: "2" }, unknown: [1] };
  const { status, body: made } = await ask<MemoryStore>("POST", STORES, { body });
  t.equal(status, 200);
  t.match(made, {
    type: "memory_store",
    id: /^memstore_01\w{22}$/,
    name: "Team Notes",
    description: "d",
    metadata: { a: "1", b: "2" },
    created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
    archived_at: null,
    slug: "team-notes",
    encrypted: true,
  });
  for (const name of [made.id, "Team%20Notes", "team-notes"]) {
    t.match((await ask<MemoryStore>("GET", `${STORES}/${name}`)).body, { id: made.id, usage: { memories: 0 } }, name);
  }
  const changes = { metadata: { a: null, c: "3" }, description: null };
  for (const method of ["POST", "PATCH"] as const) {
    const { body: changed } = await ask<MemoryStore>(method, `${STORES}/${made.id}`, { body: changes });
    t.match(changed, { metadata: { b: "2", c: "3" }, description: "", name: "Team Notes" });
    t.notOk(Object.hasOwn(changed.metadata, "a"), "null deletes");
    t.ok(changed.updated_at > made.updated_at);
  }
  const archived = await ask<MemoryStore>("POST", `${STORES}/${made.id}/archive`);
  t.type(archived.body.archived_at, "string");
  const again = await ask<MemoryStore>("POST", `${STORES}/${made.id}/archive`, {
    headers: { "content-type": "application/json" },
  });
  t.equal(again.body.archived_at, archived.body.archived_at, "archiving again changes nothing");
  t.match(await ask("POST", `${STORES}/${made.id}`, { body: { name: "x" } }), {
    status: 400,
    error: { code: "archived" },
  });
  t.equal((await ask<List<MemoryStore>>("GET", STORES)).body.data.length, 1, "archived ones are not listed");
  t.equal((await ask<List<MemoryStore>>("GET", `${STORES}?include_archived=true`)).body.data.length, 2);
  t.match((await ask("DELETE", `${STORES}/${made.id}`)).body, { id: made.id, type: "memory_store_deleted" });
  t.match(await ask("GET", `${STORES}/${made.id}`), { status: 404, error: { type: "not_found_error" } });
});

t.test("lists come in pages that neither repeat nor skip", async (t) => {
  const { ask } = await httpFixture(t);
  for (let n = 1; n < 5; n++) await ask("POST", STORES, { body: { name: `s${n}` } });
  const names: string[] = [];
  let page = "";
  for (let turn = 0; turn < 9 && page !== "end"; turn++) {
    const { body } = await ask<List<MemoryStore>>("GET", `${STORES}?limit=2${page === "" ? "" : `&page=${page}`}`);
    names.push(...body.data.map(({ name }) => name));
    t.ok(body.data.length > 0, "no empty page");
    // Newer ones that come in between do not move the others.
    await ask("POST", STORES, { body: { name: `late${turn}` } });
    page = body.next_page ?? "end";
  }
  t.strictSame(names, ["s4", "s3", "s2", "s1", "notes"]);
  for (const bad of ["limit=0", "limit=101", "limit=x", "page=*", "created_at[gte]=yesterday"]) {
    t.match(await ask("GET", `${STORES}?${bad}`), { status: 400, error: { type: "invalid_request_error" } }, bad);
  }
  const first = (await ask<List<MemoryStore>>("GET", `${STORES}?limit=1&beta=true`)).body.data[0];
  const since = encodeURIComponent(first?.created_at ?? "");
  t.equal(
    (await ask<List<MemoryStore>>("GET", `${STORES}?created_at%5Bgte%5D=${since}`)).body.data.length,
    1,
    "inclusive",
  );
});

t.test("a policy is changed key by key", async (t) => {
  const { ask, path } = await httpFixture(t);
  const { body } = await ask<Policy>("GET", `${path}/policy`);
  t.match(body, { max_memory_bytes: 10 * 2 ** 20, on_conflict: "keep_both", strict_names: false });
  const changed = await ask<Policy>("POST", `${path}/policy`, { body: { max_memories: 7, scratch: ["*.o"] } });
  t.strictSame(changed.body, { ...body, max_memories: 7, scratch: ["*.o"] });
  for (const wrong of [{ max_memories: -1 }, { max_memories: "7" }, { on_conflict: "panic" }, { scratch: "*.o" }]) {
    t.equal((await ask("POST", `${path}/policy`, { body: wrong })).status, 400, JSON.stringify(wrong));
  }
});

t.test("memories are listed by directory and read with and without content", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  await mount.mkdir("/a");
  await mount.mkdir("/a/b");
  for (const file of ["/x_y.md", "/x%y.md", "/a/1.md", "/a/b/2.md"]) await mount.write(file, `in ${file}`);
  const all = await ask<List<Memory>>("GET", `${path}/memories`);
  t.strictSame(
    all.body.data.map((item) => item.path),
    ["/a/1.md", "/a/b/2.md", "/x%y.md", "/x_y.md"],
  );
  t.ok(
    all.body.data.every(
      ({ content, content_sha256, path_exact }) => content === null && content_sha256.length === 64 && path_exact,
    ),
  );
  const top = await ask<List<Memory | MemoryPrefix>>("GET", `${path}/memories?depth=1&path_prefix=/`);
  t.strictSame(
    top.body.data.map((item) => [item.type, item.path]),
    [
      ["memory_prefix", "/a/"],
      ["memory", "/x%y.md"],
      ["memory", "/x_y.md"],
    ],
  );
  const below = await ask<List<Memory>>("GET", `${path}/memories?path_prefix=/a/&view=full`);
  t.strictSame(
    below.body.data.map(({ content }) => content),
    ["in /a/1.md", "in /a/b/2.md"],
  );
  const one = await ask<Memory>("GET", `${path}/memories/${below.body.data[0]?.id}`);
  t.match(one.body, { path: "/a/1.md", content: "in /a/1.md", content_size_bytes: 10 }, "full is the default for one");
  t.equal((await ask<Memory>("GET", `${path}/memories/${one.body.id}?view=basic`)).body.content, null);
  for (const bad of ["depth=2", "path_prefix=/a", "path_prefix=a/", "view=some"]) {
    t.equal((await ask("GET", `${path}/memories?${bad}`)).status, 400, bad);
  }
  t.equal((await ask("GET", `${path}/memories/mem_nope`)).status, 404);
});

t.test("files are raw bytes by path and version", async (t) => {
  const { ask, path, mount, store } = await httpFixture(t);
  await mount.mkdir("/d e");
  await mount.write("/d e/ä.md", "one");
  await mount.write("/d e/ä.md", "two");
  await mount.write("/empty", "");
  const url = `${path}/files/d%20e/%C3%A4.md`;
  const head = store.memoryAt(Buffer.from("/d e/ä.md"));
  const { status, headers, body } = await ask<string>("GET", url);
  t.match({ status, body }, { status: 200, body: "two" });
  t.match(headers, {
    "content-type": "application/octet-stream",
    "content-length": "3",
    etag: `"${head.sha256}"`,
    "memfs-memory-id": head.id,
    "memfs-version-id": head.headId,
  });
  t.match(await ask("HEAD", url), { status: 200, headers: { "content-length": "3" } });
  t.equal((await ask("GET", `${url}?version=1`)).body, "one");
  t.equal((await ask("GET", `${url}?version=-1`)).body, "one");
  t.equal((await ask("GET", `${url}?version=${head.headId}`)).body, "two");
  t.match(await ask("GET", `${path}/files/empty`), { status: 200, body: "" });
  await mount.unlink("/d e/ä.md");
  t.match(await ask("GET", url), { status: 404, error: { type: "not_found_error" } }, "what is gone is not there");
  t.equal((await ask("GET", `${url}?version=2`)).body, "two", "its versions are");
  t.match(await ask("GET", `${path}/files/nope`), { status: 404 });
  t.match(await ask("GET", `${url}?version=x`), { status: 400 });
});

t.test("versions are listed newest first, filtered, and found by number or time", async (t) => {
  const { ask, path, mount, clock } = await httpFixture(t);
  await mount.write("/a.md", "1\n");
  await mount.append("/a.md", "22\n");
  await mount.write("/b.md", "b");
  clock.pass(60);
  await mount.unlink("/b.md");
  clock.pass(60);
  const list = async (query: string): Promise<readonly MemoryVersion[]> =>
    (await ask<List<MemoryVersion>>("GET", `${path}/memory_versions?${query}`)).body.data;
  const brief = (versions: readonly MemoryVersion[]): unknown[] =>
    versions.map((version) => [version.path, version.n, version.operation, version.content_size_change_bytes]);
  const [newest] = await list("path=/a.md");
  t.match(newest, {
    type: "memory_version",
    n: 2,
    operation: "modified",
    content: null,
    created_by: { type: "session_actor", session_id: "s-1" },
    agent: "scout",
    process: { uid: 0, pid: process.pid },
    redacted_at: null,
  });
  t.strictSame(brief(await list("path=/a.md")), [
    ["/a.md", 2, "modified", 3],
    ["/a.md", 1, "created", 2],
  ]);
  t.strictSame(brief(await list(`memory_id=${newest?.memory_id}&operation=created`)), [["/a.md", 1, "created", 2]]);
  t.equal((await list("session_id=s-1&agent=scout")).length >= 3, true);
  t.strictSame(await list("session_id=s-2"), []);
  t.strictSame(await list("service_account_id=x"), []);
  t.strictSame(await list("path=/nope"), []);
  t.strictSame(brief(await list("path=/a.md&version=1")), [["/a.md", 1, "created", 2]]);
  t.strictSame((await list("path=/a.md&version=1&view=full"))[0]?.content, "1\n");
  t.strictSame(brief(await list(`path=/a.md&version=${encodeURIComponent(newest?.created_at ?? "")}`)), [
    ["/a.md", 2, "modified", 3],
  ]);
  t.match(await ask("GET", `${path}/memory_versions?path=/a.md&version=9`), { status: 404 });
  t.match(await ask("GET", `${path}/memory_versions?path=/a.md&version=0`), { status: 400 });
  const one = await ask<MemoryVersion>("GET", `${path}/memory_versions/${newest?.id}`);
  t.equal(one.body.content, "1\n22\n", "full is the default for one");
});

t.test("a file whose name is no API path is listed with %XX, found by that, and read by id", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  const name = Buffer.from([0x61, 0xff, 0x25, 0x0a]);
  const caller = mount.caller;
  const { entry, opened } = await mount.mount.create(caller, { slot: 0, number: 1 }, name, 1, 0o644);
  await mount.mount.write(caller, entry.node, opened, 0, Buffer.from([0xfe, 0x00]), { open: 1, writeback: false });
  await mount.mount.flush(caller, entry.node, opened, mount.owner);
  await mount.mount.release(caller, entry.node, opened);
  await mount.write("/plain%41.md", "exact");
  const { body } = await ask<List<Memory>>("GET", `${path}/memories`);
  t.match(body.data, [
    { path: "/a%FF%25%0A", path_exact: false },
    { path: "/plain%41.md", path_exact: true },
  ]);
  const memory = await ask<Memory>("GET", `${path}/memories/${body.data[0]?.id}`);
  t.match(memory.body, { content: null, content_base64: "/gA=" }, "content that is no text is base64");
  t.equal(
    (await ask<List<MemoryVersion>>("GET", `${path}/memory_versions?path=%2Fa%25FF%2525%250A`)).body.data.length,
    1,
  );
  t.equal((await ask("GET", `${path}/files/plain%2541.md`)).body, "exact", "a % in an ordinary name is a %");
  t.match(await ask("GET", `${path}/files/a%FF`), { status: 400 }, "a URL must be UTF-8");
});

t.test("rollback makes a new version, or says what it would do", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  await mount.write("/a.md", "one");
  await mount.write("/a.md", "two");
  const preview = await ask<Reversed>("POST", `${path}/rollback`, { body: { path: "/a.md", to: 1, dry_run: true } });
  t.match(preview.body, { type: "rollback", dry_run: true, changes: [{ path: "/a.md", to: { n: 1 }, version: null }] });
  t.equal(await mount.read("/a.md"), "two");
  const done = await ask<Reversed>("POST", `${path}/rollback`, { body: { path: "/a.md", to: "1" } });
  t.match(done.body.changes, [
    {
      version: {
        n: 3,
        operation: "modified",
        created_by: { type: "user_actor", user_id: `uid:${process.getuid?.()}` },
      },
    },
  ]);
  t.equal(await mount.read("/a.md"), "one");
  t.ok(
    mount.invalidator.calls.some((call) => call.startsWith("content")),
    "the mount's kernel was told",
  );
  const wrong: [body: object, status: number][] = [
    [{ path: "/a.md" }, 400],
    [{ to: 1 }, 400],
    [{ path: "/a.md", to: "soon" }, 400],
    [{ path: "/a.md", to: 99 }, 404],
    [{ path: "/nope", to: 1 }, 404],
  ];
  for (const [body, status] of wrong)
    t.equal((await ask("POST", `${path}/rollback`, { body })).status, status, JSON.stringify(body));
});

t.test("verify walks the journal, and a head noted earlier must be in it", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  const before = (await ask<AuditReport>("GET", `${path}/audit/verify`)).body;
  await mount.write("/a.md", "one");
  const after = (await ask<AuditReport>("GET", `${path}/audit/verify?head=${before.head}`)).body;
  t.match(after, { type: "audit_report", ok: true, problem: null });
  t.ok(after.entries > before.entries);
  t.match((await ask<AuditReport>("GET", `${path}/audit/verify?head=${"0".repeat(64)}`)).body, {
    ok: false,
    problem: /./,
  });
});

t.test("mounts are made, listed and ended, and journalled", async (t) => {
  const { ask, directory, store, catalogue } = await httpFixture(t);
  const body = { mountpoint: directory, stores: [{ store: "notes", access: "ro" }], agent: "scout", session_id: "s-7" };
  const { body: made } = await ask<Mount>("POST", "/v1/mounts", { body });
  t.match(made, {
    type: "mount",
    id: /^mount_01/,
    mountpoint: directory,
    agent: "scout",
    session_id: "s-7",
    driver: "kernel",
    stores: [{ memory_store_id: store.info.id, name: "notes", access: "ro", directory: null }],
  });
  t.strictSame((await ask<List<Mount>>("GET", "/v1/mounts")).body, { data: [made], next_page: null });
  t.match(await ask("DELETE", `/v1/memory_stores/${store.info.id}`), {
    status: 409,
    headers: { "x-should-retry": "false" },
    error: { type: "conflict_error", code: "busy" },
  });
  t.match((await ask("DELETE", `/v1/mounts/${made.id}?force=true`)).body, { id: made.id, type: "mount_deleted" });
  t.match(await ask("DELETE", `/v1/mounts/${made.id}`), { status: 404 });
  t.ok(store.usage().headSeq >= 3, "attached and detached are in the journal");
  await catalogue.archive(store.info.id, OPERATOR);
  t.match(
    await ask("POST", "/v1/mounts", { body }),
    { status: 400, error: { code: "archived" } },
    "no new mount of an archived store",
  );
});

t.test("a mount that the kernel refuses leaves no store behind", async (t) => {
  const { ask, directory, catalogue } = await httpFixture(t);
  const mountpoint = `${directory}/x-refused`;
  await mkdir(mountpoint);
  const stores = ["notes", "new", "newer"].map((store) => ({ store, access: "rw" }));
  const body = { mountpoint, stores, agent: "scout", create: true };
  t.match(await ask("POST", "/v1/mounts", { body }), { status: 500, error: { code: "fuse_unavailable" } });
  t.strictSame(
    catalogue.list().map(({ name }) => name),
    ["notes"],
  );
  t.equal(await readFile(`${directory}.json`, "utf8"), "[]\n");
  t.strictSame((await ask<List<Mount>>("GET", "/v1/mounts")).body.data, []);
});

t.test("of mounting a store and deleting it at the same time one wins", async (t) => {
  const { ask, directory } = await httpFixture(t);
  const won = { mount: 0, removal: 0 };
  for (let round = 0; round < 20; round++) {
    const { body: store } = await ask<MemoryStore>("POST", STORES, { body: { name: `s${round}` } });
    const mountpoint = `${directory}/${round}`;
    await mkdir(mountpoint);
    const body = { mountpoint, stores: [{ store: store.id, access: "rw" }], agent: "scout" };
    const mounting = ask<Mount>("POST", "/v1/mounts", { body });
    // Each round meets another moment of the mounting.
    for (let turn = 0; turn < round; turn++) await new Promise(setImmediate);
    const [mounted, removed] = await Promise.all([mounting, ask("DELETE", `${STORES}/${store.id}`)]);
    const winner = mounted.status === 200 ? "mount" : "removal";
    won[winner] += 1;
    t.equal(removed.status, winner === "mount" ? 409 : 200);
    t.equal((await ask("GET", `${STORES}/${store.id}`)).status, winner === "mount" ? 200 : 404);
    t.equal(mounted.status, winner === "mount" ? 200 : 404);
  }
  t.comment(won);
  t.ok(won.mount > 0);
  t.equal((await ask<List<Mount>>("GET", "/v1/mounts?limit=100")).body.data.length, won.mount);
});

t.test("every refusal says what is wrong; what to do", async (t) => {
  const { ask, path } = await httpFixture(t);
  const refused = [
    await ask("GET", "/v1/nothing"),
    await ask("GET", `${STORES}?limit=x`),
    await ask("GET", `${STORES}?created_at[gte]=yesterday`),
    await ask("POST", STORES, { body: { name: 7 } }),
    await ask("POST", "/v1/mounts", { body: {} }),
    await ask("GET", `${path}/memories?path_prefix=a`),
    await ask("GET", `${path}/memory_versions?path=a`),
    await ask("POST", `${path}/rollback`, { body: { to: 1 } }),
    await ask("DELETE", "/v1/mounts/nothing"),
  ];
  for (const { status, error } of refused) {
    t.ok(status === 400 || status === 404);
    t.match(error.message, /^[^;]+; [^;]+$/);
  }
});

t.test("the daemon tells what it is and stops after it has answered", async (t) => {
  const { ask, stopped } = await httpFixture(t);
  t.match((await ask("GET", "/v1/daemon")).body, {
    type: "daemon",
    pid: process.pid,
    version: "0.1.0",
    stores: 1,
    mounts: 0,
  });
  t.match((await ask("GET", "/v1/capabilities")).body, { version: "0.1.0", limits: { page_size: 100 } });
  t.match((await ask("GET", "/healthz")).body, { status: "ok" });
  t.equal((await ask("GET", "/readyz")).status, 200);
  t.match(await ask("POST", "/v1/daemon/stop"), { status: 200, body: { pid: process.pid } });
  for (let turn = 0; turn < 1000 && !stopped(); turn++) await sleep(1);
  t.ok(stopped());
  t.match(await ask("GET", "/readyz"), { status: 504 });
});
