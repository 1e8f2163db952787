import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import t from "tap";
import type {
  AuditHead,
  Blame,
  Diff,
  List,
  Memory,
  MemoryPrefix,
  MemoryVersion,
  Mount,
  Session,
} from "../../lib/api.ts";
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

const diffs = (parameters: Readonly<Record<string, string>>): string => `/diff?${query(parameters)}`;

t.test("a memory is compared with what it was before, a version, or another memory", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  await mount.write("/f", "a\nb\n");
  await mount.write("/f", "a\nB\n");
  await mount.write("/f", "a\nB\nc");
  await mount.write("/g", "g\n");
  const diff = async (parameters: Readonly<Record<string, string>>): Promise<string[]> => {
    const { body } = await ask<Diff>("GET", path + diffs(parameters));
    return body.files.map(({ from, to, hunks }) => {
      const lines = hunks.flatMap((hunk) => hunk.lines.filter(({ kind }) => kind !== "context"));
      return `${from?.path}@${from?.n} ${to?.path}@${to?.n} ${lines.map(({ kind, text }) => `${kind} ${text}`).join()}`;
    });
  };
  t.strictSame(await diff({ path: "/f" }), ["/f@2 /f@3 added c"], "the newest version");
  t.strictSame(await diff({ path: "/f", to: "2" }), ["/f@1 /f@2 removed b,added B"], "what a version changed");
  t.strictSame(await diff({ path: "/f", from: "1" }), ["/f@1 /f@3 removed b,added B,added c"], "since a version");
  t.strictSame(await diff({ path: "/f", from: "head", to: "-1" }), ["/f@3 /f@2 removed c"]);
  t.strictSame(await diff({ path: "/f", from: "2", to: "2" }), []);
  t.strictSame(await diff({ path: "/f", from: "1", to_path: "/g" }), ["/f@1 /g@1 removed a,removed b,added g"]);
  t.strictSame(await diff({ path: "/f", to: "1" }), ["undefined@undefined /f@1 added a,added b"], "the first version");
});

t.test("a directory is compared between moments", async (t) => {
  const { ask, path, mount, store, clock } = await httpFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/f", "one\n");
  await mount.write("/other", "o\n");
  const before = store.usage().headSeq;
  clock.pass(60);
  await mount.write("/d/f", "two\n");
  await mount.write("/other", "p\n");
  const paths = async (parameters: Readonly<Record<string, string>>): Promise<(string | undefined)[]> => {
    const { body } = await ask<Diff>("GET", path + diffs(parameters));
    return body.files.map(({ to }) => to?.path);
  };
  t.strictSame(await paths({ from: `#${before}` }), ["/d/f", "/other"]);
  t.strictSame(await paths({ path: "/d", from: `#${before}` }), ["/d/f"]);
  t.strictSame(await paths({ path: "/d/", from: `#${before}`, to: "head" }), ["/d/f"]);
  t.strictSame(await paths({ path: "/d", from: "head", to: `#${before}` }), ["/d/f"]);
  t.strictSame(await paths({ from: store.memoryAt(Buffer.from("/other")).headId }), []);
  await mount.unlink("/d/f");
  await mount.rmdir("/d");
  t.strictSame(await paths({ path: "/d", from: `#${before}` }), [undefined], "a directory that is gone");
});

