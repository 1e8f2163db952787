/** Holes that power loss, failed syncs, full disks and missing keys once found, alone or two at a time: one test each. */
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import type { Test } from "tap";
import type { Disk } from "../../lib/kv/disk.ts";
import { systemDisk } from "../../lib/kv/disk.ts";
import { LevelDb } from "../../lib/kv/leveldb.ts";
import { batch, contents, openIn, redoFiles, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";
import { killed, linkOf, put, upTo, value, valueFiles, valuesIn } from "../fixtures/value-files.ts";

const eio = (): Error => Object.assign(new Error("EIO"), { code: "EIO" });

/** What is found in a home by a start, and what that told. */
async function started(t: Test, home: string, options: Parameters<typeof openIn>[2] = {}) {
  const log = rememberingLog();
  const kv = await openIn(t, home, { log, ...options });
  const found = new Map(await contents(kv.space(2, sealerOf(2))));
  await kv.close();
  return { found, lines: log.lines };
}

t.test(
  "records withheld behind others of their space that LevelDB has are all there when the key is back",
  async (t) => {
    const dir = scratchDir(t);
    const kv = await openIn(t, dir);
    const space = kv.space(2, sealerOf(2));
    space.commit(batch({ a: "1", b: "1" }));
    await kv.drain();
    space.commit(batch({ b: "2" }));
    const home = killed(t, dir);
    for (let start = 0; start < 2; start++) {
      const without = await openIn(t, home, { sealerOf: () => null });
      await without.drain();
      await without.close();
    }
    t.strictSame(Object.fromEntries((await started(t, home)).found), { a: "1", b: "2" });
  },
);

t.test("withheld records are on the disk before a checkpoint asks for them", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  kv.space(2, sealerOf(2)).commit(batch({ a: "1" }));
  const home = killed(t, dir);
  const synced: string[] = [];
  const disk: Disk = { ...systemDisk, datasync: (fd) => (synced.push(basename(linkOf(fd))), systemDisk.datasync(fd)) };
  const without = await openIn(t, home, { disk, sealerOf: () => null });
  t.strictSame(synced, ["00000001.log"]);
  await without.close();
});

t.test("a sync that was asked for while one was under way that failed is not believed either", async (t) => {
  const dir = scratchDir(t);
  let failures = 1;
  const disk: Disk = {
    ...systemDisk,
    datasync: async (fd) => {
      const fails = linkOf(fd).includes("/redo/") && failures-- > 0;
      await nextTurn();
      if (fails) throw eio();
      await systemDisk.datasync(fd);
    },
  };
  const kv = await openIn(t, dir, { disk, rotateSize: 200 });
  const space = kv.space(2, sealerOf(2));
  space.commit(batch({ a: "1" }));
  const first = kv.sync();
  space.commit(batch({ b: "2" }));
  await Promise.all([first, kv.sync()]);
  const home = killed(t, dir);
  for (const file of redoFiles(home)) truncateSync(file, 32);
  t.strictSame(Object.fromEntries((await started(t, home)).found), { a: "1", b: "2" }, "LevelDB has them");
});

t.test("a torn file of which LevelDB has everything is in nobody's way", async (t) => {
  const dir = scratchDir(t);
  let home = "";
  const onPoint = (point: string): void => {
    if (point === "unlink" && home === "") home = killed(t, dir);
  };
  const kv = await openIn(t, dir, { rotateSize: 400, onPoint });
  const space = kv.space(2, sealerOf(2));
  for (let number = 1; number <= 9; number++) space.commit(batch({ last: String(number) }));
  await kv.drain();
  const [old = "", ...others] = redoFiles(home);
  t.ok(others.length > 0);
  truncateSync(old, 32 + 100);
  t.equal((await started(t, home)).found.get("last"), "9");
});

/** A home with nine records that were not synced, or were, and where they begin in its one file. */
async function nineRecords(t: Test, synced: boolean): Promise<{ home: string; ends: number[] }> {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const ends: number[] = [];
  for (let number = 1; number <= 9; number++) {
    kv.space(2, sealerOf(2)).commit(batch({ last: String(number) }));
    const bytes = readFileSync(redoFiles(dir)[0] ?? "");
    let end = bytes.length;
    while (bytes[end - 1] === 0) end--;
    ends.push(end);
    if (synced && number === 8) await kv.sync();
  }
  return { home: killed(t, dir), ends };
}

t.test(
  "a page that never reached the disk, with others behind it, ends the log; one that was synced is damage",
  async (t) => {
    for (const synced of [false, true]) {
      const { home, ends } = await nineRecords(t, synced);
      const [file = ""] = redoFiles(home);
      const bytes = readFileSync(file);
      writeFileSync(file, bytes.fill(0, (ends[3] ?? 0) + 8, (ends[4] ?? 0) + 1));
      if (synced) {
        await t.rejects(openIn(t, home), { code: "damaged", message: /holds a bad record before good ones/ });
        continue;
      }
      const { found, lines } = await started(t, home);
      t.equal(found.get("last"), "4");
      t.match(lines, [/records never reached the disk; what came after them was not synced and is cut off/]);
      t.equal((await started(t, home)).found.get("last"), "4", "for good");
    }
  },
);

