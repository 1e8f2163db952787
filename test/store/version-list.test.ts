/** Lists of versions: every one once, newest first, whatever the filter and the length of a page. */
import t, { type Test } from "tap";
import { formatId, parseId } from "../../lib/id.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Actor, ListVersions, Operation, VersionInfo } from "../../lib/store/types.ts";
import { randomFrom } from "../fixtures/random.ts";
import { OPERATOR, storeFixture, type StoreFixture } from "../fixtures/store.ts";
import { bytesOf, StoreFiles } from "../fixtures/store-files.ts";

/** A new object each time, as mounts have one each. */
const session = (sessionId: string, agent: string): Actor => ({ type: "session", sessionId, agent });
const ACTORS: readonly (() => Actor)[] = [
  () => session("s-1", "scout"),
  () => session("s-2", "scout"),
  () => session("s-3", "ranger"),
  () => session("s-1", "ranger"),
  () => ({ type: "api", apiKeyId: "key-1" }),
  () => OPERATOR,
];

interface Made {
  readonly id: string;
  readonly operation: Operation;
  readonly actor: Actor;
  readonly at: number;
  readonly path: string;
}

/** More than 200 versions by six actors in turns of any length, with entries between them that make no version. */
async function interleaved(t: Test): Promise<StoreFixture & { made: Made[] }> {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const fixture = await storeFixture(t);
  const made: Made[] = [];
  let { store } = fixture;
  for (let turn = 0; made.length < 230; turn++) {
    // A store that was closed in between does not know who came last.
    if (turn % 10 === 9) ({ store } = await fixture.reopen());
    const actor = (ACTORS[below(ACTORS.length)] ?? ACTORS[0])?.() ?? OPERATOR;
    const files = new StoreFiles(store);
    const length = below(4) === 0 ? 70 : 1 + below(6);
    for (let count = 0; count < length; count++) {
      files.actor = below(2) === 0 ? actor : { ...actor };
      if (below(5) === 0) store.record("mount.attached", {}, { actor: files.actor });
      fixture.clock.pass(1);
      const path = `/f${below(5)}`;
      const { id } = changed(files, store, { path, remove: below(6) === 0, content: `${made.length}` });
      const { operation, createdAt } = store.history.version(id);
      made.push({ id, operation, actor, at: createdAt, path });
    }
  }
  const reopened = await fixture.reopen();
  return { ...fixture, ...reopened, made };
}

/** Writes or removes a file. Returns the version that it made. */
function changed(
  files: StoreFiles,
  store: Store,
  { path, remove, content }: { path: string; remove: boolean; content: string },
): { id: string } {
  if (remove && files.entry(path) !== null) {
    const { id } = store.memoryAt(bytesOf(path));
    files.unlink(path);
    return { id: formatId("memver", store.memoryRecord(parseId("mem", id))?.head ?? "") };
  }
  files.write(path, content);
  return { id: store.memoryAt(bytesOf(path)).headId };
}

/** All pages, one after the other. */
async function pages(store: Store, options: ListVersions): Promise<VersionInfo[]> {
  const items: VersionInfo[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page = await store.history.list(cursor === "" ? options : { ...options, cursor });
    if (page.items.length > options.limit) throw new Error("a page is longer than asked for");
    if (items.length > 10_000) throw new Error("the list does not end");
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}

const ids = (versions: readonly { readonly id: string }[]): string[] => versions.map(({ id }) => id);

t.test("each filter lists each of its versions once, newest first, in pages of any length", async (t) => {
  const { store, made } = await interleaved(t);
  const isSession = ({ actor }: Made, key: "sessionId" | "agent", value: string): boolean =>
    actor.type === "session" && actor[key] === value;
  const from = made[60]?.at ?? 0;
  const to = made[150]?.at ?? 0;
  const filters: readonly [Omit<ListVersions, "limit">, (version: Made) => boolean][] = [
    [{}, () => true],
    [{ sessionId: "s-1" }, (version) => isSession(version, "sessionId", "s-1")],
    [{ sessionId: "s-2" }, (version) => isSession(version, "sessionId", "s-2")],
    [{ sessionId: "s-9" }, () => false],
    [{ agent: "scout" }, (version) => isSession(version, "agent", "scout")],
    [{ agent: "ranger" }, (version) => isSession(version, "agent", "ranger")],
    [
      { agent: "ranger", sessionId: "s-1" },
      (version) => isSession(version, "agent", "ranger") && isSession(version, "sessionId", "s-1"),
    ],
    [{ apiKeyId: "key-1" }, ({ actor }) => actor.type === "api"],
    [{ operation: "deleted" }, ({ operation }) => operation === "deleted"],
    [
      { operation: "created", agent: "scout" },
      (version) => version.operation === "created" && isSession(version, "agent", "scout"),
    ],
    [{ createdFrom: from, createdTo: to }, ({ at }) => at >= from && at <= to],
  ];
  for (const [filter, wanted] of filters) {
    const expected = ids(made.filter(wanted)).reverse();
    for (const limit of [1, 7, 64, 100]) {
      t.strictSame(ids(await pages(store, { ...filter, limit })), expected, `${JSON.stringify(filter)}, ${limit}`);
    }
  }
});

t.test("a list by path goes on with the memories that were there before, the last one first", async (t) => {
  const { store, made } = await interleaved(t);
  for (const path of ["/f0", "/f1", "/f2"]) {
    const expected = ids(made.filter((version) => version.path === path)).reverse();
    for (const limit of [1, 3, 100]) {
      t.strictSame(ids(await pages(store, { path: bytesOf(path), limit })), expected, `${path}, ${limit}`);
    }
    const memoryId = await store.history.memoryOnceAt(bytesOf(path));
    const own = await pages(store, { memoryId, limit: 2 });
    t.strictSame(
      own.map(({ n }) => n),
      own.map((_version, index) => own.length - index),
      "a memory's versions are numbered from 1",
    );
  }
  t.strictSame(await pages(store, { path: bytesOf("/never"), limit: 10 }), []);
});

t.test("every filter holds for a list by path, too", async (t) => {
  const { store, made } = await interleaved(t);
  const [from, to] = [made[60]?.at ?? 0, made[150]?.at ?? 0];
  const filters: readonly [Omit<ListVersions, "limit">, (version: Made) => boolean][] = [
    [{ sessionId: "s-1" }, ({ actor }) => actor.type === "session" && actor.sessionId === "s-1"],
    [{ agent: "ranger" }, ({ actor }) => actor.type === "session" && actor.agent === "ranger"],
    [{ operation: "deleted" }, ({ operation }) => operation === "deleted"],
    [{ createdFrom: from }, ({ at }) => at >= from],
    [{ createdTo: to }, ({ at }) => at <= to],
    [
      { createdFrom: from, createdTo: to, operation: "modified" },
      ({ at, operation }) => at >= from && at <= to && operation === "modified",
    ],
  ];
  for (const path of ["/f0", "/f1", "/f2"]) {
    for (const [filter, wanted] of filters) {
      const expected = ids(made.filter((version) => version.path === path && wanted(version))).reverse();
      const found = ids(await pages(store, { ...filter, path: bytesOf(path), limit: 4 }));
      t.strictSame(found, expected, `${path}, ${JSON.stringify(filter)}`);
    }
  }
});

t.test("what is made while a list is read is not in its later pages, and pushes nothing out", async (t) => {
  const { store, made } = await interleaved(t);
  const files = new StoreFiles(store);
  files.actor = session("s-1", "scout");
  for (const filter of [{}, { sessionId: "s-1" }]) {
    const before = ids(await pages(store, { ...filter, limit: 100 }));
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page = await store.history.list(cursor === "" ? { ...filter, limit: 9 } : { ...filter, limit: 9, cursor });
      seen.push(...ids(page.items));
      cursor = page.next;
      files.write("/f0", `${seen.length} of ${made.length}`);
    }
    t.strictSame(seen, before);
  }
});

