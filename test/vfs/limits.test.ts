/** A store's limits: refused at the write, with nothing changed and everything else going on. */
import t, { type Test } from "tap";
import type { Policy } from "../../lib/store/types.ts";
import { OPERATOR } from "../fixtures/store.ts";
import { mountedFixture, type MountedFixture, O_APPEND, O_RDWR, O_TRUNC, O_WRONLY } from "../fixtures/vfs.ts";

async function limited(t: Test, policy: Partial<Policy>): Promise<MountedFixture> {
  const fixture = await mountedFixture(t);
  await fixture.catalogue.setPolicy(fixture.store.info.id, policy, OPERATOR);
  return fixture;
}

const TOO_BIG = { code: "file_too_big" };
const FULL = { code: "quota_exceeded" };
const x = (length: number): string => "x".repeat(length);

t.test("a file that grows over max_memory_bytes in several writes is refused at the one too many", async (t) => {
  const { mount, store } = await limited(t, { maxMemoryBytes: 1000 });
  const file = await mount.open("/f", O_WRONLY);
  await mount.put(file, x(400));
  await mount.put(file, x(400), 400);
  await t.rejects(mount.put(file, x(400), 800), TOO_BIG);
  await t.rejects(mount.put(file, "y", 1000), TOO_BIG, "also one byte behind the end, far away or not");
  await t.rejects(mount.put(file, "y", 1e9), TOO_BIG);
  t.equal((await mount.stat("/f")).size, 800, "what was written before stays");
  await mount.put(file, "end", 797);
  await mount.close(file);
  t.equal(await mount.read("/f"), `${x(797)}end`);
  t.match(store.usage(), { liveBytes: 800, versions: 1 });
});

t.test("a file may have exactly max_memory_bytes, and can be changed in place then", async (t) => {
  const { mount } = await limited(t, { maxMemoryBytes: 1000 });
  await mount.write("/f", x(1000));
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "new", 500);
  await mount.close(file);
  t.equal(await mount.read("/f"), `${x(500)}new${x(497)}`);
  await t.rejects(mount.append("/f", "y"), TOO_BIG);
  await t.rejects(mount.write("/g", x(1001)), TOO_BIG);
  t.equal((await mount.stat("/f")).size, 1000);
});

t.test("truncate cannot make a file longer than allowed, and changes nothing then", async (t) => {
  const { mount, store } = await limited(t, { maxMemoryBytes: 1000, maxLiveBytes: 1500 });
  await mount.write("/f", "one");
  await mount.write("/g", x(900));
  const usage = store.usage();
  const truncate = async (size: number): Promise<unknown> =>
    mount.mount.setattr(mount.caller, await mount.node("/f"), null, { size });
  await t.rejects(truncate(1001), TOO_BIG);
  await t.rejects(truncate(601), FULL);
  t.strictSame(store.usage(), usage);
  t.equal(await mount.read("/f"), "one");
  await truncate(600);
  t.match(store.usage(), { liveBytes: 1500 });
  await truncate(0);
  t.equal(await mount.read("/f"), "");
});

t.test("max_live_bytes is over all files, and what is removed or shortened makes room", async (t) => {
  const { mount, store } = await limited(t, { maxLiveBytes: 1000 });
  await mount.write("/a", x(600));
  await mount.write("/b", x(400));
  await t.rejects(mount.append("/a", "y"), FULL);
  await t.rejects(mount.write("/c", "y"), FULL);
  t.equal(await mount.read("/a"), x(600));
  await mount.write("/b", x(399));
  await mount.append("/a", "y");
  t.equal(store.usage().liveBytes, 1000);
  await mount.unlink("/a");
  await mount.write("/d", x(601));
  t.equal(store.usage().liveBytes, 1000);
});

t.test("one file cannot get past max_live_bytes by many small writes before it is closed", async (t) => {
  const { mount, store } = await limited(t, { maxLiveBytes: 1000 });
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  for (let at = 0; at < 1000; at += 100) await mount.put(file, x(100), at);
  await t.rejects(mount.put(file, "y", 1000), FULL);
  await mount.close(file);
  t.equal(store.usage().liveBytes, 1000);
  const again = await mount.open("/f", O_WRONLY | O_TRUNC);
  for (let at = 0; at < 1000; at += 100) await mount.put(again, x(100), at);
  await t.rejects(mount.put(again, "y", 1000), FULL, "what it replaces is not counted twice");
  await mount.close(again);
});

t.test("max_memories refuses one more file and leaves no name behind; directories and links go on", async (t) => {
  const { mount, store } = await limited(t, { maxMemories: 2 });
  await mount.write("/a", "1");
  await mount.write("/b", "2");
  await t.rejects(mount.open("/c", O_WRONLY), FULL);
  t.equal(await mount.find("/c"), null);
  const root = await mount.node("/");
  await t.rejects(async () => mount.mount.mknod(mount.caller, root, Buffer.from("n"), 0o100644, 0), FULL);
  t.strictSame((await mount.list("/")).sort(), ["a", "b"]);
  await mount.mkdir("/d");
  await mount.mount.symlink(mount.caller, root, Buffer.from("s"), Buffer.from("a"));
  await mount.mount.link(mount.caller, await mount.node("/a"), root, Buffer.from("l"));
  await mount.write("/a", "changed");
  t.equal(store.usage().memories, 2);
  await mount.unlink("/b");
  await mount.write("/c", "3");
  t.equal(store.usage().memories, 2);
});

t.test("max_history_bytes refuses what makes a file longer, and lets it be shortened", async (t) => {
  const { mount, store } = await limited(t, { maxHistoryBytes: 500 });
  await mount.write("/f", x(600));
  t.ok(store.usage().historyBytes >= 500);
  await t.rejects(mount.append("/f", "y"), FULL);
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "same length", 0);
  await mount.close(file);
  t.equal((await mount.stat("/f")).size, 600);
});

t.test("a limit that is set below what is there stops growth only", async (t) => {
  const { mount, catalogue, store } = await limited(t, {});
  await mount.write("/f", x(500));
  const policy = { maxMemoryBytes: 10, maxLiveBytes: 10, maxMemories: 0 };
  await catalogue.setPolicy(store.info.id, policy, OPERATOR);
  t.equal(await mount.read("/f"), x(500));
  await t.rejects(mount.append("/f", "y"), TOO_BIG);
  await mount.mount.setattr(mount.caller, await mount.node("/f"), null, { size: 400 });
  const file = await mount.open("/f", O_WRONLY | O_TRUNC);
  await t.rejects(mount.put(file, x(11)), TOO_BIG, "also where it was longer before");
  await mount.put(file, "short");
  await mount.close(file);
  await mount.rename("/f", "/g");
  t.match(await mount.mount.statfs(mount.caller, await mount.node("/")), { blocksFree: 0, files: 0, filesFree: 0 });
  await mount.unlink("/g");
});

t.test("statfs shows the limits and what is left", async (t) => {
  const { mount } = await limited(t, { maxLiveBytes: 40_960, maxMemories: 10 });
  await mount.write("/f", x(5000));
  t.match(await mount.mount.statfs(mount.caller, await mount.node("/")), {
    blockSize: 4096,
    blocks: 10,
    blocksFree: 8,
    files: 10,
    filesFree: 9,
    nameMax: 255,
  });
});
