/** Values outside of LevelDB: they come back, whole or not at all, whatever ends the process or the power. */
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import type { Test } from "tap";
import type { Disk } from "../../lib/kv/disk.ts";
import { systemDisk } from "../../lib/kv/disk.ts";
import type { Kv, Place, Space } from "../../lib/kv/kv.ts";
import type { LevelKvOptions } from "../../lib/kv/level-options.ts";
import { PlainSealer } from "../../lib/store/seal.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { batch, contents, openIn, redoFiles, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";

/** Bytes that tell which value they are. */
function value(number: number, length: number): Buffer {
  return Buffer.alloc(length, `value ${number}.`);
}

/** Appends a value and commits where it is, as `v` and its number. */
async function put(space: Space, number: number, length: number): Promise<void> {
  const [place] = await space.append([value(number, length)]);
  space.commit(batch({ [`v${number}`]: JSON.stringify({ place, length }), last: String(number) }));
}

/** The numbers of the values that are referred to; fails for one that is not what was appended. */
async function valuesIn(t: Test, space: Space): Promise<number[]> {
  const found: number[] = [];
  for (const [key, text] of await contents(space, { gte: "v", lt: "w" })) {
    const number = Number(key.slice(1));
    const { place, length } = JSON.parse(text) as { place: Place; length: number };
    if (!space.read(place).equals(value(number, length))) t.fail(`${key} is something else`);
    found.push(number);
  }
  return found.sort((a, b) => a - b);
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

/** Paths of the value files of a space, in order. */
function valueFiles(dir: string, space = 2): string[] {
  const own = join(dir, "values", space.toString(16).padStart(8, "0"));
  const names = existsSync(own) ? readdirSync(own).sort() : [];
  return names.map((name) => join(own, name));
}

/** A copy of a home as it is on the disk now, as after `kill -9`. */
function killed(t: Test, dir: string): string {
  const copy = scratchDir(t);
  cpSync(dir, copy, { recursive: true });
  return copy;
}

t.test("appended values come back, from many files, after restarts, in one of many appends at once", async (t) => {
  const random = randomFrom(testSeed(t));
  const dir = scratchDir(t);
  const options = { valueRotateSize: 200_000 };
  let number = 0;
  for (let start = 0; start < 4; start++) {
    const kv = await openIn(t, dir, options);
    const spaces = [kv.space(2, sealerOf(2)), kv.space(3, new PlainSealer())];
    for (let round = 0; round < 5; round++) {
      const puts = spaces.flatMap((space) =>
        Array.from({ length: 4 }, () => put(space, ++number, 1 + Math.floor(random() * 60_000))),
      );
      await Promise.all(puts);
      if (random() < 0.5) await kv.sync();
    }
    const found = [...(await valuesIn(t, spaces[0] as Space)), ...(await valuesIn(t, spaces[1] as Space))];
    t.strictSame(found.sort((a, b) => a - b), upTo(number)); // prettier-ignore
    await kv.close();
  }
  t.ok(valueFiles(dir).length > 3, "several files");
  t.ok(valueFiles(dir).every((path) => statSync(path).size < 500_000), "of a bounded size"); // prettier-ignore
  t.notOk(readFileSync(valueFiles(dir)[0] ?? "").includes("value 1."), "sealed");
});

t.test("many values in one append, larger than what is written at once", async (t) => {
  const kv = await openIn(t, scratchDir(t));
  const space = kv.space(2, sealerOf(2));
  const values = [300_000, 1, 700_000, 700_000, 2_500_000, 10, 10].map((length, index) => value(index, length));
  const places = await space.append(values);
  t.equal(places.length, values.length);
  for (const [index, place] of places.entries()) t.ok(space.read(place).equals(values[index] ?? Buffer.alloc(0)));
  t.strictSame(await space.append([]), []);
});

t.test("a value that is altered, moved, cut off or gone is damage that names the file", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const space = kv.space(2, sealerOf(2));
  const [first, second] = await space.append([value(1, 5000), value(2, 5000)]);
  if (first === undefined || second === undefined) return t.fail("no places");
  const [path = ""] = valueFiles(dir);
  const whole = readFileSync(path);
  const told = { code: "damaged", message: new RegExp(`value file ${path} .*restore it or the home from a backup`) };
  const altered = Buffer.from(whole);
  altered.writeUInt8(altered.readUInt8(first.offset + 2000) ^ 1, first.offset + 2000);
  writeFileSync(path, altered);
  t.throws(() => space.read(first), told);
  t.ok(space.read(second).equals(value(2, 5000)), "the other one is sound");
  const moved = Buffer.from(whole);
  whole.copy(moved, second.offset, first.offset, first.offset + first.length);
  writeFileSync(path, moved);
  t.throws(() => space.read(second), told);
  truncateSync(path, second.offset + 100);
  t.throws(() => space.read(second), told);
  t.throws(() => space.read({ file: 9, offset: 24, length: 100 }), { code: "damaged", message: /is missing/ });
  t.throws(() => kv.space(3, sealerOf(2)).read(first), { code: "damaged" }, "another space has it not");
});

