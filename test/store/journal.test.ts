/** The journal's chain: nothing that is stored can be altered, dropped or put in without `verify` naming the entry. */
import t, { type Test } from "tap";
import { setAttributes } from "../../lib/store/tree/entries.ts";
import { hex, sha256 } from "../../lib/store/content/hash.ts";
import { decodeJournalEntry, encodeJournalEntry, type Made, type NewEntry } from "../../lib/store/journal.ts";
import { journalKey } from "../../lib/store/records/keys.ts";
import { OPERATOR, overwrite, spaceOf, stored, storeFixture, type StoreFixture } from "../fixtures/store.ts";
import { SCOUT, StoreFiles } from "../fixtures/store-files.ts";

const MADE: Made = {
  sizeBefore: 0,
  mode: 0o100644,
  mtime: { sec: -1, nsec: 999_999_999 },
  evidence: { uid: 0, pid: 4711, program: "sh" },
  parents: ["p".repeat(16)],
  note: "why",
  handle: 3,
};

const ENTRY: NewEntry = {
  seq: 7,
  at: 1_700_000_000_000_000,
  kind: "memory.modified",
  actor: SCOUT,
  memory: "m".repeat(16),
  version: { id: "v".repeat(16), n: 2, previous: 5 },
  prev: "p".repeat(32),
  erasable: { path: "/f\xff", hash: "h".repeat(32), size: 300, detail: { from: "/ä" }, made: MADE },
  salt: "s".repeat(16),
};

t.test("an entry is read as it was written, with any of its parts missing", async (t) => {
  const { erasable } = ENTRY;
  const bare: Made = { ...MADE, sizeBefore: null, evidence: null, parents: [], note: null, handle: 0 };
  const parts = [erasable, {}, { path: "" }, { size: 0 }, { hash: erasable.hash }, { detail: {} }, { made: bare }];
  for (const part of parts) {
    const { bytes, hash } = encodeJournalEntry({ ...ENTRY, erasable: part });
    const read = decodeJournalEntry(Buffer.from(bytes));
    t.match(read, { seq: 7, at: ENTRY.at, kind: ENTRY.kind, actor: SCOUT, prev: ENTRY.prev, hash, intact: true });
    t.strictSame(read.erasable, part);
    t.strictSame(read.version, ENTRY.version);
  }
  t.equal(decodeJournalEntry(encodeJournalEntry({ ...ENTRY, version: null }).bytes).version, null);
});

t.test("the hash commits to the erasable part through the salt, and stays when that is erased", async (t) => {
  const { bytes, hash } = encodeJournalEntry(ENTRY);
  const whole = Buffer.from(bytes);
  const length = fixedLength(whole, hash);
  t.ok(length > 0, "the hash is the one of the fixed part");
  t.not(encodeJournalEntry({ ...ENTRY, salt: "t".repeat(16) }).hash, hash, "the salt is committed to");
  t.not(encodeJournalEntry({ ...ENTRY, erasable: { ...ENTRY.erasable, size: 301 } }).hash, hash);
  t.notOk(whole.subarray(0, length).includes("/f"), "the fixed part says nothing of the path");
  t.match(decodeJournalEntry(whole.subarray(0, length)), { hash, erasable: null, intact: true });
  for (let at = length; at < whole.length; at++) {
    const altered = Buffer.from(whole);
    altered[at] = (altered[at] ?? 0) ^ 1;
    if (decodeJournalEntry(altered).intact) t.fail(`byte ${at} of the erasable part can be altered`);
  }
});

/** Bytes that the hash covers. */
function fixedLength(entry: Buffer, hash: string): number {
  for (let length = 1; length <= entry.length; length++) {
    if (sha256(entry.subarray(0, length)) === hash) return length;
  }
  return 0;
}

/** A store with an entry of each kind that a session makes. */
async function lived(t: Test): Promise<StoreFixture> {
  const fixture = await storeFixture(t);
  const files = new StoreFiles(fixture.store);
  files.write("/a", "one");
  files.write("/a", "two");
  files.mkdir("/d");
  await files.rename("/a", "/d/b");
  fixture.store.update({ actor: SCOUT }, (tx) => setAttributes(tx, files.node("/d/b"), { permissions: 0o600 }));
  files.link("/d/b", "/c");
  files.write("/tmp", "three");
  await files.rename("/tmp", "/d/b", { folds: true });
  files.unlink("/d/b");
  fixture.store.record("mount.detached", {}, { actor: OPERATOR });
  return fixture;
}

