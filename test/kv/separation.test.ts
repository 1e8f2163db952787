/** Values that go to value files on their way to LevelDB: none is lost, torn or appended twice, whatever ends the attempt. */
import { existsSync, readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Test } from "tap";
import { Batch } from "../../lib/kv/batch.ts";
import type { Kv, Place, Separation, Space } from "../../lib/kv/kv.ts";
import { watchedDisk } from "../fixtures/watched-disk.ts";
import { contents, openIn, redoFiles, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";
import { killed, valueFiles } from "../fixtures/value-files.ts";

const LONG = 1000;
/** Values of keys that begin with `v`, when they are long. Such a key always has the same value. */
const separation: Separation = {
  least: LONG,
  separate: (key, value) => (key[0] === "v".charCodeAt(0) ? value : null),
  reference: (place) => Buffer.from(JSON.stringify(place)),
};

const spaceOf = (kv: Kv): Space => kv.space(2, sealerOf(2), separation);

/** What the value under a key was written as, wherever it is. */
function valueOf(space: Space, stored: string): string {
  return stored.startsWith("{") ? space.read(JSON.parse(stored) as Place).toString() : stored;
}

const sorted = (found: Iterable<[string, string]>): Map<string, string> =>
  new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));

async function values(space: Space): Promise<Map<string, string>> {
  return sorted((await contents(space)).map(([key, stored]) => [key, valueOf(space, stored)]));
}

/** The key of a commit's long value. Every second round has the same ones. */
const longKey = (number: number, round: number): string => `v${number}.${round % 2}`;
const long = (key: string): string => `${key} `.repeat(LONG / 4);
const COMMITS = 1200;

/** Many commits, each of a value to separate and of one that stays; several batches of LevelDB. Adds to what is expected. */
function fill(space: Space, round: number, expected = new Map<string, string>()): Map<string, string> {
  for (let number = 0; number < COMMITS; number++) {
    const key = longKey(number, round);
    expected.set(key, long(key)).set(`w${number}`, `round ${round}`);
    const batch = new Batch();
    for (const written of [key, `w${number}`]) batch.put(written, Buffer.from(expected.get(written) ?? ""));
    space.commit(batch);
    batch.done();
  }
  return expected;
}

const levelLogs = (home: string): string[] => readdirSync(join(home, "db")).filter((name) => name.endsWith(".log"));

/** Takes from the files of a directory what was not synced, as power loss may. */
function loseUnsynced(home: string, directory: string, synced: ReadonlyMap<string, number>): void {
  for (const name of existsSync(join(home, directory)) ? readdirSync(join(home, directory)) : []) {
    const path = join(home, directory, name);
    const size = synced.get(`${directory}/${name}`) ?? 0;
    if (name !== "LOCK" && size < statSync(path).size) truncateSync(path, size);
  }
}

const sizeOf = (paths: readonly string[]): number => paths.reduce((sum, path) => sum + statSync(path).size, 0);

t.test("a value is itself until LevelDB has its change, and a reference to the same bytes from then on", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const space = spaceOf(kv);
  const expected = fill(space, 0);
  t.equal(space.get("v7.0")?.toString(), expected.get("v7.0"));
  t.strictSame(await values(space), sorted(expected));
  await kv.drain();
  t.match(space.get("v7.0")?.toString(), /^{"file":1,/);
  t.equal(space.get("w7")?.toString(), "round 0");
  t.strictSame(await values(space), sorted(expected));
  await kv.close();
  const again = await openIn(t, dir);
  t.strictSame(await values(spaceOf(again)), sorted(expected), "and at the next start");
});

t.test("nothing is separated of a space whose owner does not ask for it", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const expected = fill(kv.space(2, sealerOf(2)), 0);
  await kv.drain();
  t.strictSame(new Map(await contents(kv.space(2, sealerOf(2)))), sorted(expected));
  t.strictSame(valueFiles(dir), []);
});

t.test(
  "killed at any point, or robbed of what was not synced of value files or LevelDB, everything is there",
  async (t) => {
    const dir = scratchDir(t);
    const { disk, synced, syncedLevel } = watchedDisk(dir);
    const homes: string[] = [];
    const onPoint = (point: string): void => {
      if (point === "applied") syncedLevel();
      if (point !== "batch" && point !== "applied") return;
      const [plain, half, robbed] = [killed(t, dir), killed(t, dir), killed(t, dir)];
      for (const home of [half, robbed]) loseUnsynced(home, "values/00000002", synced);
      for (const name of levelLogs(robbed)) truncateSync(join(robbed, "db", name), synced.get(`db/${name}`) ?? 0);
      homes.push(plain, half, robbed);
    };
    const kv = await openIn(t, dir, { disk, onPoint });
    syncedLevel();
    const expected = new Map<string, string>();
    for (let round = 0; round < 3; round++) {
      fill(spaceOf(kv), round, expected);
      homes.length = 0;
      await kv.drain();
      t.ok(homes.length >= 12, `${homes.length} moments`);
      for (const home of homes) {
        const other = await openIn(t, home);
        t.strictSame(await values(spaceOf(other)), sorted(expected), "in the log or in LevelDB");
        await other.drain();
        t.strictSame(await values(spaceOf(other)), sorted(expected), "in LevelDB");
        await other.close();
      }
    }
  },
);

