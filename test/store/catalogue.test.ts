/** The catalogue: which stores there are, under which names, and what is left of them. */
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createIdSource } from "../../lib/id.ts";
import type { Kv } from "../../lib/kv/kv.ts";
import { openMemoryKv } from "../../lib/kv/memory.ts";
import { silentLog } from "../../lib/log.ts";
import { Catalogue } from "../../lib/store/catalogue.ts";
import { Keyring } from "../../lib/store/crypto/keyring.ts";
import { DEFAULT_POLICY } from "../../lib/store/policy.ts";
import type { Policy } from "../../lib/store/types.ts";
import { scratchDir } from "../fixtures/kv.ts";
import { OPERATOR, TestClock } from "../fixtures/store.ts";
import { StoreFiles } from "../fixtures/store-files.ts";

interface Fixture {
  readonly dir: string;
  readonly kv: Kv;
  readonly clock: TestClock;
  open(): Promise<Catalogue>;
}

function fixture(t: Test): Fixture {
  const dir = scratchDir(t);
  const kv = openMemoryKv();
  const clock = new TestClock();
  const open = async (): Promise<Catalogue> =>
    Catalogue.open({ kv, keyring: await Keyring.open({ dir, log: silentLog }), clock, ids: createIdSource(clock) });
  return { dir, kv, clock, open };
}

t.test("stores are found by id, name and slug, also by the next daemon", async (t) => {
  const { open } = fixture(t);
  const first = await open();
  t.strictSame(first.list(), []);
  const metadata = { team: "blue" };
  const notes = await first.create({ name: "Team Notes!", description: "What we know", metadata }, OPERATOR);
  const plain = await first.create({ name: "plain", encrypt: false }, OPERATOR);
  t.match(notes, { id: /^memstore_01/, slug: "team-notes", description: "What we know", metadata, encrypted: true });
  t.match(plain, { slug: "plain", description: "", metadata: {}, encrypted: false, archivedAt: null });
  for (const catalogue of [first, await open()]) {
    for (const name of [notes.id, "Team Notes!", "team-notes"]) t.strictSame(catalogue.find(name), notes, name);
    t.strictSame(catalogue.list(), [plain, notes], "newest first");
    t.throws(() => catalogue.find("team notes!"), { code: "not_found" });
    t.throws(() => catalogue.find(notes.id.replace("01", "02")), { code: "not_found" });
  }
});

t.test("names need not be unique: then only the id tells, while directory names differ", async (t) => {
  const { open } = fixture(t);
  const catalogue = await open();
  const made = [];
  for (const name of ["notes", "notes", "Notes", "🏔", "--", "x".repeat(255)]) {
    made.push(await catalogue.create({ name }, OPERATOR));
  }
  const slugs = made.map(({ slug }) => slug);
  t.strictSame(slugs, ["notes", "notes-2", "notes-3", "store", "store-2", "x".repeat(200)]);
  const ids = made.map(({ id }) => id);
  t.throws(() => catalogue.find("notes"), { code: "ambiguous", message: new RegExp(`${ids[1]}, ${ids[0]}`) });
  t.equal(catalogue.find("notes-2").id, ids[1]);
  t.equal(catalogue.find("Notes").id, ids[2], "a name that is unique goes before a slug");
  for (const id of ids) t.equal(catalogue.find(id).id, id);
});

t.test("what a store may not be called is refused before anything is made", async (t) => {
  const { open, dir } = fixture(t);
  const catalogue = await open();
  const keys = readdirSync(join(dir, "keys"));
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, ""]));
  const bad = [
    { name: "" },
    { name: "x".repeat(256) },
    { name: "two\nlines" },
    { name: "ok", description: "x".repeat(1025) },
    { name: "ok", metadata: many },
    { name: "ok", metadata: { ["k".repeat(65)]: "" } },
    { name: "ok", metadata: { key: "x".repeat(513) } },
  ];
  for (const input of bad) await t.rejects(catalogue.create(input, OPERATOR), { code: "invalid_argument" });
  t.strictSame(catalogue.list(), []);
  t.strictSame(readdirSync(join(dir, "keys")), keys, "also no key");
});

t.test("a change names what changes; metadata is merged, and null takes a key away", async (t) => {
  const { open, clock } = fixture(t);
  const catalogue = await open();
  const { id, updatedAt } = await catalogue.create({ name: "notes", metadata: { a: "1", b: "2" } }, OPERATOR);
  clock.pass(5);
  const changed = await catalogue.update(id, { name: "renamed", metadata: { a: null, c: "3" } }, OPERATOR);
  t.match(changed, { name: "renamed", slug: "notes", description: "" });
  t.strictSame(changed.metadata, { b: "2", c: "3" });
  t.ok(changed.updatedAt > updatedAt);
  t.strictSame((await catalogue.update(id, { description: "new" }, OPERATOR)).metadata, { b: "2", c: "3" });
  const full = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`k${index}`, ""]));
  await t.rejects(catalogue.update(id, { metadata: full }, OPERATOR), { code: "invalid_argument" }, "17 after merging");
  await t.rejects(catalogue.update(id, { name: "" }, OPERATOR), { code: "invalid_argument" });
  t.match((await open()).find("renamed"), { description: "new", metadata: { b: "2", c: "3" } });
  t.throws(() => catalogue.find("notes-1"), { code: "not_found" });
  t.equal((await (await open()).open(id)).usage().headSeq, 3, "made, and two changes are in the journal");
});

