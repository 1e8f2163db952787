import t from "tap";
import { historyFixture } from "../fixtures/history.ts";
import { OPERATOR, stored } from "../fixtures/store.ts";
import { O_EXCL, O_WRONLY } from "../fixtures/vfs.ts";

t.test("a scratch file is real, and leaves no trace in history", async (t) => {
  const { mount, store, paths, reopen, kv } = await historyFixture(t);
  const before = store.usage();
  await mount.write("/f.swp", "swap");
  await mount.append("/f.swp", "ped");
  t.equal(await mount.read("/f.swp"), "swapped");
  t.equal((await mount.stat("/f.swp")).size, 7);
  t.same(await paths(), []);
  t.match(store.usage(), { memories: 0, versions: 0, liveBytes: 7, headSeq: before.headSeq });
  t.same(await stored(kv, "e"), [], "looking back does not see it");
  await mount.write("/g.swp", "gone");
  await mount.unlink("/g.swp");
  const { number } = await mount.node("/f.swp");
  const again = await reopen();
  t.equal(again.store.node(number)?.size, 7, "it is stored");
  t.match(again.store.usage(), { memories: 0, liveBytes: 7, headSeq: before.headSeq });
});

t.test("everything below a scratch directory is scratch", async (t) => {
  const { mount, store, paths } = await historyFixture(t);
  await mount.mkdir("/d");
  const { headSeq } = store.usage();
  await mount.mkdir("/d/.git");
  await mount.mkdir("/d/.git/refs");
  await mount.write("/d/.git/refs/HEAD", "ref");
  await mount.unlink("/d/.git/refs/HEAD");
  await mount.rmdir("/d/.git/refs");
  t.equal(store.usage().headSeq, headSeq, "nothing is journalled");
  t.same(await paths(), []);
  await mount.write("/d/.gitignore", "x");
  t.same(await paths(), ["/d/.gitignore"]);
});

t.test("scratch counts as live bytes, not as memories, and may be larger than a memory", async (t) => {
  const { mount, store, catalogue } = await historyFixture(t);
  const limits = { maxMemories: 1, maxMemoryBytes: 10, maxLiveBytes: 30 };
  await catalogue.setPolicy(store.info.id, limits, OPERATOR);
  await mount.write("/a", "1");
  await t.rejects(mount.write("/b", "2"), { code: "quota_exceeded" });
  await mount.write("/x.tmp", "x".repeat(20));
  await t.rejects(mount.append("/x.tmp", "y".repeat(20)), { code: "quota_exceeded" });
  await t.rejects(mount.rename("/x.tmp", "/x"), { code: "file_too_big" });
  await mount.write("/y.tmp", "y");
  await t.rejects(mount.rename("/y.tmp", "/y"), { code: "quota_exceeded" });
  await t.rejects(mount.rename("/x.tmp", "/a"), { code: "file_too_big" }, "nor over a memory");
  t.equal(await mount.read("/x.tmp"), "x".repeat(20));
  t.equal(await mount.read("/a"), "1");
});

t.test("a scratch file that is renamed to a normal name is a memory", async (t) => {
  const { mount, store, log } = await historyFixture(t);
  await mount.write("/new.tmp", "one");
  await mount.rename("/new.tmp", "/f");
  t.same(await log("/f"), ["created"]);
  const { id, sha256 } = store.memoryAt(Buffer.from("/f"));
  await mount.write("/.tmp-1-2", "two");
  await mount.rename("/.tmp-1-2", "/f");
  t.same(await log("/f"), ["modified", "created"]);
  t.match(store.memoryAt(Buffer.from("/f")), { id, headN: 2 });
  t.not(store.memoryAt(Buffer.from("/f")).sha256, sha256);
  t.same(await log("/.tmp-1-2"), []);
});

t.test("between scratch names nothing is recorded, with content or without", async (t) => {
  const { mount, store } = await historyFixture(t);
  const { headSeq } = store.usage();
  await mount.write("/a.tmp", "1");
  await mount.rename("/a.tmp", "/b.tmp");
  await mount.write("/c.tmp", "2");
  await mount.rename("/c.tmp", "/b.tmp");
  t.equal(await mount.read("/b.tmp"), "2");
  const open = await mount.open("/d.tmp", O_WRONLY | O_EXCL);
  await mount.rename("/d.tmp", "/e.tmp");
  await mount.put(open, "late");
  await mount.close(open);
  t.equal(await mount.read("/e.tmp"), "late");
  t.equal(store.usage().headSeq, headSeq);
});

t.test("a link gives a scratch file a memory, and its path is the name that is not scratch", async (t) => {
  const { mount, store, log } = await historyFixture(t);
  await mount.write("/lock.tmp", "held");
  const node = await mount.node("/lock.tmp");
  const root = { slot: 0, number: 1 };
  await mount.mount.link(mount.caller, node, root, Buffer.from("lock"));
  t.same(await log("/lock"), ["created"]);
  await mount.write("/lock.tmp", "changed");
  t.same(await log("/lock"), ["modified", "created"]);
  await mount.unlink("/lock.tmp");
  t.same(await log("/lock"), ["modified", "created"], "the path stays");
  t.equal(store.memoryAt(Buffer.from("/lock")).headN, 2);
});

