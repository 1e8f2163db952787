/** What the redo log does when the disk refuses a write, a cut or a sync. */
import { cpSync, truncateSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import type { Disk } from "../../lib/kv/disk.ts";
import { systemDisk } from "../../lib/kv/disk.ts";
import { batch, contents, openIn, recordsOf, redoFiles, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";

function newest(home: string): string {
  return redoFiles(home).at(-1) ?? "";
}

function faultyDisk() {
  const fail: { write?: string; short?: number; truncate?: string; datasync?: string } = {};
  const raise = (code: string | undefined): void => {
    if (code !== undefined) throw Object.assign(new Error(code), { code });
  };
  let syncs = 0;
  const disk: Disk = {
    write(fd, bytes, position) {
      if (fail.short !== undefined) return systemDisk.write(fd, bytes.subarray(0, fail.short), position);
      // The worst case: all bytes reach the file, and then the call fails.
      if (fail.write !== undefined) systemDisk.write(fd, bytes, position);
      raise(fail.write);
      return systemDisk.write(fd, bytes, position);
    },
    writeInPool: (fd, bytes, position) => systemDisk.writeInPool(fd, bytes, position),
    truncate(fd, size) {
      raise(fail.truncate);
      systemDisk.truncate(fd, size);
    },
    async datasync(fd) {
      syncs++;
      raise(fail.datasync);
      await systemDisk.datasync(fd);
    },
    syncDirectory: (path) => systemDisk.syncDirectory(path),
  };
  return { disk, fail, syncs: () => syncs };
}

t.test("a failed or short write changes nothing, and the next commit works", async (t) => {
  for (const [fault, code] of [
    [{ short: 20 }, "no_space"],
    [{ short: 0 }, "no_space"],
    [{ write: "ENOSPC" }, "no_space"],
    [{ write: "EDQUOT" }, "no_space"],
    [{ write: "EIO" }, "io"],
  ] as const) {
    const dir = scratchDir(t);
    const { disk, fail } = faultyDisk();
    const kv = await openIn(t, dir, { disk });
    const space = kv.space(2, sealerOf(2));
    space.commit(batch({ a: "1" }));
    const before = recordsOf(newest(dir));
    Object.assign(fail, fault);
    t.throws(() => space.commit(batch({ a: "2", b: "2" })), { code }, JSON.stringify(fault));
    const { end, torn } = recordsOf(newest(dir)) ?? { end: 0, torn: 0 };
    t.strictSame({ end, torn }, { end: before?.end, torn: 0 }, "cut back");
    t.equal(space.get("a")?.toString(), "1");
    t.equal(space.get("b"), undefined);
    delete fail.write;
    delete (fail as { short?: number }).short;
    space.commit(batch({ c: "3" }));
    await kv.close();
    const again = await openIn(t, dir);
    t.strictSame(await contents(again.space(2, sealerOf(2))), [["a", "1"], ["c", "3"]]); // prettier-ignore
  }
});

t.test("a disk without room for zeros ahead takes records as long as it has room for them", async (t) => {
  const dir = scratchDir(t);
  const disk: Disk = {
    ...systemDisk,
    write(fd, bytes, position) {
      if (bytes.length > 10_000) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      return systemDisk.write(fd, bytes, position);
    },
  };
  const kv = await openIn(t, dir, { disk });
  const space = kv.space(2, sealerOf(2));
  for (let i = 1; i <= 50; i++) space.commit(batch({ last: String(i) }));
  t.throws(() => space.commit(batch({ last: "x".repeat(20_000) })), { code: "no_space" });
  t.equal(recordsOf(newest(dir))?.torn, 0);
  await kv.close();
  t.strictSame(await contents((await openIn(t, dir)).space(2, sealerOf(2))), [["last", "50"]]);
});

t.test("a refused record that cannot be cut off shuts the log until it can", async (t) => {
  const dir = scratchDir(t);
  const { disk, fail } = faultyDisk();
  const kv = await openIn(t, dir, { disk, rotateSize: 1 });
  const space = kv.space(2, sealerOf(2));
  space.commit(batch({ a: "1" }));
  Object.assign(fail, { write: "EIO", truncate: "EIO" });
  t.throws(() => space.commit(batch({ a: "2" })), { code: "io" });
  delete fail.write;
  t.throws(() => space.commit(batch({ a: "3" })), { code: "io" }, "even though writing works again");
  t.equal(space.get("a")?.toString(), "1");
  delete fail.truncate;
  space.commit(batch({ b: "4" }));
  await kv.close();
  const again = await openIn(t, dir);
  t.strictSame(await contents(again.space(2, sealerOf(2))), [["a", "1"], ["b", "4"]]); // prettier-ignore
});

t.test("sync is shared by those who wait together, and costs nothing when there is nothing new", async (t) => {
  const { disk, syncs } = faultyDisk();
  const kv = await openIn(t, scratchDir(t), { disk });
  const space = kv.space(2, sealerOf(2));
  await kv.sync();
  t.equal(syncs(), 0);
  space.commit(batch({ a: "1" }));
  const first = kv.sync();
  t.equal(syncs(), 1);
  // These came while it ran, so their records may have missed it: one more datasync for all of them.
  space.commit(batch({ b: "1" }));
  const others = Array.from({ length: 10 }, () => kv.sync());
  await Promise.all([first, ...others]);
  t.equal(syncs(), 2);
  await kv.sync();
  t.equal(syncs(), 2);
});

t.test(
  "a commit that is to be synced is on its way to the disk at once, and the sync that follows is that one",
  async (t) => {
    const { disk, syncs } = faultyDisk();
    const kv = await openIn(t, scratchDir(t), { disk });
    const space = kv.space(2, sealerOf(2));
    space.commit(batch({ a: "1" }), undefined, true);
    t.equal(syncs(), 1);
    await kv.sync();
    t.equal(syncs(), 1);
    // A record that came while it ran is not covered by it.
    space.commit(batch({ b: "1" }), undefined, true);
    space.commit(batch({ c: "1" }));
    t.equal(syncs(), 2);
    await kv.sync();
    t.equal(syncs(), 3);
  },
);

t.test("a sync that was begun ahead and fails is made good by LevelDB, whenever it is asked for", async (t) => {
  for (const soon of [true, false]) {
    const { disk, fail } = faultyDisk();
    const dir = scratchDir(t);
    const log = rememberingLog();
    const kv = await openIn(t, dir, { disk, log });
    fail.datasync = "EIO";
    kv.space(2, sealerOf(2)).commit(batch({ a: "1" }), undefined, true);
    if (!soon) await nextTurn();
    await kv.sync();
    t.match(log.lines, [/sync failed/], "told once");
    const copy = scratchDir(t);
    cpSync(dir, copy, { recursive: true });
    for (const file of redoFiles(copy)) truncateSync(file, 32);
    await kv.close();
    const survivor = await openIn(t, copy);
    t.strictSame(await contents(survivor.space(2, sealerOf(2))), [["a", "1"]]);
  }
});

t.test(
  "when the log cannot be synced, LevelDB makes the changes durable, and no second sync is believed",
  async (t) => {
    const dir = scratchDir(t);
    const { disk, fail, syncs } = faultyDisk();
    const log = rememberingLog();
    const kv = await openIn(t, dir, { disk, log });
    const space = kv.space(2, sealerOf(2));
    space.commit(batch({ a: "1" }));
    fail.datasync = "EIO";
    await kv.sync();
    t.match(log.lines, [/sync failed/]);
    t.equal(syncs(), 1);
    // Its log is gone; what sync promised is in LevelDB.
    const copy = scratchDir(t);
    cpSync(dir, copy, { recursive: true });
    for (const file of redoFiles(copy)) truncateSync(file, 32);
    delete fail.datasync;
    await kv.close();
    const survivor = await openIn(t, copy);
    t.strictSame(await contents(survivor.space(2, sealerOf(2))), [["a", "1"]]);
    survivor.space(2, sealerOf(2)).commit(batch({ b: "2" }));
    await survivor.close();
    const again = await openIn(t, copy);
    t.equal((await contents(again.space(2, sealerOf(2)))).length, 2, "numbers go on behind what LevelDB knows");
  },
);