t.test("the versions of a file that was a step of saving another are in no list", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "one");
  files.write("/f.new", "tw");
  files.write("/f.new", "two");
  const step = store.memoryAt(bytesOf("/f.new"));
  await files.rename("/f.new", "/f", { folds: true });
  const filters = [{}, { sessionId: "s-1" }, { agent: "scout" }, { path: bytesOf("/f") }];
  for (const filter of filters) {
    const listed = await pages(store, { ...filter, limit: 1 });
    t.strictSame(
      listed.map(({ operation, path }) => [operation, path?.toString()]),
      [
        ["modified", "/f"],
        ["created", "/f"],
      ],
      JSON.stringify(filter),
    );
  }
  for (const filter of [{ path: bytesOf("/f.new") }, { memoryId: step.id }]) {
    t.strictSame(await pages(store, { ...filter, limit: 10 }), []);
  }
  await t.rejects(store.history.memoryOnceAt(bytesOf("/f.new")), { code: "not_found" });
  t.equal(store.history.version(step.headId).id, step.headId, "by its id it is still there: the journal speaks of it");
});

t.test("a cursor that is none is refused", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "one");
  const memoryId = store.memoryAt(bytesOf("/f")).id;
  const cursors = [
    "x",
    "!!!",
    Buffer.from("s-1").toString("base64url"),
    Buffer.from("v".repeat(21)).toString("base64url"),
  ];
  for (const cursor of cursors) {
    await t.rejects(store.history.list({ limit: 1, cursor }), { code: "invalid_argument" });
    await t.rejects(store.history.list({ memoryId, limit: 1, cursor }), { code: "invalid_argument" });
  }
  await t.rejects(store.history.list({ memoryId: "mem_nonsense", limit: 1 }), { code: "not_found" });
});

t.test("a directory's list has what was below it then, and what moved away from there", async (t) => {
  const { store, clock } = await storeFixture(t);
  const files = new StoreFiles(store);
  for (const path of ["/d", "/d/e", "/dd"]) files.mkdir(path);
  files.write("/d/a", "1");
  files.write("/dd/x", "1");
  files.write("/d/e/b", "1");
  const between = clock.now();
  files.write("/d/a", "2");
  await files.rename("/d/a", "/a");
  files.write("/a", "3");
  await files.rename("/dd/x", "/d/x");
  await files.rename("/d/e", "/e");
  files.unlink("/d/x");
  const listed = async (options: Partial<ListVersions>): Promise<string[]> => {
    const versions = await pages(store, { pathPrefix: bytesOf("/d/"), limit: 2, ...options });
    return versions.map(({ operation, path, n }) => `${operation} ${path?.toString()}@${n}`);
  };
  const all = [
    "deleted /d/x@3",
    "modified /e/b@2",
    "modified /d/x@2",
    "modified /a@3",
    "modified /d/a@2",
    "created /d/e/b@1",
    "created /d/a@1",
  ];
  t.strictSame(await listed({}), all);
  t.strictSame(await listed({ createdFrom: between }), all.slice(0, 5));
  t.strictSame(await listed({ createdTo: between }), all.slice(5));
  t.strictSame(await listed({ operation: "deleted" }), all.slice(0, 1));
  t.strictSame(await listed({ sessionId: "s-1", operation: "created" }), all.slice(5));
  t.strictSame(await listed({ agent: "nobody" }), []);
  t.strictSame(await listed({ pathPrefix: bytesOf("/none/") }), []);
});
