/** Full disks: the log refuses what it cannot take, LevelDB is kept from harm, and space is all it needs to go on. */
import { Batch } from "../../lib/kv/batch.ts";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Test } from "tap";
import type { Place } from "../../lib/kv/kv.ts";
import { openLevelKv } from "../../lib/kv/level.ts";
import { silentLog } from "../../lib/log.ts";
import { batch, contents, entries, EVERYTHING, rememberingLog, sealerOf } from "../fixtures/kv.ts";

/** A filesystem of this many bytes, unmounted after the test; null with the reason when it cannot be had. */
function smallDisk(t: Test, bytes: number): string | null {
  const dir = mkdtempSync(join(tmpdir(), "mf-"));
  const mount = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "memfs-test", dir], { encoding: "utf8" });
  if (mount.status !== 0) {
    rmdirSync(dir);
    if (process.env["CI"] === "true") t.fail(`cannot mount a small disk: ${mount.stderr}`);
    else t.pass("a small disk", { skip: `cannot mount one (needs root): ${mount.stderr.trim()}` });
    return null;
  }
  t.teardown(() => {
    spawnSync("umount", ["-l", dir]);
    rmdirSync(dir);
  });
  return dir;
}

/** Fills the disk until `left` bytes are free. */
function fill(disk: string, left: number): string {
  const filler = join(disk, "filler");
  try {
    for (;;) appendFileSync(filler, Buffer.alloc(65536));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
  const size = readFileSync(filler).length - left;
  writeFileSync(filler, Buffer.alloc(Math.max(0, size)));
  return filler;
}

t.test("a full disk refuses commits, loses none that it took, and recovers", async (t) => {
  const disk = smallDisk(t, 24 * 1024 * 1024);
  if (disk === null) return;
  const log = rememberingLog();
  const kv = await openLevelKv({ dir: join(disk, "home"), sealerOf, log, bounds: { soft: 1e6, hard: 4e6 } });
  t.teardown(() => kv.close());
  const space = kv.space(2, sealerOf(2));
  const taken: string[] = [];
  const commit = (key: string): void => {
    space.commit(Batch.from([[key, Buffer.alloc(20_000, key)]]));
    taken.push(key);
  };
  for (let i = 0; i < 50; i++) commit(`before${i}`);
  await kv.drain();
  // Room for some commits in the log, none for LevelDB.
  const filler = fill(disk, 1_000_000);
  t.throws(() => {
    for (let i = 0; i < 500; i++) commit(`full${i}`);
  }, { code: "no_space", message: /no space left; free some space/ }); // prettier-ignore
  await t.rejects(kv.drain(), { code: "no_space" });
  t.equal(kv.pressed, false, "waiting would not help");
  t.throws(() => {
    for (let i = 0; i < 500; i++) commit(`still${i}`);
  }, { code: "no_space" }); // prettier-ignore
  for (const key of taken) if (!space.get(key)?.includes(key)) t.fail(`${key} cannot be read`);
  t.equal(log.lines.filter((line) => line.includes("wait in the redo log")).length, 1, "told once");
  rmSync(filler);
  commit("after");
  await kv.drain();
  t.match(log.lines.at(-1), /takes changes again/);
  await kv.close();
  const again = await openLevelKv({ dir: join(disk, "home"), sealerOf, log: silentLog });
  t.teardown(() => again.close());
  t.strictSame((await contents(again.space(2, sealerOf(2)))).map(([key]) => key), [...taken].sort()); // prettier-ignore
  await again.close();
});

t.test("a disk that fills up under LevelDB's hands: it is opened again before it is trusted", async (t) => {
  const disk = smallDisk(t, 24 * 1024 * 1024);
  if (disk === null) return;
  let filler: string | null = null;
  let armed = false;
  const onPoint = (point: string): void => {
    if (armed && point === "batch") filler ??= fill(disk, 0);
  };
  const kv = await openLevelKv({ dir: join(disk, "home"), sealerOf, log: silentLog, onPoint });
  t.teardown(() => kv.close());
  const space = kv.space(2, sealerOf(2));
  space.commit(batch({ old: "1" }));
  await kv.drain();
  armed = true;
  for (let i = 0; i < 150; i++) space.commit(Batch.from([[`k${i}`, Buffer.alloc(20_000, `${i}.`)]]));
  const scan = space.scan(EVERYTHING);
  await t.rejects(kv.drain(), { code: "no_space" });
  t.equal(space.get("old")?.toString(), "1", "it can still be read");
  t.equal((await entries(space)).length, 151, "and scanned");
  rmSync(filler ?? "");
  await kv.drain();
  await t.rejects(async () => {
    for await (const page of scan) t.fail(`${page.length} entries from a database that was closed`);
  }, { code: "io" }, "a scan open across the reopening fails, it does not end early"); // prettier-ignore
  t.equal((await entries(space)).length, 151);
  await kv.close();
  const again = await openLevelKv({ dir: join(disk, "home"), sealerOf, log: silentLog });
  t.teardown(() => again.close());
  t.equal((await entries(again.space(2, sealerOf(2)))).length, 151);
  await again.close();
});

t.test(
  "appended values leave LevelDB and the redo log their room, and a full disk takes none that was told of",
  async (t) => {
    const disk = smallDisk(t, 24 * 1024 * 1024);
    if (disk === null) return;
    const kv = await openLevelKv({ dir: join(disk, "home"), sealerOf, log: silentLog });
    t.teardown(() => kv.close());
    const space = kv.space(2, sealerOf(2));
    const places: Place[] = [];
    await t.rejects(async () => {
    for (let i = 0; i < 100; i++) places.push(...(await space.append([Buffer.alloc(1024 * 1024, `${i}.`)])));
  }, { code: "no_space", message: /no space left; free some space/ }); // prettier-ignore
    t.ok(places.length > 5, `${places.length} MiB were taken`);
    // What is small still has room, in the log and in LevelDB.
    for (let i = 0; i < 50; i++) space.commit(batch({ [`k${i}`]: JSON.stringify(places[i] ?? null) }));
    await kv.drain();
    const filler = fill(disk, 0);
    await t.rejects(space.append([Buffer.alloc(100)]), { code: "no_space" });
    rmSync(filler);
    await kv.close();
    const again = await openLevelKv({ dir: join(disk, "home"), sealerOf, log: silentLog });
    t.teardown(() => again.close());
    const found = again.space(2, sealerOf(2));
    for (const [index, place] of places.entries()) {
      if (!found.read(place).equals(Buffer.alloc(1024 * 1024, `${index}.`))) t.fail(`value ${index} is something else`);
    }
    t.equal((await contents(found)).length, 50);
    await again.close();
  },
);
