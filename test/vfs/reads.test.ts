/** Which versions a session has read is in the journal. */
import t, { type Test } from "tap";
import { silentLog } from "../../lib/log.ts";
import { S_IFREG } from "../../lib/store/tree/mode.ts";
import type { Store } from "../../lib/store/store.ts";
import type { ListReads, ReadInfo } from "../../lib/store/types.ts";
import { SessionReads } from "../../lib/vfs/session-reads.ts";
import { until } from "../fixtures/fuse.ts";
import { OPERATOR } from "../fixtures/store.ts";
import { mountedFixture, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, type TestMount } from "../fixtures/vfs.ts";

async function reads(store: Store, options: Partial<ListReads> = {}): Promise<readonly ReadInfo[]> {
  return (await store.reads.list({ limit: 100, ...options })).items;
}

/** `s-1 /f@2`, the newest first. */
async function told(store: Store, options: Partial<ListReads> = {}): Promise<string[]> {
  const found = await reads(store, options);
  return found.map(({ sessionId, version }) => `${sessionId} ${version.path?.toString() ?? ""}@${version.n}`);
}

async function openAndClose(mount: TestMount, path: string, flags: number): Promise<void> {
  await mount.close(await mount.open(path, flags));
}

async function versionOf(store: Store, path: string): Promise<string> {
  const [newest] = (await store.history.list({ path: Buffer.from(path), limit: 1 })).items;
  return newest?.id ?? "";
}

t.test("the first open of a version by a session is told once, through whichever of its mounts", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const [reader, again, third] = [await other(), await other({ access: "ro" }), await other({ session: "s-3" })];
  await mount.write("/f", "one");
  for (const one of [reader, reader, again, third]) await one.read("/f");
  await mount.read("/f");
  t.strictSame((await told(store)).sort(), ["s-2 /f@1", "s-3 /f@1"], "and not that of its author");
  await mount.write("/f", "two");
  for (const one of [again, reader]) await one.read("/f");
  t.strictSame(await told(store, { sessionId: "s-2" }), ["s-2 /f@2", "s-2 /f@1"]);
  const [newest] = await reads(store, { sessionId: "s-2" });
  t.match(newest, { agent: "other", version: { id: await versionOf(store, "/f"), n: 2 } });
});

t.test("what a session read stands before what it wrote then", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const [writer, third] = [await other(), await other({ session: "s-3" })];
  for (const path of ["/a", "/b", "/c"]) await mount.write(path, "of s-1");
  await writer.read("/a");
  await writer.write("/d", "after a");
  await third.read("/b");
  await writer.read("/c");
  const file = await writer.open("/e", O_WRONLY);
  await writer.put(file, "written before b was read, closed after");
  await writer.read("/b");
  await writer.close(file);
  await writer.read("/a");
  await mount.write("/a", "new");
  await writer.read("/a");

  t.strictSame(await told(store, { before: await versionOf(store, "/d") }), ["s-2 /a@1"]);
  t.strictSame(await told(store, { before: await versionOf(store, "/e") }), ["s-2 /b@1", "s-2 /c@1", "s-2 /a@1"]);
  t.strictSame((await told(store, { versionId: await versionOf(store, "/b") })).sort(), ["s-2 /b@1", "s-3 /b@1"]);
  await writer.write("/late", "of s-2");
  t.strictSame(await told(store, { before: await versionOf(store, "/late"), sessionId: "s-3" }), ["s-3 /b@1"]);
  const [latest] = await reads(store, { versionId: await versionOf(store, "/a") });
  t.strictSame(await told(store, { memoryId: latest?.version.memoryId ?? "" }), ["s-2 /a@2", "s-2 /a@1"]);
  const [version] = (await store.history.list({ path: Buffer.from("/e"), limit: 1 })).items;
  t.ok((await reads(store, { before: version?.id ?? "" })).every(({ seq }) => seq < (version?.seq ?? 0)));
  t.equal((await store.verify()).problem, null);
});

t.test("reads of a second are one entry, and in no list of versions", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  for (let number = 0; number < 50; number++) await mount.write(`/f${number}`, "x");
  const reader = await other();
  const before = { versions: await store.history.list({ limit: 100 }), seq: store.usage().headSeq };
  for (let number = 0; number < 50; number++) await reader.read(`/f${number}`);
  t.equal(store.usage().headSeq, before.seq, "nothing yet");
  t.equal((await reads(store)).length, 50);
  t.equal(store.usage().headSeq, before.seq + 1);
  for (let number = 0; number < 50; number++) await reader.read(`/f${number}`);
  t.equal((await reads(store)).length, 50);
  t.equal(store.usage().headSeq, before.seq + 1, "nothing new was read");
  t.strictSame(await store.history.list({ limit: 100 }), before.versions);
  t.notMatch(await reader.read("/.memfs/log"), /read/);
  t.strictSame(await store.history.list({ sessionId: "s-2", limit: 5 }), { items: [], next: null });
});

t.test("after a second the entry is there, asked for or not", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  await (await other()).read("/f");
  const { headSeq } = store.usage();
  const start = performance.now();
  await until(() => store.usage().headSeq > headSeq);
  t.ok(performance.now() - start < 5000);
  t.equal(store.usage().headSeq, headSeq + 1);
});