t.test("an archived store is read, never changed, and stays archived", async (t) => {
  const { open } = fixture(t);
  const catalogue = await open();
  const { id } = await catalogue.create({ name: "notes" }, OPERATOR);
  const archived = await catalogue.archive(id, OPERATOR);
  t.ok(archived.archivedAt);
  t.strictSame(await catalogue.archive(id, OPERATOR), archived, "again changes nothing");
  for (const each of [catalogue, await open()]) {
    await t.rejects(each.update(id, { name: "x" }, OPERATOR), { code: "archived" });
    await t.rejects(each.setPolicy(id, { maxMemories: 1 }, OPERATOR), { code: "archived" });
    t.equal(each.find("notes").archivedAt, archived.archivedAt);
    t.equal((await each.open(id)).usage().headSeq, 2);
  }
});

t.test("a removed store is gone: its name, its key, its data, also after it is opened again", async (t) => {
  const { open, dir, kv } = fixture(t);
  const catalogue = await open();
  const { id } = await catalogue.create({ name: "notes" }, OPERATOR);
  const other = await catalogue.create({ name: "other" }, OPERATOR);
  new StoreFiles(await catalogue.open(id)).write("/f", "content");
  t.ok(readdirSync(join(dir, "keys")).includes("00000002.key"));
  await catalogue.remove(id);
  t.notOk(readdirSync(join(dir, "keys")).includes("00000002.key"));
  for (const each of [catalogue, await open()]) {
    t.strictSame(each.list(), [other]);
    await t.rejects(each.open(id), { code: "not_found" });
    await t.rejects(each.remove(id), { code: "not_found" });
  }
  const again = await (await open()).create({ name: "notes" }, OPERATOR);
  t.ok(readdirSync(join(dir, "keys")).includes("00000004.key"), "and its key range is not used again");
  t.equal((await (await open()).open(again.id)).usage().memories, 0);
  await kv.close();
});

t.test("a store whose key file is missing is told by the file's name; the others work", async (t) => {
  const { open, dir } = fixture(t);
  const { id } = await (await open()).create({ name: "notes" }, OPERATOR);
  const other = await (await open()).create({ name: "other" }, OPERATOR);
  const file = join(dir, "keys", "00000002.key");
  renameSync(file, `${dir}/kept`);
  const catalogue = await open();
  t.equal(catalogue.list().length, 2);
  await t.rejects(catalogue.open(id), { code: "bad_key", message: /00000002\.key is missing; restore it/ });
  t.equal((await catalogue.open(other.id)).usage().memories, 0);
  renameSync(`${dir}/kept`, file);
  t.equal((await catalogue.open(id)).usage().memories, 0, "restored, it opens without a restart");
});

t.test(
  "a policy is changed key by key; every value that is not allowed is named, and nothing is changed",
  async (t) => {
    const { open } = fixture(t);
    const catalogue = await open();
    const { id } = await catalogue.create({ name: "notes" }, OPERATOR);
    t.strictSame(catalogue.policy(id), DEFAULT_POLICY);
    await catalogue.setPolicy(id, { maxMemories: 0, onConflict: "refuse" }, OPERATOR);
    const changed = { ...DEFAULT_POLICY, maxMemories: 0, onConflict: "refuse" };
    t.strictSame({ ...(await open()).policy(id) }, changed);
    const bad: readonly [Partial<Record<keyof Policy, unknown>>, RegExp][] = [
      [{ maxMemories: -1 }, /maxMemories/],
      [{ maxLiveBytes: 1.5 }, /maxLiveBytes/],
      [{ keepDays: Number.NaN }, /keepDays/],
      [{ maxHistoryBytes: Infinity }, /maxHistoryBytes/],
      [{ maxMemoryBytes: 2 ** 53 }, /maxMemoryBytes/],
      [{ keepVersions: -1, onConflict: "sometimes", maxMemories: 5 }, /: keepVersions, onConflict$/],
    ];
    for (const [changes, message] of bad) {
      await t.rejects(catalogue.setPolicy(id, changes as Partial<Policy>, OPERATOR), {
        code: "invalid_argument",
        message,
      });
    }
    t.strictSame({ ...catalogue.policy(id) }, changed);
  },
);
