/** What is particular to the durable key-value store: its format, its lock, its seals, its background, its end. */
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { Test } from "tap";
import type { Format } from "../../lib/kv/format.ts";
import { FORMAT } from "../../lib/kv/format.ts";
import { physicalKey } from "../../lib/kv/key.ts";
import type { Sealer } from "../../lib/kv/kv.ts";
import { LevelDb } from "../../lib/kv/leveldb.ts";
import { AesSealer, PlainSealer } from "../../lib/store/crypto/seal.ts";
import {
  batch,
  contents,
  entries,
  openIn,
  randomFrom,
  redoFiles,
  scratchDir,
  sealerOf,
  until,
} from "../fixtures/kv.ts";

const ANOTHER = new AesSealer(Buffer.alloc(32, 7));

/** Works on LevelDB below the key-value store, as damage or another version of memfs would. */
async function below<T>(dir: string, work: (db: LevelDb) => Promise<T>): Promise<T> {
  const db = await LevelDb.open(join(dir, "db"));
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

/** A closed database with space 2 = {a: 1, b: 2}. */
async function closedHome(t: Test): Promise<string> {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  kv.space(2, sealerOf(2)).commit(batch({ a: "1", b: "2" }));
  await kv.close();
  return dir;
}

const formatKey = physicalKey(0, "format");
const version = (n: number): Buffer => Buffer.from([0, 0, 0, n]);

t.test("a newer format is refused and left as it is", async (t) => {
  const dir = await closedHome(t);
  await below(dir, (db) => db.write((writes) => writes.put(formatKey, version(9))));
  const redo = redoFiles(dir).map((file) => readFileSync(file, "latin1"));
  await t.rejects(openIn(t, dir), { code: "format_newer", message: /format 9, this memfs knows 3/ });
  t.strictSame(redoFiles(dir).map((file) => readFileSync(file, "latin1")), redo); // prettier-ignore
  t.same(await below(dir, async (db) => db.get(formatKey)), version(9));
});

t.test("data without a format version is damage", async (t) => {
  const dir = await closedHome(t);
  await below(dir, (db) => db.write((writes) => writes.del(formatKey)));
  await t.rejects(openIn(t, dir), { code: "damaged", message: /no format version/ });
  t.equal(await below(dir, async (db) => db.get(formatKey)), undefined, "not written over");
});

t.test("an older format is upgraded step by step, after the log is drained, and again after a failure", async (t) => {
  const dir = await closedHome(t);
  const ran: string[] = [];
  let failures = 1;
  const format: Format = {
    version: 5,
    upgrades: new Map([
      [3, async (db: LevelDb) => {
        ran.push(`3 with ${db.get(physicalKey(2, "a")) === undefined ? "nothing" : "data"}`);
      }],
      [4, async () => {
        ran.push("4");
        if (failures-- > 0) throw new Error("power lost");
      }],
    ]),
  }; // prettier-ignore
  await t.rejects(openIn(t, dir, { format }), /power lost/);
  t.same(await below(dir, async (db) => db.get(formatKey)), version(4));
  const kv = await openIn(t, dir, { format });
  t.strictSame(ran, ["3 with data", "4", "4"]);
  t.strictSame(await contents(kv.space(2, sealerOf(2))), [["a", "1"], ["b", "2"]]); // prettier-ignore
  await kv.close();
  await t.rejects(openIn(t, dir, { format: FORMAT }), { code: "format_newer" });
  await t.rejects(openIn(t, dir, { format: { version: 7, upgrades: new Map() } }), {
    code: "damaged",
    message: /format 5/,
  });
});

t.test("a home of format 2, which had no value files, is one of this format after a start", async (t) => {
  const dir = await closedHome(t);
  await below(dir, (db) => db.write((writes) => writes.put(formatKey, version(2))));
  rmSync(join(dir, "values"), { recursive: true });
  const kv = await openIn(t, dir);
  const space = kv.space(2, sealerOf(2));
  t.strictSame(await contents(space), [["a", "1"], ["b", "2"]]); // prettier-ignore
  const [place] = await space.append([Buffer.alloc(5000, "x")]);
  t.ok(place !== undefined && space.read(place).equals(Buffer.alloc(5000, "x")));
  await kv.close();
  t.same(await below(dir, async (db) => db.get(formatKey)), version(FORMAT.version));
});

t.test("a second open of the same directory is told what to do", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  await t.rejects(openIn(t, dir), { code: "locked", message: /is in use; stop the daemon/ });
  const child = fileURLToPath(new URL("../fixtures/kv-crash.ts", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, ["--import=tsx", child, dir], { encoding: "utf8" });
  t.equal(status, 1);
  t.match(stderr, /is in use/, "also by another process, also after an attempt in this one");
  kv.space(2, sealerOf(2)).commit(batch({ a: "1" }));
  await kv.close();
  await openIn(t, dir);
});

t.test("a damaged or vanished LevelDB is reported, not replaced", async (t) => {
  const home = await closedHome(t);
  // Opening once more moves everything from LevelDB's own log to a table.
  await (await openIn(t, home)).close();
  const damage: Record<string, (db: string) => void> = {
    "manifest overwritten": (db) => {
      for (const name of readdirSync(db))
        if (name.startsWith("MANIFEST")) writeFileSync(join(db, name), "x".repeat(500));
    },
    "current gone": (db) => rmSync(join(db, "CURRENT")),
    "all gone": (db) => rmSync(db, { recursive: true }),
  };
  for (const [name, harm] of Object.entries(damage)) {
    const dir = scratchDir(t);
    cpSync(home, dir, { recursive: true });
    harm(join(dir, "db"));
    await t.rejects(openIn(t, dir), { code: "damaged", message: /; restore/ }, name);
    await t.rejects(openIn(t, dir), { code: "damaged" }, `${name}, a second time`);
  }
});

t.test("values sealed with another key, altered or moved are damage, in get and in scan", async (t) => {
  const dir = await closedHome(t);
  const [a, b] = [physicalKey(2, "a"), physicalKey(2, "b")];
  let kv = await openIn(t, dir);
  t.throws(() => kv.space(2, ANOTHER).get("a"), { code: "damaged" });
  await kv.close();
  await below(dir, (db) => db.write((writes) => writes.put(b, db.get(a) ?? Buffer.alloc(0))));
  kv = await openIn(t, dir);
  let space = kv.space(2, sealerOf(2));
  t.equal(space.get("a")?.toString(), "1");
  t.throws(() => space.get("b"), { code: "damaged" });
  await t.rejects(entries(space), { code: "damaged" });
  await kv.close();
  await below(dir, (db) =>
    db.write((writes) => {
      const value = Buffer.from(db.get(a) ?? []);
      value[14] = (value[14] ?? 0) ^ 1;
      writes.put(a, value);
    }),
  );
  kv = await openIn(t, dir);
  space = kv.space(2, sealerOf(2));
  t.throws(() => space.get("a"), { code: "damaged" });
});

t.test("no value and no reply is readable in the files", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const reply = Buffer.from("reply-needle");
  kv.space(2, sealerOf(2)).commit(batch({ k: "value-needle" }), { connection: 5, uniqueHigh: 1, uniqueLow: 2, reply });
  t.strictSame(holding(dir, "-needle"), []);
  await kv.drain();
  t.strictSame(holding(dir, "-needle"), []);
});