t.test("an open that reads nothing that was committed is no read", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const reader = await other();
  await mount.write("/f", "one");
  await openAndClose(reader, "/f", O_WRONLY);
  const truncating = await reader.open("/f", O_RDWR | O_TRUNC);
  t.strictSame(await told(store), [], "written only, truncated");
  await openAndClose(reader, "/f", O_RDONLY);
  t.strictSame(await told(store), [], "its own bytes");
  await reader.close(truncating);
  await mount.write("/x.tmp", "scratch");
  await reader.read("/x.tmp");
  await mount.mkdir("/d");
  await reader.mount.mknod(reader.caller, await reader.node("/"), Buffer.from("g"), S_IFREG | 0o644, 0);
  await reader.list("/");
  await reader.stat("/f");
  t.strictSame(await told(store), [], "scratch, names, attributes");
  await mount.write("/h", "of another");
  await openAndClose(reader, "/h", O_RDWR);
  t.equal((await told(store)).length, 1, "open for both");
});

t.test("looking back is reading: in a mount of the past, in .memfs/at and .memfs/history", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  const first = store.usage().headSeq;
  await mount.write("/f", "two");
  await mount.write("/f", "three");
  const past = await other({ session: "s-past", at: first });
  await past.read("/f");
  const live = await other({ session: "s-live" });
  await live.read(`/.memfs/at/${first}/f`);
  await live.read("/.memfs/history/f/0002-modified-scout");
  t.strictSame((await told(store)).sort(), ["s-live /f@1", "s-live /f@2", "s-past /f@1"]);
  t.equal(await past.read("/f"), "one", "the entries change nothing of the past");
  await past.mount.detach();
  await live.mount.detach();
});

t.test("what is pending when a mount ends is told, and an archived store takes nothing", async (t) => {
  const { mount, other, store, catalogue } = await mountedFixture(t);
  await mount.write("/f", "one");
  const [first, second] = [await other(), await other({ session: "s-3" })];
  await first.read("/f");
  const { headSeq } = store.usage();
  await first.mount.detach();
  t.equal(store.usage().headSeq, headSeq + 1);
  await catalogue.archive(store.info.id, OPERATOR);
  await second.read("/f");
  const archived = store.usage().headSeq;
  t.strictSame(await told(store), ["s-2 /f@1"]);
  await second.mount.detach();
  t.equal(store.usage().headSeq, archived);
});

t.test("pages follow each other, and what is asked wrongly is refused", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const reader = await other();
  for (let number = 0; number < 10; number++) {
    await mount.write(`/f${number}`, "x");
    await reader.read(`/f${number}`);
    if (number % 4 === 3) await reader.write("/own", String(number));
  }
  const whole = await told(store, { sessionId: "s-2" });
  t.equal(whole.length, 10);
  for (const filters of [{ sessionId: "s-2" }, {}]) {
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.reads.list({ ...filters, limit: 3, cursor });
      paged.push(...page.items.map(({ sessionId, version }) => `${sessionId} ${version.path?.toString() ?? ""}@${version.n}`)); // prettier-ignore
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    t.strictSame(paged, whole);
  }
  await t.rejects(store.reads.list({ limit: 3, cursor: "bm9uZQ" }), { code: "invalid_argument" });
  const unknown = "memver_01AAAAAAAAAAAAAAAAAAAAAA";
  await t.rejects(store.reads.list({ limit: 3, before: unknown }), { code: "not_found" });
  await t.rejects(store.reads.list({ limit: 3, versionId: unknown }), { code: "not_found" });
  t.strictSame(await told(store, { sessionId: "nobody" }), []);
});

function fakeStore(record: (seqs: readonly number[]) => void): Store {
  return { reads: { record, isOwn: () => false } } as unknown as Store;
}

function sessionReads(t: Test, record: (seqs: readonly number[]) => void): SessionReads {
  const actor = { type: "session", sessionId: "s-1", agent: "scout" } as const;
  const session = new SessionReads({ store: fakeStore(record), log: silentLog, actor });
  t.teardown(() => session.close());
  return session;
}

t.test("a read that cannot be journalled waits, and harms nobody", async (t) => {
  let full = true;
  const journalled: number[] = [];
  const session = sessionReads(t, (seqs) => {
    if (full) throw new Error("no space");
    journalled.push(...seqs);
  });
  session.read(5);
  session.flush();
  t.ok(session.pending);
  full = false;
  session.read(6);
  session.read(5);
  await until(() => !session.pending);
  t.strictSame(journalled, [5, 6]);
});

t.test("memory is bounded however much is read: what is forgotten is told again", async (t) => {
  const journalled: number[] = [];
  const session = sessionReads(t, (seqs) => void journalled.push(...seqs));
  for (let round = 0; round < 2; round++) for (let seq = 1; seq <= 20_000; seq++) session.read(seq);
  session.flush();
  t.equal(journalled.length, 40_000);
  t.strictSame(new Set(journalled).size, 20_000);
});

t.test("whoever opens what was merged from others' changes reads these", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const writer = await other();
  await mount.write("/m", "one\ntwo\nthree\n");
  const file = await writer.open("/m", O_RDWR);
  await writer.put(file, "ONE");
  await mount.append("/m", "four\n");
  await writer.close(file);
  t.equal(await writer.read("/m"), "ONE\ntwo\nthree\nfour\n");
  t.strictSame(await told(store, { versionId: await versionOf(store, "/m") }), ["s-2 /m@3"]);
  await writer.write("/m", "all of it mine\n");
  await writer.read("/m");
  t.strictSame(await told(store, { versionId: await versionOf(store, "/m") }), []);
});

t.test("a program that keeps a file open reads what others commit meanwhile", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  const reader = await other();
  await mount.write("/f", "one");
  const file = await reader.open("/f", O_RDONLY);
  await mount.write("/f", "two");
  t.strictSame(await told(store), ["s-2 /f@1"]);
  t.equal((await reader.bytes(file, 0, 10)).toString(), "two");
  t.strictSame(await told(store), ["s-2 /f@2", "s-2 /f@1"]);
  await reader.close(file);
});