t.test("after kill -9 everything that was committed is there, and the end of the file is gone on behind", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  for (const number of upTo(5)) await put(kv.space(2, sealerOf(2)), number, 30_000);
  const dead = killed(t, dir);
  // Half of an append that nobody was told of.
  const [path = ""] = valueFiles(dead);
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(10_000, "torn")]));
  for (let start = 0; start < 3; start++) {
    const log = rememberingLog();
    const again = await openIn(t, dead, { log });
    const space = again.space(2, sealerOf(2));
    t.strictSame(await valuesIn(t, space), upTo(5 + start));
    await put(space, 6 + start, 10_000);
    t.strictSame(await valuesIn(t, space), upTo(6 + start));
    t.strictSame(log.lines, [], "nothing to report");
    await again.close();
  }
});

/** A home with nothing but the redo log and value files, in which nothing was synced, and where each append ends. */
async function unsynced(t: Test, count: number, options: Partial<LevelKvOptions> = {}) {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir, options);
  const space = kv.space(2, sealerOf(2));
  const ends: number[] = [];
  for (const number of upTo(count)) {
    await put(space, number, 20_000);
    ends.push(statSync(valueFiles(dir).at(-1) ?? "").size);
    for (let other = 0; other < 5; other++) space.commit(batch({ [`other${number}.${other}`]: "x".repeat(200) }));
  }
  return { home: killed(t, dir), ends };
}

const LOST = /values never reached the disk; what came after them was not synced and is cut off/;

t.test("power loss: a change whose values are not whole on the disk is cut off, with all behind it", async (t) => {
  const random = randomFrom(testSeed(t));
  const { home, ends } = await unsynced(t, 12, { rotateSize: 4000 });
  t.ok(redoFiles(home).length > 4, "records behind it are in several files");
  for (let round = 0; round < 12; round++) {
    const dir = killed(t, home);
    const [path = ""] = valueFiles(dir);
    const whole = readFileSync(path);
    const at = Math.floor(random() * whole.length);
    const kept = ends.filter((end) => end <= at).length;
    if (round % 3 === 0) truncateSync(path, at);
    else if (round % 3 === 1)
      writeFileSync(path, Buffer.concat([whole.subarray(0, at), Buffer.alloc(whole.length - at)]));
    else rmSync(path);
    const expected = upTo(round % 3 === 2 ? 0 : kept);
    const [log, uncut] = [rememberingLog(), killed(t, dir)];
    const kv = await openIn(t, dir, { rotateSize: 4000, log });
    const space = kv.space(2, sealerOf(2));
    t.strictSame(await valuesIn(t, space), expected, `cut at ${at}`);
    t.equal(space.has(`other${expected.length}.4`), expected.length > 0, "what came before it is there");
    t.notOk(space.has(`other${expected.length + 1}.0`), "what came behind it is not");
    t.match(log.lines.join(), LOST);
    await put(space, expected.length + 1, 30_000);
    const after = killed(t, dir);
    await kv.close();
    // Killed again: as it is, and as if the file that was cut had not reached the disk in its cut form.
    for (const file of redoFiles(after)) {
      const before = join(uncut, "redo", file.slice(file.lastIndexOf("/") + 1));
      const half = killed(t, after);
      if (existsSync(before)) cpSync(before, join(half, "redo", file.slice(file.lastIndexOf("/") + 1)));
      const more = await openIn(t, half, { rotateSize: 4000 });
      const found = await valuesIn(t, more.space(2, sealerOf(2)));
      t.ok(found.length >= expected.length && found.length <= expected.length + 1, `${found.length} values`);
      await more.close();
      rmSync(half, { recursive: true });
    }
  }
});