t.test("a file that never reached the disk, with one behind it, ends the log", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir, { rotateSize: 400 });
  for (let number = 1; number <= 12; number++) kv.space(2, sealerOf(2)).commit(batch({ last: String(number) }));
  const home = killed(t, dir);
  const files = redoFiles(home);
  t.ok(files.length >= 3);
  writeFileSync(files[1] ?? "", Buffer.alloc(statSync(files[1] ?? "").size));
  const { found, lines } = await started(t, home, { rotateSize: 400 });
  t.ok(Number(found.get("last")) < 12, `${found.get("last")} is the last`);
  t.match(lines.join(), /records never reached the disk/);
  t.notOk(
    files.slice(1).some((file) => existsSync(file)),
    "those behind it are gone",
  );
});

t.test("a start that a full disk ends loses nothing that the next one asks for", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  kv.space(2, sealerOf(2)).commit(batch({ a: "1" }));
  await kv.close();
  for (const file of redoFiles(dir)) truncateSync(file, 31);
  const full: Disk = {
    ...systemDisk,
    write: () => {
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    },
  };
  await t.rejects(openIn(t, dir, { disk: full }), { code: "no_space" });
  t.strictSame(Object.fromEntries((await started(t, dir)).found), { a: "1" });
});

t.test("no redo file goes before the name of a newer one is on the disk", async (t) => {
  const dir = scratchDir(t);
  let names: string[] = [];
  const lost: string[] = [];
  const disk: Disk = {
    ...systemDisk,
    syncDirectory: async (path) => {
      if (path.endsWith("/redo")) names = redoFiles(dir);
      await systemDisk.syncDirectory(path);
    },
  };
  const onPoint = (point: string): void => {
    if (point === "unlink" && !names.includes(redoFiles(dir).at(-1) ?? "")) lost.push("newest");
  };
  const kv = await openIn(t, dir, { disk, onPoint, rotateSize: 400 });
  for (let number = 0; number < 40; number++) {
    kv.space(2, sealerOf(2)).commit(batch({ last: String(number) }));
    if (number % 3 === 0) await kv.drain();
  }
  t.strictSame(lost, []);
});

t.test(
  "records found at a start are written again: a failed sync may have left them nowhere but in memory",
  async (t) => {
    const { home } = await nineRecords(t, false);
    const [file = ""] = redoFiles(home);
    const written: number[] = [];
    const disk: Disk = {
      ...systemDisk,
      write: (fd, bytes, position) => {
        if (position === 0 && linkOf(fd) === file) written.push(bytes.length);
        return systemDisk.write(fd, bytes, position);
      },
    };
    const kv = await openIn(t, home, { disk });
    t.ok((written[0] ?? 0) > 500, `${written.join()} bytes`);
    await kv.close();
  },
);

t.test("a value that was synced and is damaged later is told of, and no change is lost for it", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const space = kv.space(2, sealerOf(2));
  for (const number of upTo(3)) await put(space, number, 5000);
  await kv.sync();
  const home = killed(t, dir);
  const [path = ""] = valueFiles(home);
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 5000));
  const log = rememberingLog();
  const again = await openIn(t, home, { log });
  const found = again.space(2, sealerOf(2));
  t.match(log.lines, [/values: damaged, though they were on the disk; restore the home from a backup/]);
  t.ok(found.has("v3") && found.get("last")?.toString() === "3", "the change is there");
  await t.rejects(valuesIn(t, found), { code: "damaged" });
  await put(found, 4, 5000);
  t.equal(valueFiles(home).length, 2, "nothing is appended where the damage is");
  t.equal(statSync(path).size, whole.length - 5000);
});

t.test("values whose sync fails are written again with the header of their file", async (t) => {
  const dir = scratchDir(t);
  const fail = { syncs: true };
  const disk: Disk = {
    ...systemDisk,
    datasync: async (fd) => {
      if (fail.syncs && linkOf(fd).endsWith(".data")) throw eio();
      await systemDisk.datasync(fd);
    },
  };
  const kv = await openIn(t, dir, { disk });
  const space = kv.space(2, sealerOf(2));
  await put(space, 1, 5000);
  await t.rejects(kv.sync(), { code: "io" });
  const [path = ""] = valueFiles(dir);
  const whole = readFileSync(path);
  writeFileSync(path, Buffer.concat([Buffer.alloc(24), whole.subarray(24)]));
  fail.syncs = false;
  await kv.sync();
  t.ok(readFileSync(path).equals(whole));
});