/** Numbers of the commits that left one of their two values. */
async function torn(home: string, t: Test): Promise<number[]> {
  const kv = await openIn(t, home);
  const found = await values(spaceOf(kv));
  await kv.close();
  const half: number[] = [];
  for (let number = 0; number < COMMITS; number++) {
    const other = found.get(`w${number}`);
    const round = other === undefined ? -1 : Number(other.slice(-1));
    for (const written of [0, 1]) {
      const key = longKey(number, written);
      const isThere = found.get(key) === long(key);
      if (isThere !== round >= written) half.push(number);
    }
  }
  return half;
}

t.test(
  "power loss: no commit is there by half, although LevelDB has some batches and the log lost its end",
  async (t) => {
    const dir = scratchDir(t);
    const { disk, synced } = watchedDisk(dir);
    const homes: string[] = [];
    const onPoint = (point: string): void => {
      if (point !== "batch") return;
      const home = killed(t, dir);
      loseUnsynced(home, "redo", synced);
      loseUnsynced(home, "values/00000002", synced);
      homes.push(home);
    };
    const kv = await openIn(t, dir, { disk, onPoint, rotateSize: 1_000_000 });
    for (let round = 0; round < 3; round++) {
      fill(spaceOf(kv), round);
      t.ok(redoFiles(dir).length > 1, "the log has several files");
      homes.length = 0;
      await kv.drain();
      t.ok(homes.length >= 3, `${homes.length} batches`);
      for (const home of homes) t.strictSame(await torn(home, t), [], `round ${round}`);
    }
  },
);

t.test("power loss: when the log cannot be synced, LevelDB is given all of a commit at once", async (t) => {
  const dir = scratchDir(t);
  const { disk, synced, fail } = watchedDisk(dir);
  const homes: string[] = [];
  const onPoint = (point: string): void => {
    if (point !== "batch" && point !== "applied") return;
    const home = killed(t, dir);
    loseUnsynced(home, "redo", synced);
    homes.push(home);
  };
  const kv = await openIn(t, dir, { disk, onPoint });
  fail.syncs = "redo/";
  fill(spaceOf(kv), 0);
  await kv.drain();
  t.equal(homes.length, 2, "one batch");
  for (const home of homes) t.strictSame(await torn(home, t), []);
});

t.test("an attempt that is made again appends nothing twice", async (t) => {
  const dir = scratchDir(t);
  const { disk, fail } = watchedDisk(dir);
  const log = rememberingLog();
  const kv = await openIn(t, dir, { disk, log });
  const expected = fill(spaceOf(kv), 0);
  fail.syncs = "values/";
  await t.rejects(kv.drain(), { code: "io", message: /cannot sync value file/ });
  const size = sizeOf(valueFiles(dir));
  t.ok(size > COMMITS * LONG);
  await t.rejects(kv.drain(), { code: "io", message: /cannot sync value file/ });
  t.strictSame(await values(spaceOf(kv)), sorted(expected), "meanwhile");
  fail.syncs = "db/";
  await t.rejects(kv.drain(), { code: "io", message: /cannot sync .*\.log/ });
  fail.syncs = "";
  await kv.drain();
  t.equal(sizeOf(valueFiles(dir)), size);
  t.strictSame(await values(spaceOf(kv)), sorted(expected));
  t.match(log.lines, [/changes wait in the redo log/, /takes changes again/]);
});

t.test("a value that LevelDB has already is not appended again", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const expected = fill(spaceOf(kv), 0);
  await kv.drain();
  const size = sizeOf(valueFiles(dir));
  fill(spaceOf(kv), 2, expected);
  await kv.drain();
  t.equal(sizeOf(valueFiles(dir)), size);
  t.strictSame(await values(spaceOf(kv)), sorted(expected));
});

t.test("a space that is destroyed takes its separated values along, and what it has not moved yet", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  fill(spaceOf(kv), 0);
  await kv.drain();
  fill(spaceOf(kv), 1);
  await spaceOf(kv).destroy();
  t.strictSame(valueFiles(dir), []);
  t.notOk(existsSync(join(dir, "values", "00000002")));
});
