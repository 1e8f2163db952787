/** What a damaged redo log costs: a torn last record is cut off and reported, anything else stops the start. */
import { Batch } from "../../lib/kv/batch.ts";
import { copyFileSync, cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import t from "tap";
import type { Test } from "tap";
import type { MemfsError } from "../../lib/errors.ts";
import type { LevelKvOptions } from "../../lib/kv/level-options.ts";
import { openLevelKv } from "../../lib/kv/level.ts";
import { until } from "../fixtures/fuse.ts";
import {
  batch,
  contents,
  openIn,
  randomFrom,
  recordsOf,
  redoFiles,
  rememberingLog,
  scratchDir,
  sealerOf,
} from "../fixtures/kv.ts";

/** Cuts off the zeros that are written ahead: nothing is lost with them, and tests find the end of the records. */
function trim(home: string): void {
  for (const path of redoFiles(home)) {
    const found = recordsOf(path);
    if (found !== null) truncateSync(path, found.end);
  }
}

/** A home whose changes are only in the redo log, as after `kill -9`: a copy taken before LevelDB was given any. */
async function killedHome(
  t: Test,
  commits: number,
  { synced = true, ...options }: Partial<LevelKvOptions> & { synced?: boolean } = {},
): Promise<string> {
  const live = scratchDir(t);
  const kv = await openIn(t, live, options);
  const space = kv.space(2, sealerOf(2));
  const dead = scratchDir(t);
  for (let i = 1; i <= commits; i++) {
    // Promised: no power loss can take a record that another one follows.
    if (synced) await kv.sync();
    space.commit(batch({ [`k${i}`]: `value ${i}`, last: String(i) }));
  }
  cpSync(live, dead, { recursive: true });
  await kv.close();
  trim(dead);
  return dead;
}

/** What can be read after a start in a copy of `home`; the error when it does not start. */
async function start(t: Test, home: string, options: Partial<LevelKvOptions> = {}) {
  const dir = scratchDir(t);
  cpSync(home, dir, { recursive: true });
  const log = rememberingLog();
  try {
    const kv = await openLevelKv({ dir, sealerOf, log, ...options });
    const found = new Map(await contents(kv.space(2, sealerOf(2))));
    // The log must be in order again: what is committed now is there after the next start.
    kv.space(2, sealerOf(2)).commit(batch({ more: "yes" }));
    await kv.close();
    const again = await openLevelKv({ dir, sealerOf, log, ...options });
    const more = new Map(await contents(again.space(2, sealerOf(2))));
    await again.close();
    t.strictSame(more, new Map([...found, ["more", "yes"]]), "the same after another start");
    return { found, lines: log.lines, error: null };
  } catch (error) {
    return { found: new Map<string, string>(), lines: log.lines, error: error as MemfsError };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function newest(home: string): string {
  return redoFiles(home).at(-1) ?? "";
}

t.test("records in the log are there after a start", async (t) => {
  const { found, error, lines } = await start(t, await killedHome(t, 3));
  t.equal(error, null);
  t.equal(found.get("k1"), "value 1");
  t.equal(found.get("last"), "3");
  t.strictSame(lines, [], "nothing to report");
});

t.test("a last record cut at any byte is dropped and reported, the others stay", async (t) => {
  const home = await killedHome(t, 3);
  const file = newest(home);
  const whole = readFileSync(file);
  const two = await killedHome(t, 2);
  const start3 = statSync(newest(two)).size;
  t.ok(start3 < whole.length);
  for (let size = start3; size < whole.length; size++) {
    writeFileSync(file, whole.subarray(0, size));
    const { found, error, lines } = await start(t, home);
    if (error !== null || found.get("last") !== "2" || found.has("k3"))
      return t.fail(`cut at ${size}: ${String(error)}`);
    const cut = whole.subarray(start3, size).some((byte) => byte !== 0);
    if (lines.length !== (cut ? 1 : 0)) return t.fail(`cut at ${size}: reported ${lines.length} times`);
  }
  t.pass(`${whole.length - start3} cuts`);
  writeFileSync(file, Buffer.concat([whole.subarray(0, start3), Buffer.alloc(5000)]));
  const zeros = await start(t, home);
  t.equal(zeros.found.get("last"), "2", "zeros behind the end, as a power loss leaves them");
  t.strictSame(zeros.lines, [], "nobody was told of what they may have been");
});

t.test("a file torn in its header is replaced", async (t) => {
  const home = await killedHome(t, 0);
  for (const size of [0, 1, 31]) {
    truncateSync(newest(home), size);
    const { error, lines } = await start(t, home);
    t.equal(error, null, `${size} bytes`);
    t.match(lines, [/removed/]);
  }
  const live = scratchDir(t);
  const kv = await openIn(t, live);
  kv.space(2, sealerOf(2)).commit(batch({ a: "1" }));
  await kv.close();
  truncateSync(newest(live), 31);
  t.equal((await start(t, live)).found.get("a"), "1", "LevelDB has what was in it");
});

t.test("flipped bits never give wrong data: at worst the last record is dropped and reported", async (t) => {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1e9);
  t.comment(`seed ${seed}`);
  const random = randomFrom(seed);
  const home = await killedHome(t, 4);
  const file = newest(home);
  const whole = readFileSync(file);
  const lastRecord = statSync(newest(await killedHome(t, 3))).size;
  for (let i = 0; i < 120; i++) {
    const bytes = Buffer.from(whole);
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    writeFileSync(file, bytes);
    const { found, error, lines } = await start(t, home);
    const where = `seed ${seed}: flip at ${at} of ${bytes.length}`;
    if (error === null) {
      t.ok(at >= lastRecord && lines.length === 1, `${where}: cut and reported`);
      t.equal(found.get("last"), "3", where);
      t.notOk(found.has("k4"), where);
    } else {
      t.match(error.code, /^(damaged|format_newer)$/, where);
      t.match(error.message, /redo file .*\.log .*;/, `${where}: file and way out named`);
    }
  }
});

t.test("zeros that are written ahead of the records are no torn record", async (t) => {
  const live = scratchDir(t);
  const kv = await openIn(t, live);
  const space = kv.space(2, sealerOf(2));
  for (let i = 1; i <= 300; i++) {
    space.commit(batch({ [`k${i}`]: "v".repeat(1000), last: String(i) }));
    if (i === 290) await kv.sync();
  }
  const dead = scratchDir(t);
  cpSync(live, dead, { recursive: true });
  await kv.close();
  const file = newest(dead);
  const whole = readFileSync(file);
  t.equal(whole.at(-1), 0, "zeros were written ahead");
  const { found, error, lines } = await start(t, dead);
  t.equal(error, null);
  t.strictSame(lines, [], "nothing to report");
  t.equal(found.get("last"), "300");

  let end = whole.length;
  while (whole[end - 1] === 0) end--;
  writeFileSync(file, Buffer.concat([whole.subarray(0, end - 20), Buffer.alloc(whole.length - end + 20)]));
  const torn = await start(t, dead);
  t.equal(torn.found.get("last"), "299", "a record cut short within them is cut off");
  t.equal(torn.lines.length, 1);

  whole[end - 200] = (whole[end - 200] ?? 0) ^ 1;
  whole.fill(0, 1000, 1020);
  writeFileSync(file, whole);
  t.equal((await start(t, dead)).error?.code, "damaged", "a bad record before good ones is still damage");
});

t.test("a bad record before good ones is damage, with file and offset", async (t) => {
  const home = await killedHome(t, 3);
  const file = newest(home);
  const whole = readFileSync(file);
  const first = 32;
  const bytes = Buffer.from(whole);
  bytes.fill(0xee, first + 100, first + 104);
  writeFileSync(file, bytes);
  const { error } = await start(t, home);
  t.equal(error?.code, "damaged");
  t.match(error?.message, new RegExp(`00000001\\.log .* at offset ${first};`));
  t.strictSame(error?.detail["offset"], first);
});

t.test("records of one file are not taken for those of another", async (t) => {
  const [home, other] = [await killedHome(t, 3), await killedHome(t, 3)];
  const bytes = readFileSync(newest(home));
  readFileSync(newest(other)).copy(bytes, 32, 32);
  writeFileSync(newest(home), bytes);
  const { found } = await start(t, home);
  t.equal(found.size, 0, "the salt tells them apart");
});

t.test("a missing file with records that the database needs is damage", async (t) => {
  const home = await killedHome(t, 9, { rotateSize: 400 });
  const files = redoFiles(home);
  t.ok(files.length >= 3, `${files.length} files`);
  t.equal((await start(t, home)).found.get("last"), "9", "complete, it starts");
  for (const file of files.slice(0, -1)) {
    copyFileSync(file, `${file}.kept`);
    rmSync(file);
    const { error } = await start(t, home);
    t.equal(error?.code, "damaged", file);
    t.match(error?.message, /is missing/);
    copyFileSync(`${file}.kept`, file);
  }
});

t.test("a missing newest file, and a missing log, are damage", async (t) => {
  const live = scratchDir(t);
  const kv = await openIn(t, live);
  kv.space(2, sealerOf(2)).commit(batch({ a: "1" }));
  await kv.close();
  for (const file of redoFiles(live)) rmSync(file);
  const { error } = await start(t, live);
  t.equal(error?.code, "damaged");
  t.match(error?.message, /00000001\.log is missing/);
});

t.test("a record cut short in a file that is not the newest is damage", async (t) => {
  const home = await killedHome(t, 9, { rotateSize: 400 });
  const file = redoFiles(home)[1] ?? "";
  truncateSync(file, statSync(file).size - 3);
  const { error } = await start(t, home);
  t.equal(error?.code, "damaged");
  t.match(error?.message, /00000002\.log is cut short at offset|is missing/);
});

t.test("power loss right after a rotation: the torn file is cut, the empty one behind it goes", async (t) => {
  let home = "";
  const live = scratchDir(t);
  const target = scratchDir(t);
  const onPoint = (point: string): void => {
    if (point !== "rotated" || redoFiles(live).length < 2 || home !== "") return;
    home = target;
    cpSync(live, home, { recursive: true });
    trim(home);
  };
  const kv = await openIn(t, live, { rotateSize: 400, onPoint });
  for (let i = 1; home === ""; i++) kv.space(2, sealerOf(2)).commit(batch({ last: String(i) }));
  const [old = ""] = redoFiles(home);
  truncateSync(old, statSync(old).size - 3);
  const { error, found, lines } = await start(t, home);
  t.equal(error, null);
  t.ok(Number(found.get("last")) >= 1);
  t.match(lines, [/cut off/, /removed/]);
});

t.test("files are rotated, applied and unlinked; none is left behind, nothing is lost", async (t) => {
  const dir = scratchDir(t);
  let rotations = 0;
  const onPoint = (point: string): void => {
    if (point === "rotated") rotations += 1;
  };
  const kv = await openIn(t, dir, { rotateSize: 2000, onPoint });
  const space = kv.space(2, sealerOf(2));
  for (let i = 0; i < 200; i++) space.commit(batch({ [`k${i}`]: "x".repeat(50) }));
  await kv.sync();
  t.ok(rotations > 10);
  await kv.drain();
  // What was applied before the call is unlinked soon after it.
  await until(() => redoFiles(dir).length === 1);
  await kv.close();
  const again = await openIn(t, dir);
  t.equal((await contents(again.space(2, sealerOf(2)))).length, 200);
});

t.test("a commit of many megabytes, and small ones after it", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const big = Buffer.alloc(9_000_000, "memory");
  kv.space(2, sealerOf(2)).commit(Batch.from([["big", big]]));
  kv.space(2, sealerOf(2)).commit(batch({ small: "1" }));
  await kv.close();
  const again = await openIn(t, dir);
  t.ok(again.space(2, sealerOf(2)).get("big")?.equals(big));
  t.equal(again.space(2, sealerOf(2)).get("small")?.toString(), "1");
});

/** A disk on which each call can be made to fail. */