t.test("power loss: what was synced, or is in LevelDB, is not asked for its values again", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const space = kv.space(2, sealerOf(2));
  await put(space, 1, 20_000);
  await kv.drain();
  const [path = ""] = valueFiles(dir);
  const { size } = statSync(path);
  const home = killed(t, dir);
  truncateSync(valueFiles(home)[0] ?? "", size - 1);
  const again = await openIn(t, home);
  t.throws(() => space.read({ file: 1, offset: 28, length: size }), { code: "damaged" });
  t.ok(again.space(2, sealerOf(2)).has("v1"), "damage is damage, and no reason to forget a change");
  await again.close();
});

/** What an open descriptor of this process is; empty when it is none. */
function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/** A disk that notes what is made durable, and on which that can be made to fail. */
function notingDisk(): { disk: Disk; synced: string[]; fail: { path?: RegExp; full?: boolean } } {
  const synced: string[] = [];
  const fail: { path?: RegExp; full?: boolean } = {};
  const disk: Disk = {
    write: (fd, bytes, position) => systemDisk.write(fd, bytes, position),
    truncate: (fd, size) => systemDisk.truncate(fd, size),
    async writeInPool(fd, bytes, position) {
      if (fail.full !== true) return systemDisk.writeInPool(fd, bytes, position);
      await systemDisk.writeInPool(fd, bytes.subarray(0, 100), position);
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    },
    async datasync(fd) {
      const path = linkOf(fd);
      if (fail.path?.test(path) === true) throw Object.assign(new Error("EIO"), { code: "EIO" });
      await systemDisk.datasync(fd);
      synced.push(path.endsWith(".data") ? "values" : "redo");
    },
  };
  return { disk, synced, fail };
}

t.test("values are made durable before the log, and before LevelDB refers to them", async (t) => {
  const { disk, synced } = notingDisk();
  const points: string[] = [];
  const onPoint = (point: string): void => {
    if (point === "applied") points.push(synced.join());
  };
  const kv = await openIn(t, scratchDir(t), { disk, onPoint });
  const space = kv.space(2, sealerOf(2));
  await put(space, 1, 10_000);
  t.strictSame(synced, [], "a close waits for no disk");
  await kv.sync();
  t.strictSame(synced, ["values", "redo"]);
  space.commit(batch({ small: "1" }));
  await kv.sync();
  t.strictSame(synced, ["values", "redo", "redo"], "once");
  await put(space, 2, 10_000);
  await kv.drain();
  t.strictSame(points, ["values,redo,redo,values"]);
});

t.test("values that nobody syncs are made durable all the same, before many wait", async (t) => {
  const begun: number[] = [];
  let appended = 0;
  const disk: Disk = {
    ...systemDisk,
    datasync: (fd) => {
      begun.push(appended);
      return systemDisk.datasync(fd);
    },
  };
  const kv = await openIn(t, scratchDir(t), { disk });
  const space = kv.space(2, new PlainSealer());
  const mebibyte = value(1, 1024 * 1024);
  // Without a pause, so that there is no quiet moment to do it in.
  for (; appended < 132; appended++) await space.append([mebibyte]);
  t.ok(begun.length > 0, `begun at ${begun.join()} MiB`);
});

t.test("a sync of values that fails is told, keeps LevelDB from referring to them, and can be repeated", async (t) => {
  const { disk, fail } = notingDisk();
  const dir = scratchDir(t);
  const kv = await openIn(t, dir, { disk });
  const space = kv.space(2, sealerOf(2));
  await put(space, 1, 10_000);
  fail.path = /\.data$/;
  await t.rejects(kv.sync(), { code: "io", message: /cannot sync value file .*EIO; check the disk/ });
  await t.rejects(kv.drain(), { code: "io" });
  t.strictSame(await valuesIn(t, space), [1], "it can still be read");
  t.strictSame(await valuesIn(t, (await openIn(t, killed(t, dir))).space(2, sealerOf(2))), [1], "and found at a start");
  // The kernel dropped the page that it could not write, and says that all is clean.
  const [path = ""] = valueFiles(dir);
  const whole = readFileSync(path);
  writeFileSync(path, Buffer.concat([whole.subarray(0, 5000), Buffer.alloc(whole.length - 5000)]));
  delete fail.path;
  await t.rejects(kv.sync(), { code: "io", message: /the disk lost bytes of value file/ }, "nothing is claimed");
  writeFileSync(path, whole);
  await kv.sync();
  await put(space, 2, 10_000);
  await kv.drain();
  t.strictSame(await valuesIn(t, space), [1, 2]);
});

