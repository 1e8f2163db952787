/** LevelDB's own logs are synced once for many batches: power loss must not take what a checkpoint speaks for. */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import type { Test } from "tap";
import { systemClock } from "../../lib/clock.ts";
import { Applier } from "../../lib/kv/applier.ts";
import { Batch } from "../../lib/kv/batch.ts";
import { EMPTY_CHECKPOINT } from "../../lib/kv/checkpoint.ts";
import type { Disk } from "../../lib/kv/disk.ts";
import { systemDisk } from "../../lib/kv/disk.ts";
import type { Space } from "../../lib/kv/kv.ts";
import { syncLevelLogs } from "../../lib/kv/level-logs.ts";
import { LevelDb } from "../../lib/kv/leveldb.ts";
import { Overlay } from "../../lib/kv/overlay.ts";
import { silentLog } from "../../lib/log.ts";
import { batch, contents, openIn, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";
import { watchedDisk } from "../fixtures/watched-disk.ts";
import { killed, linkOf } from "../fixtures/value-files.ts";

/** LevelDB's logs in a home, and their sizes. */
function levelLogs(home: string): Map<string, number> {
  const dir = join(home, "db");
  const names = readdirSync(dir).filter((name) => name.endsWith(".log"));
  return new Map(names.map((name) => [name, statSync(join(dir, name)).size]));
}

/** Several batches of LevelDB, and far from a full table: nothing else happens to its files. */
function fill(space: Space, round: number, expected: Map<string, string>): void {
  for (let commit = 0; commit < 25; commit++) {
    const values: Record<string, string> = {};
    for (let key = 0; key < 100; key++) values[`${commit}.${key}.${round % 2}`] = `${round} `.repeat(50);
    space.commit(batch(values));
    for (const [key, value] of Object.entries(values)) expected.set(key, value);
  }
}

async function requireAll(t: Test, home: string, expected: ReadonlyMap<string, string>, what: string): Promise<void> {
  const kv = await openIn(t, home);
  const found = new Map(await contents(kv.space(2, sealerOf(2))));
  await kv.close();
  const lost = [...expected].filter(([key, value]) => found.get(key) !== value);
  t.equal(lost.length, 0, what);
}

t.test("power loss: LevelDB's log may lose what was not synced, whenever it is", async (t) => {
  const dir = scratchDir(t);
  const { disk, synced, syncedLevel } = watchedDisk(dir);
  const homes: string[] = [];
  const onPoint = (point: string): void => {
    if (point === "applied") syncedLevel();
    if (point !== "batch") return;
    const home = killed(t, dir);
    for (const name of levelLogs(home).keys()) truncateSync(join(home, "db", name), synced.get(`db/${name}`) ?? 0);
    homes.push(home);
  };
  const kv = await openIn(t, dir, { disk, onPoint });
  syncedLevel();
  const expected = new Map<string, string>();
  for (let round = 0; round < 3; round++) {
    fill(kv.space(2, sealerOf(2)), round, expected);
    homes.length = 0;
    await kv.drain();
    t.ok(homes.length >= 3, `${homes.length} batches`);
    for (const [index, home] of homes.entries()) await requireAll(t, home, expected, `round ${round}, batch ${index}`);
  }
});

t.test("power loss: a checkpoint on the disk has all that it speaks for there before it", async (t) => {
  const dir = scratchDir(t);
  const { disk, synced } = watchedDisk(dir);
  let before = new Map<string, number>();
  const onPoint = (point: string): void => void (point === "batch" && (before = levelLogs(dir)));
  const kv = await openIn(t, dir, { disk, onPoint });
  const space = kv.space(2, sealerOf(2));
  const expected = new Map<string, string>();
  for (let round = 0; round < 3; round++) {
    fill(space, round, expected);
    await kv.drain();
    // The worst that power loss can do while the last batch is synced: that is there, and what was not synced before is not.
    const home = killed(t, dir);
    for (const [name, size] of before) {
      const from = synced.get(`db/${name}`) ?? 0;
      const fd = openSync(join(home, "db", name), "r+");
      if (size > from) writeSync(fd, Buffer.alloc(size - from), 0, size - from, from);
      closeSync(fd);
    }
    await requireAll(t, home, expected, `round ${round}`);
  }
});

t.test("when LevelDB's log cannot be synced there is no checkpoint, and it is all written again", async (t) => {
  const dir = scratchDir(t);
  const { disk, fail } = watchedDisk(dir);
  const log = rememberingLog();
  const kv = await openIn(t, dir, { disk, log });
  const expected = new Map<string, string>();
  fill(kv.space(2, sealerOf(2)), 0, expected);
  fail.syncs = "db/";
  await t.rejects(kv.drain(), { code: "io", message: /cannot sync .*\.log: EIO/ });
  const home = killed(t, dir);
  for (const name of levelLogs(home).keys()) truncateSync(join(home, "db", name), 0);
  fail.syncs = "";
  await kv.drain();
  t.match(log.lines, [/changes wait in the redo log/, /takes changes again/]);
  await kv.close();
  await requireAll(t, dir, expected, "after the next attempt");
});

t.test("every log of LevelDB is synced, and one that has become a table meanwhile is none", async (t) => {
  const dir = scratchDir(t);
  mkdirSync(join(dir, "db"));
  for (const name of ["000003.log", "000005.log", "000007.log", "000004.ldb", "LOG", "MANIFEST-000002"])
    writeFileSync(join(dir, "db", name), "x");
  const seen: string[] = [];
  const disk: Disk = {
    ...systemDisk,
    datasync: async (fd) => {
      const path = linkOf(fd);
      seen.push(path.slice(path.lastIndexOf("/") + 1));
      if (seen.length === 1) unlinkSync(join(dir, "db", "000005.log"));
      await systemDisk.datasync(fd);
    },
  };
  await syncLevelLogs(join(dir, "db"), disk);
  t.strictSame(seen, ["000003.log", "000007.log"]);
});

t.test("what LevelDB wrote to a log that it has switched away from is synced, too", async (t) => {
  const dir = scratchDir(t);
  const { disk, synced } = watchedDisk(dir);
  const db = await LevelDb.open(join(dir, "db"), disk);
  t.teardown(() => db.close());
  const put = (number: number, durable: boolean): Promise<unknown> =>
    db.write((writes) => writes.put(Buffer.from(`key ${number}`), Buffer.alloc(1024 * 1024, number)), () => durable); // prettier-ignore
  let switches = 0;
  // The table of a log is written in the background: whether the log is still there then is a matter of time.
  for (let round = 0; round < 6; round++) {
    for (let number = 0; number < 9; number++) await put(number, false);
    const before = levelLogs(dir);
    switches += before.size > 1 ? 1 : 0;
    await put(9, true);
    for (const [name, size] of before) {
      const gone = !levelLogs(dir).has(name);
      t.ok(gone || (synced.get(`db/${name}`) ?? 0) >= size, `${name} is a table, or synced to its end`);
    }
  }
  t.comment(`${switches} of 6 times there were two logs`);
});

/** How often it is asked whether somebody syncs, who always does, before the first batch is handed to LevelDB. */
async function askedBefore(t: Test, options: { bytes: number; waited: boolean }): Promise<number> {
  const db = await LevelDb.open(join(scratchDir(t), "db"));
  let asked = 0;
  let atBatch = -1;
  const applier = new Applier(
    {
      ...{ db, clock: systemClock, log: silentLog, eager: 10_000 },
      onPoint: (point) => void (point === "batch" && atBatch < 0 && (atBatch = asked)),
      sealerOf,
      checkpoint: () => EMPTY_CHECKPOINT,
      separationOf: () => undefined,
      append: async () => [],
      syncValues: async () => undefined,
      syncRecords: async () => undefined,
      syncs: () => ++asked,
      urgent: () => false,
      release: async () => undefined,
      attempted: () => undefined,
    },
    { applied: 0, replayed: new Overlay() },
  );
  applier.put(2, Batch.from([["key", Buffer.alloc(options.bytes)]]), 1);
  const drained = options.waited ? applier.drain() : null;
  const deadline = performance.now() + 20_000;
  while (atBatch < 0 && performance.now() < deadline) await nextTurn();
  await (drained ?? applier.drain());
  await applier.stop();
  await db.close();
  return atBatch;
}

t.test("LevelDB is given nothing while somebody syncs again and again, but not for ever", async (t) => {
  t.ok((await askedBefore(t, { bytes: 11_000, waited: false })) > 50);
});

t.test("whoever waits for LevelDB, or a log that gets long, does not wait for those who sync", async (t) => {
  const waited = await askedBefore(t, { bytes: 11_000, waited: true });
  t.ok(waited >= 0 && waited < 10, `asked ${waited} times`);
  const long = await askedBefore(t, { bytes: 20_000, waited: false });
  t.ok(long >= 0 && long < 10, `asked ${long} times`);
});