/** Files below `dir` that hold the text. */
function holding(dir: string, text: string): string[] {
  return ["db", "redo"]
    .flatMap((part) => readdirSync(join(dir, part)).map((name) => join(dir, part, name)))
    .filter((file) => readFileSync(file).includes(text));
}

/** A home with records of spaces 2 and 3 that are only in the log; the key of space 3 is gone. */
async function withheldHome(t: Test): Promise<string> {
  const live = scratchDir(t);
  const kv = await openIn(t, live, { rotateSize: 300 });
  const [two, three] = [kv.space(2, sealerOf(2)), kv.space(3, sealerOf(3))];
  for (let i = 1; i <= 6; i++) {
    two.commit(batch({ last: String(i) }));
    if (i % 3 === 0) three.commit(batch({ [`k${i}`]: String(i), last: String(i) }));
  }
  const dead = scratchDir(t);
  cpSync(live, dead, { recursive: true });
  return dead;
}

const withoutThree = (space: number): Sealer | null => (space === 3 ? null : sealerOf(space));

t.test("records of a space without a key are withheld, for any number of starts, until the key is back", async (t) => {
  const dir = await withheldHome(t);
  for (let round = 0; round < 3; round++) {
    const kv = await openIn(t, dir, { sealerOf: withoutThree, rotateSize: 300 });
    t.strictSame(kv.withheld(), [3]);
    t.throws(() => kv.space(3, sealerOf(3)), { code: "bad_key", message: /restore the key file/ });
    const two = kv.space(2, sealerOf(2));
    t.equal(two.get("last")?.toString(), round === 0 ? "6" : `round ${round - 1}`);
    for (let i = 0; i < 20; i++) two.commit(batch({ last: `round ${round}`, [`other${i}`]: "x" }));
    await kv.close();
    t.ok(redoFiles(dir).length <= 4, `${redoFiles(dir).length} files: those with withheld records and the newest`);
  }
  let kv = await openIn(t, dir, { rotateSize: 300 });
  t.strictSame(kv.withheld(), []);
  t.strictSame(await contents(kv.space(3, sealerOf(3))), [["k3", "3"], ["k6", "6"], ["last", "6"]]); // prettier-ignore
  t.equal(kv.space(2, sealerOf(2)).get("last")?.toString(), "round 2", "older records do not come back");
  kv.space(3, sealerOf(3)).commit(batch({ last: "now" }));
  await kv.close();
  t.equal(redoFiles(dir).length, 1);
  kv = await openIn(t, dir);
  t.equal(kv.space(3, sealerOf(3)).get("last")?.toString(), "now");
});