t.test("a disk that is full in the middle of an append: told, nothing appended, and it goes on", async (t) => {
  const { disk, fail } = notingDisk();
  const dir = scratchDir(t);
  const kv = await openIn(t, dir, { disk });
  const space = kv.space(2, sealerOf(2));
  fail.full = true;
  await t.rejects(put(space, 1, 10_000), { code: "no_space", message: /value file .*no space left; free some space/ });
  t.strictSame(valueFiles(dir), [], "no file without a header");
  fail.full = false;
  await put(space, 1, 10_000);
  const { size } = statSync(valueFiles(dir)[0] ?? "");
  fail.full = true;
  await t.rejects(put(space, 2, 10_000), { code: "no_space" });
  t.equal(statSync(valueFiles(dir)[0] ?? "").size, size, "its room is given back");
  fail.full = false;
  await put(space, 2, 7000);
  const dead = killed(t, dir);
  t.strictSame(await valuesIn(t, (await openIn(t, dead)).space(2, sealerOf(2))), [1, 2]);
});

t.test("bytes of an attempt that failed are not taken for those of the next one", async (t) => {
  const dir = scratchDir(t);
  const refusals = { left: 1 };
  const onPoint = (point: string): void => {
    if (point === "values" && refusals.left-- > 0) throw new Error("the log is full");
  };
  const keepsBytes: Disk = { ...systemDisk, truncate: () => undefined };
  const kv = await openIn(t, dir, { disk: keepsBytes, onPoint });
  const space = kv.space(2, sealerOf(2));
  await t.rejects(put(space, 1, 10_000), /the log is full/);
  const before = readFileSync(valueFiles(dir)[0] ?? "");
  await put(space, 2, 10_000);
  const dead = killed(t, dir);
  // Power was lost: the disk has the bytes of the first attempt, which are whole, of the same size and in the same place.
  t.equal(statSync(valueFiles(dead)[0] ?? "").size, before.length);
  writeFileSync(valueFiles(dead)[0] ?? "", before);
  const log = rememberingLog();
  const again = await openIn(t, dead, { log });
  t.strictSame(await contents(again.space(2, sealerOf(2))), []);
  t.match(log.lines.join(), LOST);
});

t.test("a destroyed space leaves no value file, and others keep theirs", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const [doomed, other] = [kv.space(2, sealerOf(2)), kv.space(3, sealerOf(3))];
  await put(doomed, 1, 10_000);
  await put(other, 1, 10_000);
  const late = doomed.append([value(2, 10_000)]);
  late.catch(() => undefined);
  await doomed.destroy();
  await t.rejects(late, { code: "closed" });
  await t.rejects(async () => doomed.append([value(3, 10)]), { code: "closed" });
  t.strictSame(readdirSync(dirname(dirname(valueFiles(dir, 3)[0] ?? ""))), ["00000003"]);
  t.strictSame(await valuesIn(t, other), [1]);
  const dead = killed(t, dir);
  const log = rememberingLog();
  const again = await openIn(t, dead, { log });
  t.strictSame(await valuesIn(t, again.space(3, sealerOf(3))), [1]);
  t.strictSame(log.lines, [], "records of what was destroyed are not asked for their values");
});

t.test("values of a space without a key are there when the key is back", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  await put(kv.space(2, sealerOf(2)), 1, 10_000);
  kv.space(3, sealerOf(3)).commit(batch({ a: "1" }));
  const dead = killed(t, dir);
  for (let start = 0; start < 2; start++) {
    const without = await openIn(t, dead, { sealerOf: (space) => (space === 2 ? null : sealerOf(space)) });
    t.strictSame(without.withheld(), [2]);
    await without.drain();
    await without.close();
  }
  t.strictSame(await valuesIn(t, (await openIn(t, dead)).space(2, sealerOf(2))), [1]);
});

t.test("few files are open at a time, however many there are", async (t) => {
  const dir = scratchDir(t);
  const kv: Kv = await openIn(t, dir, { valueRotateSize: 1000 });
  const space = kv.space(2, sealerOf(2));
  for (const number of upTo(60)) await put(space, number, 1000);
  await kv.sync();
  t.equal(valueFiles(dir).length, 60);
  t.strictSame(await valuesIn(t, space), upTo(60));
  const open = readdirSync("/proc/self/fd").filter((fd) => linkOf(Number(fd)).startsWith(join(dir, "values")));
  t.ok(open.length > 1 && open.length < 20, `${open.length} open`);
});
