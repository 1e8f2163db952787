/** Values outside of LevelDB: they come back, whole or not at all, whatever ends the process or the power. */
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import type { Disk } from "../../lib/kv/disk.ts";
import { systemDisk } from "../../lib/kv/disk.ts";
import type { Kv, Space } from "../../lib/kv/kv.ts";
import { PlainSealer } from "../../lib/store/crypto/seal.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { batch, openIn, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";

import { killed, linkOf, put, upTo, value, valueFiles, valuesIn } from "../fixtures/value-files.ts";

/** A disk that notes what is made durable, and on which that can be made to fail. */
function notingDisk(): { disk: Disk; synced: string[]; fail: { path?: RegExp; full?: boolean } } {
  const synced: string[] = [];
  const fail: { path?: RegExp; full?: boolean } = {};
  const disk: Disk = {
    write: (fd, bytes, position) => systemDisk.write(fd, bytes, position),
    truncate: (fd, size) => systemDisk.truncate(fd, size),
    syncDirectory: (path) => systemDisk.syncDirectory(path),
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