/** Calls `look` with every byte of the value altered in turn, in place; the value is whole again afterwards. */
async function alterEachByte(value: Buffer, look: (at: number) => Promise<void>): Promise<void> {
  for (let at = 0; at < value.length; at++) {
    const byte = value[at] ?? 0;
    value[at] = byte ^ (1 << (at % 8));
    await look(at);
    value[at] = byte;
  }
}

t.test("verify walks every entry and ends at the head that the counters hold", async (t) => {
  const { store, kv } = await lived(t);
  const entries = await stored(kv, "j");
  const report = await store.verify();
  t.match(report, { ok: true, entries: entries.length, erased: 0, problem: null });
  t.equal(store.usage().headSeq, entries.length);
  const heads = entries.map(({ value }) => hex(decodeJournalEntry(value).hash));
  t.equal(report.head, heads.at(-1));
  for (const head of heads) t.equal((await store.verify({ head })).ok, true, "a head noted earlier is in the chain");
  t.match(await store.verify({ head: "0".repeat(64) }), { ok: false, problem: /no entry has the hash 0000/ });
});

t.test("one altered byte of any journal entry is found and named", async (t) => {
  const { store, kv } = await lived(t);
  const entries = await stored(kv, "j");
  for (const [index, { value }] of entries.entries()) {
    // The chain breaks where the entry is, or where the next one does not follow from it.
    const named = new RegExp(`\\bentr(y|ies) (${index + 1}|${index + 2})\\b`);
    const missed: number[] = [];
    await alterEachByte(value, async (at) => {
      const { ok, problem } = await store.verify();
      if (ok || !named.test(problem ?? "")) missed.push(at);
    });
    t.strictSame(missed, [], `entry ${index + 1}, ${decodeJournalEntry(value).kind}`);
  }
  t.equal((await store.verify()).ok, true, "and all is as it was");
});

t.test("one altered byte of any content is found, and the entry named that made it", async (t) => {
  const { store, kv } = await lived(t);
  for (const { value } of await stored(kv, "c")) {
    await alterEachByte(value, async (at) => {
      const { ok, problem } = await store.verify();
      if (ok && at > 0) t.fail(`byte ${at}`);
      if (!ok) t.match(problem, /^entry \d+: /);
    });
  }
});

t.test("an entry or content that is missing is found, and an entry put in", async (t) => {
  const { store, kv } = await lived(t);
  for (const kind of ["j", "c"]) {
    for (const { key, value } of await stored(kv, kind)) {
      const kept = Buffer.from(value);
      overwrite(kv, key, null);
      const { ok, problem } = await store.verify();
      t.equal(ok, false, `${kind}: ${problem}`);
      overwrite(kv, key, kept);
    }
  }
  const [first, second] = await stored(kv, "j");
  if (first === undefined || second === undefined) throw new Error("no entries");
  const kept = Buffer.from(second.value);
  overwrite(kv, second.key, first.value);
  t.match(await store.verify(), { ok: false, problem: "entry 2 is missing" });
  overwrite(kv, second.key, kept);
  t.equal((await store.verify()).ok, true);
});

t.test("an erased part passes, and is counted", async (t) => {
  const { store, kv } = await lived(t);
  const entries = await stored(kv, "j");
  for (const [index, { key, value }] of entries.entries()) {
    const whole = Buffer.from(value);
    overwrite(kv, key, whole.subarray(0, fixedLength(whole, decodeJournalEntry(whole).hash)));
    t.match(await store.verify(), { ok: true, erased: index + 1 });
  }
});

t.test("a journal that is cut with its counters is told by a head that was noted", async (t) => {
  const { store, kv, reopen } = await lived(t);
  const before = await stored(kv, "k");
  const counters = Buffer.from(before[0]?.value ?? "");
  store.record("mount.attached", {}, { actor: OPERATOR });
  const { head } = await store.verify();
  const last = journalKey(store.usage().headSeq);
  const [entry, now] = [spaceOf(kv).get(last), (await stored(kv, "k"))[0]];
  if (entry === undefined || now === undefined) throw new Error("no entry");
  const kept = [Buffer.from(entry), Buffer.from(now.value)] as const;
  overwrite(kv, last, null);
  overwrite(kv, now.key, counters);
  const cut = await reopen();
  t.equal((await cut.store.verify()).ok, true, "by itself it looks whole");
  t.match(await cut.store.verify({ head }), { ok: false, problem: /replaced or cut/ });
  overwrite(kv, last, kept[0]);
  overwrite(kv, now.key, kept[1]);
});

t.test("a version that lists lost is found by the check", async (t) => {
  const { store, kv } = await lived(t);
  for (const { key, value } of await stored(kv, "v")) {
    overwrite(kv, key, null);
    t.match(await store.check(), [/^version \d of mem_\w+: is not listed$/, /counter of versions/]);
    overwrite(kv, key, value);
  }
});
