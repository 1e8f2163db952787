import t, { type Test } from "tap";
import type { VersionInfo } from "../../lib/store/types.ts";
import { storeFixture, type StoreFixture } from "../fixtures/store.ts";
import { liveStores, O_APPEND, O_RDWR, O_TRUNC, O_WRONLY, TestMount } from "../fixtures/vfs.ts";

interface Mounted extends StoreFixture {
  readonly mount: TestMount;
  other(session: string): Promise<TestMount>;
  log(path: string): Promise<VersionInfo[]>;
}

async function mounted(t: Test): Promise<Mounted> {
  const fixture = await storeFixture(t);
  const live = liveStores(fixture);
  const mount = await TestMount.open(live, fixture.store.info.id);
  return {
    ...fixture,
    mount,
    other: (session) => TestMount.open(live, fixture.store.info.id, { session, agent: "other" }),
    log: async (path) => [...(await fixture.store.history.list({ path: Buffer.from(path), limit: 100 })).items],
  };
}

const operations = (versions: VersionInfo[]): string[] => versions.map((version) => version.operation);

t.test("echo > new is one version, signed with agent, session and program", async (t) => {
  const { mount, log } = await mounted(t);
  await mount.write("/a.md", "one\n");
  const [version, ...rest] = await log("/a.md");
  t.same(rest, []);
  t.match(version, {
    operation: "created",
    n: 1,
    size: 4,
    actor: { type: "session", agent: "scout", sessionId: "s-1" },
  });
  t.match(version?.evidence, { pid: process.pid, program: /node/ });
});

t.test("echo > on an existing file is exactly one version, and appends add one each", async (t) => {
  const { mount, log } = await mounted(t);
  await mount.write("/a.md", "one\n");
  await mount.write("/a.md", "two\n");
  await mount.append("/a.md", "three\n");
  t.equal(await mount.read("/a.md"), "two\nthree\n");
  t.same(operations(await log("/a.md")), ["modified", "modified", "created"]);
});

t.test("touch makes one empty version at release", async (t) => {
  const { mount, log } = await mounted(t);
  const file = await mount.open("/t", O_WRONLY);
  await mount.flush(file);
  t.same(await log("/t"), []);
  await mount.release(file);
  t.match(await log("/t"), [{ operation: "created", size: 0 }]);
});

t.test("the same bytes make no version", async (t) => {
  const { mount, log } = await mounted(t);
  await mount.write("/a", "same");
  await mount.write("/a", "same");
  t.equal((await log("/a")).length, 1);
});

t.test("a flush by another process waits for release", async (t) => {
  const { mount, log } = await mounted(t);
  const file = await mount.open("/a", O_WRONLY);
  await mount.put(file, "part one ");
  const opener = mount.caller;
  mount.caller = { ...opener, pid: 1 };
  await mount.flush(file);
  t.same(await log("/a"), [], "a child closing its copy commits nothing");
  mount.caller = opener;
  await mount.put(file, "part two", 9);
  await mount.close(file);
  t.equal((await log("/a")).length, 1);
  t.equal(await mount.read("/a"), "part one part two");
});

t.test("temp and rename is one modified version of the target's memory", async (t) => {
  const { mount, log, store } = await mounted(t);
  await mount.write("/f", "one");
  const id = store.memoryAt(Buffer.from("/f")).id;
  await mount.write("/sedAbC123", "two");
  await mount.rename("/sedAbC123", "/f");
  t.equal(store.memoryAt(Buffer.from("/f")).id, id);
  t.same(operations(await log("/f")), ["modified", "created"]);
  t.same(await log("/sedAbC123"), [], "nothing visible of the temporary file");
  t.match(store.usage(), { memories: 1, versions: 2 });
  t.equal(await mount.read("/f"), "two");
});

t.test("mv keeps the memory and records its new path", async (t) => {
  const { mount, log, store } = await mounted(t);
  await mount.write("/a", "x");
  const { id } = store.memoryAt(Buffer.from("/a"));
  await mount.rename("/a", "/b");
  t.equal(store.memoryAt(Buffer.from("/b")).id, id);
  t.equal(await mount.find("/a"), null);
  t.match(await log("/b"), [{ operation: "modified", path: Buffer.from("/b") }, { operation: "created" }]);
});

