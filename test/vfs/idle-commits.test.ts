/** A file that stays open is committed by time. */

import { mock } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import t, { type Test } from "tap";
import { historyFixture, type HistoryFixture } from "../fixtures/history.ts";
import { FullKv } from "../fixtures/kv-full.ts";
import { OPERATOR, type TestClock } from "../fixtures/store.ts";
import { mountedFixture, O_APPEND, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY } from "../fixtures/vfs.ts";

/** Timers that the test moves on: they are what the daemon waits with, the clock is what it looks at. */
function timers(t: Test, clock: TestClock): { pass(seconds: number): Promise<void> } {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  return {
    pass: async (seconds) => {
      clock.pass(seconds);
      mock.timers.tick(seconds * 1000);
      // What a timer began sets the next one when it is done.
      for (let turn = 0; turn < 20; turn++) await nextTurn();
    },
  };
}

/** Polls without the timers that the test has stopped. */
async function soon(condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("it did not happen within 5 s");
    await nextTurn();
  }
}

const head = async ({ other }: HistoryFixture, path: string): Promise<string> => (await other()).read(path);

t.test("half a minute after the first write, what was written is a version", async (t) => {
  const fixture = await historyFixture(t);
  const { mount, clock, log } = fixture;
  const { pass } = timers(t, clock);
  await mount.write("/f", "old\n");
  const file = await mount.open("/f", O_WRONLY | O_APPEND);
  await mount.put(file, "a\n");
  await pass(20);
  await mount.put(file, "b\n");
  await pass(9);
  t.strictSame(await log("/f"), ["created"], "not before");
  await pass(2);
  await soon(async () => (await log("/f")).length === 2);
  t.equal(await head(fixture, "/f"), "old\na\nb\n", "and others see it");
  await mount.put(file, "c\n");
  await mount.close(file);
  t.strictSame(await log("/f"), ["modified", "modified", "created"], "the file goes on as before");
  t.equal(await head(fixture, "/f"), "old\na\nb\nc\n");
});

t.test("each draft has its own half minute", async (t) => {
  const { mount, clock, log } = await historyFixture(t);
  const { pass } = timers(t, clock);
  const first = await mount.open("/first", O_WRONLY);
  await mount.put(first, "1");
  await pass(15);
  const second = await mount.open("/second", O_WRONLY);
  await mount.put(second, "2");
  await pass(16);
  await soon(async () => (await log("/first")).length === 1);
  t.strictSame(await log("/second"), []);
  await pass(13);
  t.strictSame(await log("/second"), []);
  await pass(2);
  await soon(async () => (await log("/second")).length === 1);
  await mount.close(first);
  await mount.close(second);
  t.strictSame([await log("/first"), await log("/second")], [["created"], ["created"]]);
});

t.test("a file that was only truncated, or only made, is committed too", async (t) => {
  const { mount, clock, log } = await historyFixture(t);
  const { pass } = timers(t, clock);
  await mount.write("/truncated", "old\n");
  const files = [
    await mount.open("/truncated", O_WRONLY | O_TRUNC),
    await mount.open("/made", O_WRONLY),
    await mount.open("/exclusive", O_WRONLY | O_EXCL),
  ];
  await pass(31);
  await soon(async () => (await log("/exclusive")).length === 1);
  t.strictSame(await log("/truncated"), ["modified", "created"]);
  t.strictSame(await log("/made"), ["created"]);
  for (const file of files) await mount.close(file);
  t.strictSame(await log("/truncated"), ["modified", "created"], "closing it makes no second one");
});

t.test("who wrote stands in the version", async (t) => {
  const { mount, clock, store, idOf, log } = await historyFixture(t);
  const { pass } = timers(t, clock);
  const file = await mount.open("/f", O_WRONLY);
  await mount.put(file, "x");
  await pass(31);
  await soon(async () => (await log("/f")).length === 1);
  const { items } = await store.history.list({ memoryId: idOf("/f"), limit: 1 });
  t.match(items[0], { actor: { type: "session", agent: "scout" }, evidence: { pid: process.pid } });
  await mount.close(file);
});

t.test("a file without a name stays a draft, and its bytes stay", async (t) => {
  const { mount, clock, store } = await historyFixture(t);
  const { pass } = timers(t, clock);
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "kept");
  await mount.unlink("/f");
  const before = store.usage().versions;
  await pass(31);
  await pass(31);
  t.equal((await mount.bytes(file, 0, 10)).toString(), "kept");
  t.equal(store.usage().versions, before);
  await mount.close(file);
});

t.test("what could not be stored is tried again half a minute later", async (t) => {
  const kv = new FullKv();
  const { mount, clock, store } = await mountedFixture(t, kv);
  const { pass } = timers(t, clock);
  await mount.write("/f", "old");
  const file = await mount.open("/f", O_WRONLY);
  await mount.put(file, "new");
  kv.full = true;
  const errors = async (): Promise<string> => mount.read("/.memfs/errors");
  await pass(31);
  await soon(async () => (await errors()).includes("commit"));
  t.equal((await errors()).trimEnd().split("\n").length, 1, "once");
  kv.full = false;
  await pass(25);
  t.equal(store.usage().versions, 1);
  await pass(6);
  await soon(() => store.usage().versions === 2);
  await mount.close(file);
  t.equal(store.usage().versions, 2);
});

t.test("many drafts at once", async (t) => {
  const { mount, clock, store } = await historyFixture(t);
  const { pass } = timers(t, clock);
  const files = [];
  for (let n = 0; n < 500; n++) files.push(await mount.open(`/f${n}`, O_WRONLY));
  for (const file of files) await mount.put(file, "x");
  await pass(31);
  await soon(() => store.usage().versions === 500);
  for (const file of files) await mount.close(file);
  t.equal(store.usage().versions, 500);
});

t.test("after an fsync the half minute begins with the next write", async (t) => {
  const { mount, clock, store } = await historyFixture(t);
  const { pass } = timers(t, clock);
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "a");
  await mount.fsync(file);
  for (let minute = 0; minute < 3; minute++) {
    await pass(29);
    await mount.put(file, "b", 1 + minute);
    await pass(29);
    t.equal(store.usage().versions, 1 + minute);
    await pass(2);
    await soon(() => store.usage().versions === 2 + minute);
  }
  await mount.close(file);
  t.equal(store.usage().versions, 4);
  t.equal(await mount.read("/f"), "abbb");
});

t.test("what was refused as a conflict is not tried again by time, but by the close", async (t) => {
  const { mount, other, clock, store, catalogue } = await historyFixture(t);
  const { pass } = timers(t, clock);
  await catalogue.setPolicy(store.info.id, { onConflict: "refuse" }, OPERATOR);
  await mount.write("/f", "old\n");
  const file = await mount.open("/f", O_WRONLY | O_TRUNC);
  await mount.put(file, "mine\n");
  await (await other()).write("/f", "theirs\n");
  const errors = async (): Promise<unknown[]> => {
    const lines = (await mount.read("/.memfs/errors")).split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as unknown);
  };
  await pass(31);
  await soon(async () => (await errors()).length > 0);
  const [refusal] = await errors();
  for (let count = 0; count < 3; count++) await pass(31);
  t.strictSame(await errors(), [refusal], "once");
  await t.rejects(mount.flush(file), { code: "conflict" });
  await mount.truncate(file, 0);
  await mount.put(file, "theirs\n");
  await mount.close(file);
});