t.test("a memory whose last normal name goes leaves a scratch file", async (t) => {
  const { mount, store, log } = await historyFixture(t);
  await mount.write("/f", "text");
  const node = await mount.node("/f");
  await mount.mount.link(mount.caller, node, { slot: 0, number: 1 }, Buffer.from("f~"));
  await mount.unlink("/f");
  t.same(await log("/f"), ["deleted", "created"]);
  t.equal(await mount.read("/f~"), "text");
  t.match(store.usage(), { memories: 0, liveBytes: 4 });
});

t.test("a directory that becomes scratch takes its memories out of history, and back", async (t) => {
  const { mount, store, paths, log } = await historyFixture(t);
  await mount.mkdir("/d");
  await mount.mkdir("/d/sub");
  await mount.write("/d/sub/a", "1");
  await mount.write("/d/b.tmp", "2");
  await mount.rename("/d", "/d.tmp");
  t.same(await paths(), []);
  t.same(await log("/d/sub/a"), ["deleted", "created"]);
  t.equal(await mount.read("/d.tmp/sub/a"), "1");
  const gone = store.past.at(store.usage().headSeq);
  t.equal(await gone.find("/d.tmp"), null);
  t.equal(await gone.find("/d"), null);
  await mount.rename("/d.tmp", "/e");
  t.same(await paths(), ["/e/sub/a"]);
  const back = store.past.at(store.usage().headSeq);
  t.ok(await back.find("/e/sub/a"));
  t.equal(await back.find("/e/b.tmp"), null);
});

t.test("where a directory is decides for what is made in it later", async (t) => {
  const { mount, paths } = await historyFixture(t);
  await mount.mkdir("/x");
  await mount.mkdir("/x/y");
  await mount.write("/x/y/1", "1");
  await mount.rename("/x", "/node_modules");
  await mount.write("/node_modules/y/2", "2");
  await mount.rename("/node_modules", "/z");
  await mount.write("/z/y/3", "3");
  t.same(await paths(), ["/z/y/1", "/z/y/2", "/z/y/3"]);
});

t.test("the policy's patterns count for what is made from then on", async (t) => {
  const { mount, store, catalogue, paths } = await historyFixture(t);
  await mount.write("/old.o", "1");
  await mount.write("/old.tmp", "1");
  await catalogue.setPolicy(store.info.id, { scratch: ["*.o", "/build/"] }, OPERATOR);
  await mount.write("/new.o", "1");
  await mount.write("/new.tmp", "1");
  await mount.mkdir("/build");
  await mount.write("/build/x", "1");
  await mount.append("/old.o", "2");
  await mount.append("/old.tmp", "2");
  t.same(await paths(), ["/new.tmp", "/old.o"], "what was made before stays what it was");
  await t.rejects(catalogue.setPolicy(store.info.id, { scratch: ["a\nb"] }, OPERATOR), { code: "invalid_argument" });
});

t.test("symbolic links and directories come into history with a rename, and leave it", async (t) => {
  const { mount, store } = await historyFixture(t);
  const root = { slot: 0, number: 1 };
  await mount.mount.symlink(mount.caller, root, Buffer.from(".tmp-1"), Buffer.from("there"));
  await mount.rename("/.tmp-1", "/link");
  const made = store.past.at(store.usage().headSeq);
  t.match(await made.find("/link"), { target: "there" });
  await mount.rename("/link", "/link~");
  const gone = store.past.at(store.usage().headSeq);
  t.equal(await gone.find("/link"), null);
  t.equal(await gone.find("/link~"), null);
});

t.test("looking back, a directory that was scratch for a while holds what it holds, by every name", async (t) => {
  const { mount, store } = await historyFixture(t);
  const { mount: fs, caller } = mount;
  const root = { slot: 0, number: 1 };
  await mount.mkdir("/d");
  const directory = await mount.node("/d");
  await fs.symlink(caller, root, Buffer.from("link"), Buffer.from("there"));
  await fs.symlink(caller, directory, Buffer.from("old"), Buffer.from("gone"));
  await mount.rename("/d", "/d~");
  await fs.link(caller, await mount.node("/link"), directory, Buffer.from("also"));
  await mount.unlink("/d~/old");
  await mount.rename("/d~", "/e");
  await mount.unlink("/link");
  const now = store.past.at(store.usage().headSeq);
  t.match(await now.find("/e/also"), { target: "there" });
  t.equal(await now.find("/e/old"), null, "what went meanwhile does not come back");
  t.equal(await now.find("/link"), null);
});

t.test("what takes the name of a removed file in a directory that moved stays in the past", async (t) => {
  const { mount, store } = await historyFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/f", "text");
  await mount.unlink("/d/f");
  await mount.rename("/d", "/e");
  await mount.mount.symlink(mount.caller, await mount.node("/e"), Buffer.from("f"), Buffer.from("there"));
  store.settling.recordAll();
  t.match(await store.past.at(store.usage().headSeq).find("/e/f"), { target: "there" });
});

t.test(
  "a memory that goes on at its path, in another directory, leaves no name in the one that moved away",
  async (t) => {
    const { mount, store, idOf } = await historyFixture(t);
    await mount.mkdir("/d");
    await mount.write("/d/f", "text");
    const memory = idOf("/d/f");
    await mount.unlink("/d/f");
    await mount.rename("/d", "/e");
    await mount.mkdir("/d");
    await mount.write("/d/f", "text and more");
    t.equal(idOf("/d/f"), memory, "it goes on");
    store.settling.recordAll();
    const now = store.past.at(store.usage().headSeq);
    t.equal(await now.find("/e/f"), null);
    t.not(await now.find("/d/f"), null);
    t.strictSame(await store.check(), []);
  },
);
