/** Power loss: the end of value files never reached the disk, or other bytes did. */
import { cpSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Test } from "tap";
import type { Disk } from "../../lib/kv/disk.ts";
import { systemDisk } from "../../lib/kv/disk.ts";
import type { LevelKvOptions } from "../../lib/kv/level-options.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { batch, contents, openIn, redoFiles, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";
import { killed, linkOf, put, upTo, valueFiles, valuesIn } from "../fixtures/value-files.ts";

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

t.test("power loss: what is cut off is cut off for good before anything new is written", async (t) => {
  const { home } = await unsynced(t, 3, { rotateSize: 4000 });
  rmSync(valueFiles(home)[0] ?? "");
  const [cut = ""] = redoFiles(home);
  const steps: string[] = [];
  const step = (fd: number, what: string): void => {
    steps.push(`${what} ${linkOf(fd) === cut ? "cut" : "new"}`);
  };
  const disk: Disk = {
    ...systemDisk,
    truncate: (fd, size) => {
      step(fd, "truncate");
      systemDisk.truncate(fd, size);
    },
    datasync: async (fd) => {
      step(fd, "sync");
      await systemDisk.datasync(fd);
    },
  };
  const kv = await openIn(t, home, { rotateSize: 4000, disk });
  t.strictSame(steps, ["sync new", "truncate cut", "sync cut"]);
  await put(kv.space(2, sealerOf(2)), 1, 100);
  t.strictSame(await valuesIn(t, kv.space(2, sealerOf(2))), [1]);
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