t.test("withheld records that vanish are damage", async (t) => {
  const dir = await withheldHome(t);
  await (await openIn(t, dir, { sealerOf: withoutThree, rotateSize: 300 })).close();
  rmSync(redoFiles(dir)[0] ?? "");
  await t.rejects(openIn(t, dir), { code: "damaged", message: /kept for space 3 are missing/ });
});

t.test("withheld records can be discarded with their store", async (t) => {
  const dir = await withheldHome(t);
  let kv = await openIn(t, dir, { sealerOf: withoutThree });
  kv.discard(3);
  kv.discard(4);
  t.strictSame(kv.withheld(), []);
  await kv.close();
  t.equal(redoFiles(dir).length, 1);
  kv = await openIn(t, dir);
  t.strictSame(await contents(kv.space(3, sealerOf(3))), []);
  t.equal(kv.space(2, sealerOf(2)).get("last")?.toString(), "6");
});

t.test("a log that another key sealed is damage, and stays as it is", async (t) => {
  const dir = await withheldHome(t);
  const before = redoFiles(dir).map((file) => readFileSync(file, "latin1"));
  await t.rejects(openIn(t, dir, { sealerOf: () => ANOTHER }), {
    code: "damaged",
    message: /with the key of space 2; restore/,
  });
  t.strictSame(redoFiles(dir).map((file) => readFileSync(file, "latin1")).slice(0, before.length), before); // prettier-ignore
  const kv = await openIn(t, dir);
  t.equal(kv.space(2, sealerOf(2)).get("last")?.toString(), "6");
});

t.test("a destroyed space leaves no byte of its values in any file", async (t) => {
  const dir = scratchDir(t);
  const plain = new PlainSealer();
  const kv = await openIn(t, dir, { sealerOf: () => plain });
  const other = kv.space(500, plain);
  for (let id = 10; id < 26; id++) {
    const space = kv.space(id, plain);
    for (let i = 0; i < 30; i++) space.commit(batch({ [`k${i}`]: `needle-${id}-${i}`, hot: `needle-${id}-hot${i}` }));
    // Deleted within the same memtable, or in a table already, or not applied at all.
    if (id % 3 === 0) await kv.drain();
    space.commit(batch({ k1: null, k2: `needle-${id}-again` }));
    if (id % 3 === 1) await kv.drain();
    other.commit(batch({ [`k${id}`]: `kept-${id}` }));
  }
  t.ok(holding(dir, "needle-").length > 0);
  for (let id = 10; id < 26; id += 2) {
    await kv.space(id, plain).destroy();
    t.strictSame(holding(dir, `needle-${id}-`), []);
  }
  t.equal((await contents(kv.space(11, plain))).length, 30);
  t.equal((await contents(other)).length, 16);
  await kv.close();
  const again = await openIn(t, dir, { sealerOf: () => plain });
  t.strictSame(await contents(again.space(10, plain)), []);
  t.equal((await contents(again.space(11, plain))).length, 30);
});