t.test("a sync waits for the directory of value files that another one is syncing", async (t) => {
  const dir = scratchDir(t);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const reached = { values: false };
  const disk: Disk = {
    ...systemDisk,
    syncDirectory: async (path) => {
      if (path.endsWith("/values")) {
        reached.values = true;
        await held;
      }
      await systemDisk.syncDirectory(path);
    },
  };
  const kv = await openIn(t, dir, { disk });
  const space = kv.space(2, sealerOf(2));
  await put(space, 1, 5000);
  const first = kv.sync();
  while (!reached.values) await nextTurn();
  let done = false;
  const second = kv.sync().then(() => (done = true));
  for (let turn = 0; turn < 200; turn++) await nextTurn();
  t.notOk(done, "the names are not on the disk yet");
  release();
  await Promise.all([first, second]);
});

t.test("names of value files that a killed process made are synced by the next one that appends", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  const space = kv.space(2, sealerOf(2));
  await space.append([value(1, 100)]);
  const home = killed(t, dir);
  // As when nobody was told of what is in the file.
  for (const file of redoFiles(home)) truncateSync(file, 32);
  const synced: string[] = [];
  const disk: Disk = {
    ...systemDisk,
    syncDirectory: (path) => (synced.push(path.slice(home.length)), systemDisk.syncDirectory(path)),
  };
  const again = await openIn(t, home, { disk });
  await put(again.space(2, sealerOf(2)), 2, 100);
  await again.sync();
  t.ok(synced.includes("/values/00000002") && synced.includes("/values"), synced.join());
});

t.test("a home's directories are on the disk before anything is in one", async (t) => {
  const dir = scratchDir(t);
  const synced: string[] = [];
  const disk: Disk = {
    ...systemDisk,
    syncDirectory: (path) => {
      synced.push(
        `${path.slice(dir.length)} ${["db/CURRENT", "redo/00000001.log"].filter((file) => existsSync(`${dir}/${file}`)).join()}`,
      );
      return systemDisk.syncDirectory(path);
    },
  };
  await openIn(t, dir, { disk });
  t.equal(synced[0], " ");
});

t.test(
  "nothing is appended to a redo file whose sync failed, also when there is no room for another one",
  async (t) => {
    const dir = scratchDir(t);
    const fail = { syncs: true, room: true };
    const disk: Disk = {
      ...systemDisk,
      datasync: async (fd) => {
        if (fail.syncs && linkOf(fd).includes("/redo/")) throw eio();
        await systemDisk.datasync(fd);
      },
      write: (fd, bytes, position) => {
        if (!fail.room && position === 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
        return systemDisk.write(fd, bytes, position);
      },
    };
    const kv = await openIn(t, dir, { disk });
    const space = kv.space(2, sealerOf(2));
    space.commit(batch({ a: "1" }));
    await kv.sync();
    fail.syncs = fail.room = false;
    t.throws(() => space.commit(batch({ b: "2" })), { code: "no_space" });
    t.equal(space.get("b"), undefined);
    fail.room = true;
    space.commit(batch({ b: "2" }));
    await kv.sync();
    const home = killed(t, dir);
    // What the disk has of the first file.
    const [first = ""] = redoFiles(home);
    if (redoFiles(home).length > 1) writeFileSync(first, "");
    t.strictSame(Object.fromEntries((await started(t, home)).found), { a: "1", b: "2" });
  },
);

t.test("LevelDB's new log has its name on the disk before a checkpoint in it counts", async (t) => {
  const dir = scratchDir(t);
  let synced: string[] = [];
  const disk: Disk = {
    ...systemDisk,
    syncDirectory: async (path) => {
      if (path === dir) synced = readdirSync(dir);
      await systemDisk.syncDirectory(path);
    },
  };
  const db = await LevelDb.open(dir, disk);
  t.teardown(() => db.close());
  for (let number = 0; number < 20; number++) {
    await db.write((writes) => writes.put(Buffer.from(`key ${number}`), Buffer.alloc(1024 * 1024, number)));
    const logs = readdirSync(dir).filter((name) => name.endsWith(".log"));
    t.strictSame(logs.filter((name) => !synced.includes(name)), []); // prettier-ignore
  }
});

t.test("the header of a value file that another process made is written again with the first values", async (t) => {
  const dir = scratchDir(t);
  const kv = await openIn(t, dir);
  await put(kv.space(2, sealerOf(2)), 1, 100);
  await kv.drain();
  const home = killed(t, dir);
  const [path = ""] = valueFiles(home);
  const headers: number[] = [];
  const disk: Disk = {
    ...systemDisk,
    writeInPool: (fd, bytes, position) => {
      if (position === 0 && linkOf(fd) === path) headers.push(bytes.length);
      return systemDisk.writeInPool(fd, bytes, position);
    },
  };
  const again = await openIn(t, home, { disk });
  const space = again.space(2, sealerOf(2));
  for (const number of [2, 3]) {
    await put(space, number, 100);
    await again.sync();
  }
  t.strictSame(headers, [24], "once");
  t.strictSame(await valuesIn(t, space), [1, 2, 3]);
});