t.test("what cannot be compared is refused with the reason", async (t) => {
  const { ask, path, mount } = await httpFixture(t);
  await mount.mkdir("/d");
  await mount.write("/f", "one\n");
  const cases: [parameters: Record<string, string>, status: number, message: RegExp][] = [
    [{}, 400, /\/ is compared between moments; name one/],
    [{ path: "/d" }, 400, /\/d is compared between moments/],
    [{ path: "/d", from: "-1" }, 400, /-1 counts versions of one memory and is no moment; give a time, #1 /],
    [{ path: "/d", from: "#9999" }, 404, /#9999 is before store notes began, still to come, or unknown/],
    [{ from: "2001-01-01T00:00:00Z" }, 404, /before store notes began/],
    [{ from: "memver_0111111111111111111111" }, 404, /unknown/],
    [{ path: "/d", from: "head", to_path: "/f" }, 400, /compared with itself/],
    [{ path: "/none" }, 404, /no memory is or was at \/none/],
    [{ path: "/f", from: "7" }, 404, /there is no version 7; the memory has versions 1 to 1/],
    [{ path: "/f", from: "yesterday" }, 400, /"yesterday" is no version/],
    [{ path: "/f", format: "html" }, 400, /format/],
  ];
  for (const [parameters, status, message] of cases) {
    const answer = await ask("GET", path + diffs(parameters));
    t.match({ status: answer.status, error: answer.error }, { status, error: { message } }, JSON.stringify(parameters));
  }
});

t.test("git applies the patch, whatever the names, modes and ends of files", async (t) => {
  const { ask, path, mount, store, directory } = await httpFixture(t);
  await mount.mkdir("/d");
  const before: Record<string, string> = {
    a: "1\n2\n3\n4\n",
    "with space": "x",
    'q"u\\ote': "x\ny",
    "ä.md": "1",
    gone: "g\n",
  };
  for (const [name, content] of Object.entries(before)) {
    await mount.write(`/d/${name}`, content);
    await writeFile(`${directory}/${name}`, content);
  }
  const moment = store.usage().headSeq;
  const after = { a: "1\n3\n4\n5\n", "with space": "x\n", 'q"u\\ote': "x\nY", "ä.md": "", new: "n\nl", empty: "" };
  for (const [name, content] of Object.entries(after)) await mount.write(`/d/${name}`, content);
  await mount.unlink("/d/gone");
  const { body, headers } = await ask<string>(
    "GET",
    path + diffs({ path: "/d", from: `#${moment}`, format: "unified" }),
  );
  t.match(headers["content-type"], /^text\/x-diff/);
  const patch = `${directory}.patch`;
  t.teardown(() => rm(patch));
  await writeFile(patch, body);
  const applied = spawnSync("git", ["apply", "-p2", patch], { cwd: directory, encoding: "utf8" });
  t.strictSame([applied.status, applied.stderr], [0, ""], body);
  for (const [name, content] of Object.entries(after))
    t.equal(await readFile(`${directory}/${name}`, "utf8"), content, name);
  t.notOk(existsSync(`${directory}/gone`));
});

t.test("sessions are listed in pages, who began last first, and tell whether they are mounted", async (t) => {
  const { ask, path, mount, live, store, directory, clock } = await httpFixture(t);
  await mount.write("/f", "one\n");
  clock.pass(1);
  const other = await TestMount.open(live, store.info.id, { agent: "e d", session: "s 2/" });
  await other.write("/f", "two\n");
  await other.mount.detach();
  clock.pass(1);
  const body = {
    mountpoint: directory,
    stores: [{ store: "notes", access: "ro" }],
    agent: "reader",
    session_id: "s-3",
  };
  const { body: mounted } = await ask<Mount>("POST", "/v1/mounts", { body });
  const seen: Session[] = [];
  for (let page: string | null = ""; page !== null;) {
    const answer: { body: List<Session> } = await ask(
      "GET",
      `${path}/sessions?limit=1${page === "" ? "" : `&page=${page}`}`,
    );
    seen.push(...answer.body.data);
    page = answer.body.next_page;
    await mount.write("/f", `page ${seen.length}\n`);
  }
  t.match(seen, [
    { type: "session", session_id: "s-3", agent: "reader", writes: 0, mounts: 1, conflicts: 0, mounted: true },
    { session_id: "s 2/", agent: "e d", writes: 1, mounts: 0, mounted: false, memory_store_id: store.info.id },
    { session_id: "s-1", agent: "scout", writes: 3, first_at: /Z$/, last_at: /Z$/ },
  ]);
  t.equal(seen.length, 3);
  await ask("DELETE", `/v1/mounts/${mounted.id}`);
  t.match((await ask<List<Session>>("GET", `${path}/sessions`)).body.data[0], { session_id: "s-3", mounted: false });
  t.match(await ask("GET", `${path}/sessions?page=*`), { status: 400 });
});

t.test("the head of the journal is answered with its number", async (t) => {
  const { ask, path, store } = await httpFixture(t);
  const { body } = await ask<AuditHead>("GET", `${path}/audit/head`);
  t.match(body, { type: "audit_head", memory_store_id: store.info.id, seq: store.usage().headSeq, created_at: /Z$/ });
  t.match(await ask("GET", `${path}/audit/verify?head=${body.hash}`), { body: { ok: true, head: body.hash } });
});

t.test("a directory is listed as it was, in pages, with the versions of then", async (t) => {
  const { ask, path, mount, store } = await httpFixture(t);
  for (const name of ["/d", "/d/sub", "/d/empty"]) await mount.mkdir(name);
  const names = Array.from({ length: 12 }, (_, index) => `/d/${index}`);
  for (const name of [...names, "/d/sub/deep", "/d/gone"]) await mount.write(name, "then\n");
  const moment = store.usage().headSeq;
  const version = store.memoryAt(Buffer.from("/d/0")).headId;
  for (const name of names) await mount.write(name, "now, longer\n");
  await mount.unlink("/d/gone");
  await mount.write("/d/new", "new\n");
  const at = (when: string, parameters: Readonly<Record<string, string>> = {}) =>
    ask<List<Memory | MemoryPrefix>>(
      "GET",
      `${path}/at/${encodeURIComponent(when)}/memories?${query({ path_prefix: "/d/", ...parameters })}`,
    );
  for (const limit of ["1", "5", "15", "100"]) {
    const seen: (Memory | MemoryPrefix)[] = [];
    for (let page: string | null = ""; page !== null;) {
      const { body }: { body: List<Memory | MemoryPrefix> } = await at(
        `#${moment}`,
        page === "" ? { limit } : { limit, page },
      );
      t.ok(body.data.length > 0 && body.data.length <= Number(limit));
      seen.push(...body.data);
      page = body.next_page;
    }
    t.strictSame(seen.map((item) => item.path).sort(), [...names, "/d/sub/", "/d/empty/", "/d/gone"].sort(), limit);
    t.match(
      seen.find((item) => item.path === "/d/0"),
      { memory_version_id: version, content_size_bytes: 5, content: null },
    );
  }
  t.match(
    (await at("head", { limit: "100" })).body.data.filter(({ path }) => path === "/d/0"),
    [{ content_size_bytes: 12 }],
  );
  t.strictSame((await at(`#${moment}`, { path_prefix: "/none/" })).body.data, []);
  t.strictSame((await at("#1", {})).body.data, [], "before it was made");
  for (const [when, parameters, status] of [
    ["#9999", {}, 404],
    ["2001-01-01T00:00:00Z", {}, 404],
    ["3", {}, 400],
    ["yesterday", {}, 400],
    ["head", { path_prefix: "/d" }, 400],
    ["head", { page: "x" }, 400],
  ] as const) {
    t.equal((await at(when, parameters)).status, status, `${when} ${JSON.stringify(parameters)}`);
  }
});