t.test("a key overwritten many times is sealed once for LevelDB", async (t) => {
  const dir = scratchDir(t);
  const sealer = sealerOf(2);
  const sealed = new Map<string, number>();
  const counting: Sealer = {
    seal(context, value) {
      const key = Buffer.from(context).toString("latin1", 4);
      sealed.set(key, (sealed.get(key) ?? 0) + 1);
      return sealer.seal(context, value);
    },
    sealedSize: (length) => sealer.sealedSize(length),
    sealTo: (context, value, target) => sealer.sealTo(context, value, target),
    open: (context, value) => sealer.open(context, value),
    openedSize: (length) => sealer.openedSize(length),
    openTo: (context, value, target) => sealer.openTo(context, value, target),
  };
  const kv = await openIn(t, dir);
  const space = kv.space(2, counting);
  for (let i = 0; i < 1000; i++) space.commit(batch({ hot: String(i), [`k${i}`]: "", empty: "" }));
  await kv.drain();
  t.equal(sealed.get("hot"), 1);
  t.notOk(sealed.has("empty"), "empty values are not sealed");
  t.equal(await readBelow(kv, dir, physicalKey(2, "empty")), "");
});

async function readBelow(kv: { close(): Promise<void> }, dir: string, key: Buffer): Promise<string | undefined> {
  await kv.close();
  return below(dir, async (db) => db.get(key)?.toString("latin1"));
}

t.test("the door closes above the soft bound and opens again", async (t) => {
  const kv = await openIn(t, scratchDir(t), { bounds: { soft: 2e6, hard: 1e9 } });
  const space = kv.space(2, sealerOf(2));
  t.equal(kv.pressed, false);
  await kv.relieved();
  space.commit(batch({ a: "x".repeat(3e6) }));
  t.equal(kv.pressed, true);
  await kv.relieved();
  t.equal(kv.pressed, false);
});

t.test("changes reach LevelDB in the background without being asked for", async (t) => {
  const dir = scratchDir(t);
  let applied = 0;
  const kv = await openIn(t, dir, { onPoint: (point) => (applied += point === "applied" ? 1 : 0) });
  kv.space(2, sealerOf(2)).commit(batch({ a: "1" }));
  t.equal(applied, 0);
  const keepAlive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(keepAlive));
  await until("the change is applied", () => applied === 1);
});

t.test(
  "a value that was read, or comes from a scan, stays as it is when others take its place in memory",
  async (t) => {
    const kv = await openIn(t, scratchDir(t));
    const space = kv.space(2, sealerOf(2));
    const was = "w".repeat(3000);
    space.commit(batch({ a: was, b: was }));
    const [read, scanned] = [space.get("a"), await entries(space)];
    for (let round = 0; round < 3; round++) {
      await kv.drain();
      for (let i = 0; i < 300; i++) space.commit(batch({ a: String(i).repeat(3000) }));
    }
    t.equal(read?.toString(), was);
    t.strictSame(scanned.map(({ value }) => value.toString()), [was, was]); // prettier-ignore
  },
);

t.test("random work in several spaces, through restarts, agrees with plain maps", async (t) => {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1e9);
  t.comment(`seed ${seed}`);
  const random = randomFrom(seed);
  const dir = scratchDir(t);
  const models = new Map([1, 2, 3].map((id) => [id, new Map<string, string>()]));
  for (let round = 0; round < 12; round++) {
    const kv = await openIn(t, dir, { rotateSize: 1 + random(5000) });
    const spaces = new Map([...models.keys()].map((id) => [id, kv.space(id, sealerOf(id))]));
    for (const [id, model] of models) {
      const space = spaces.get(id);
      if (space) t.strictSame(await contents(space), [...model].sort(), `seed ${seed} round ${round} space ${id}`);
    }
    for (let step = random(80); step > 0; step--) {
      const id = 1 + random(3);
      const changes: Record<string, string | null> = {};
      for (let i = random(5); i >= 0; i--) {
        const key = `k${random(40)}`;
        const value = random(3) === 0 ? null : `${round}.${step}`;
        changes[key] = value;
        if (value === null) models.get(id)?.delete(key);
        else models.get(id)?.set(key, value);
      }
      spaces.get(id)?.commit(batch(changes));
      if (random(15) === 0) await kv.drain();
      if (random(15) === 0) await kv.sync();
    }
    await kv.close();
  }
});