t.test("mv over an older memory: its lineage goes on, the other ends", async (t) => {
  const { mount, log, store, clock } = await mounted(t);
  await mount.write("/a", "from a");
  await mount.write("/b", "from b");
  clock.pass(61);
  const { id } = store.memoryAt(Buffer.from("/b"));
  await mount.rename("/a", "/b");
  t.equal(store.memoryAt(Buffer.from("/b")).id, id);
  t.equal(await mount.read("/b"), "from a");
  t.same(operations(await log("/a")), ["deleted", "created"]);
  t.same(operations(await log("/b")), ["modified", "created"]);
});

t.test("a memory that another session has opened is not folded away", async (t) => {
  const { mount, other, log } = await mounted(t);
  await mount.write("/b", "target");
  await mount.write("/a", "seen by others");
  const reader = await other("s-2");
  await reader.read("/a");
  await mount.rename("/a", "/b");
  t.same(operations(await log("/a")), ["deleted", "created"]);
});

t.test("moving a directory moves every memory below it", async (t) => {
  const { mount, log, store } = await mounted(t);
  await mount.mkdir("/d");
  await mount.mkdir("/d/e");
  await mount.write("/d/x", "1");
  await mount.write("/d/e/y", "2");
  const ids = ["/d/x", "/d/e/y"].map((path) => store.memoryAt(Buffer.from(path)).id);
  await mount.rename("/d", "/moved");
  t.same(
    ["/moved/x", "/moved/e/y"].map((path) => store.memoryAt(Buffer.from(path)).id),
    ids,
  );
  t.same(operations(await log("/moved/e/y")), ["modified", "created"]);
});

t.test("rm ends the memory; a new file at the path is a new memory", async (t) => {
  const { mount, log, store, clock } = await mounted(t);
  await mount.write("/a", "old");
  const { id } = store.memoryAt(Buffer.from("/a"));
  await mount.unlink("/a");
  clock.pass(1);
  await mount.write("/a", "new");
  t.not(store.memoryAt(Buffer.from("/a")).id, id);
  t.same(operations(await log("/a")), ["created", "deleted", "created"], "former memories follow the present one");
});

t.test("a file removed while open keeps its bytes until it is closed, and makes no version", async (t) => {
  const { mount, log } = await mounted(t);
  await mount.write("/a", "kept");
  const file = await mount.open("/a", O_RDWR);
  await mount.unlink("/a");
  await mount.put(file, "K");
  const bytes = await mount.mount.read(mount.caller, file.node, file.opened, 0, 100);
  t.equal(bytes.toString(), "Kept");
  await mount.close(file);
  t.same(operations(await log("/a")), ["deleted", "created"]);
});

t.test("appends that two mounts hold at the same time are both kept", async (t) => {
  const { mount, other } = await mounted(t);
  await mount.write("/log", "start\n");
  const second = await other("s-2");
  const a = await mount.open("/log", O_WRONLY | O_APPEND);
  const b = await second.open("/log", O_WRONLY | O_APPEND);
  await mount.put(a, "from a\n", 6);
  await second.put(b, "from b\n", 6);
  await mount.close(a);
  await second.close(b);
  t.equal(await mount.read("/log"), "start\nfrom a\nfrom b\n");
  t.equal(await second.read("/log"), "start\nfrom a\nfrom b\n");
});

t.test("what another mount truncated and closed is seen before its release arrives", async (t) => {
  const { mount, other, log } = await mounted(t);
  await mount.write("/a", "full");
  const second = await other("s-2");
  t.equal(await second.read("/a"), "full");
  const file = await mount.open("/a", O_WRONLY | O_TRUNC);
  await mount.flush(file);
  t.equal(await second.read("/a"), "");
  await mount.release(file);
  t.equal((await log("/a")).length, 2);
});
