/** What every key-value store must do: the durable one and the one in memory. */
import { Batch } from "../../lib/kv/batch.ts";
import t from "tap";
import type { Test } from "tap";
import type { Kv } from "../../lib/kv/kv.ts";
import { openMemoryKv } from "../../lib/kv/memory.ts";
import { batch, contents, EVERYTHING, openIn, randomFrom, scratchDir, sealerOf } from "../fixtures/kv.ts";

type Open = (t: Test) => Promise<Kv>;

suite("level", async (t) => openIn(t, scratchDir(t)));
suite("memory", async () => openMemoryKv());

function suite(name: string, open: Open): void {
  t.test(`${name}: reads see commits at once, and again from the database`, async (t) => {
    const kv = await open(t);
    const space = kv.space(2, sealerOf(2));
    t.equal(space.get("a"), undefined);
    space.commit(batch({ a: "1", b: "2", empty: "" }));
    for (const stage of ["overlay", "database"]) {
      t.equal(space.get("a")?.toString(), "1", stage);
      t.equal(space.get("empty")?.length, 0, stage);
      t.equal(space.get("c"), undefined, stage);
      t.strictSame(await contents(space), [["a", "1"], ["b", "2"], ["empty", ""]], stage); // prettier-ignore
      await kv.drain();
    }
    space.commit(batch({ a: null, b: "3", absent: null }));
    for (const stage of ["overlay", "database"]) {
      t.equal(space.get("a"), undefined, stage);
      t.strictSame(await contents(space), [["b", "3"], ["empty", ""]], stage); // prettier-ignore
      await kv.drain();
    }
  });

  t.test(`${name}: keys and values are any bytes`, async (t) => {
    const kv = await open(t);
    const space = kv.space(2, sealerOf(2));
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const key = bytes.toString("latin1");
    space.commit(Batch.from([[key, new Uint8Array(bytes)]]));
    t.same(space.get(key), bytes);
    await kv.drain();
    t.same(space.get(key), bytes);
    t.strictSame((await contents(space, { gte: "\0", lt: "\x01" })).map(([found]) => found), [key]); // prettier-ignore
  });

  t.test(`${name}: spaces do not see each other`, async (t) => {
    const kv = await open(t);
    const [one, two, last] = [1, 2, 0xfffffffe].map((id) => kv.space(id, sealerOf(id)));
    one?.commit(batch({ k: "one" }));
    two?.commit(batch({ k: "two" }));
    last?.commit(batch({ k: "last", "\xff\xff\xff": "end" }));
    await kv.drain();
    one?.commit(batch({ k: "1" }));
    t.equal(one?.get("k")?.toString(), "1");
    t.equal(two?.get("k")?.toString(), "two");
    if (last) t.strictSame(await contents(last), [["k", "last"], ["\xff\xff\xff", "end"]]); // prettier-ignore
    for (const id of [0, -1, 1.5, 0xffffffff]) {
      t.throws(() => kv.space(id, sealerOf(1)), { code: "invalid_argument" }, String(id));
    }
  });

  t.test(`${name}: scans go both ways, with limits, in pages`, async (t) => {
    const kv = await open(t);
    const space = kv.space(2, sealerOf(2));
    const key = (i: number): string => `k${String(i).padStart(5, "0")}`;
    space.commit(Batch.from(Array.from({ length: 1200 }, (_, i) => [key(i), Buffer.from(String(i))] as const)));
    await kv.drain();
    // Every third is changed behind LevelDB's back, every seventh deleted, some added between.
    const changes = new Map<string, Buffer | null>();
    for (let i = 0; i < 1200; i += 3) changes.set(key(i), Buffer.from("new"));
    for (let i = 0; i < 1200; i += 7) changes.set(key(i), null);
    for (let i = 0; i < 1200; i += 100) changes.set(`${key(i)}+`, Buffer.from("added"));
    space.commit(Batch.from(changes));
    const sizes: number[] = [];
    for await (const page of space.scan(EVERYTHING)) sizes.push(page.length);
    t.ok(sizes.every((size) => size > 0 && size <= 500), `pages of ${sizes.join(", ")}`); // prettier-ignore
    const all = await contents(space);
    t.equal(all.length, 1200 - Math.ceil(1200 / 7) + 12);
    t.strictSame([...all].sort(([a], [b]) => (a < b ? -1 : 1)), all, "in order"); // prettier-ignore
    t.strictSame((await contents(space, { ...EVERYTHING, reverse: true })).reverse(), all);
    for (const limit of [0, 1, 2, 3, 7, 499, 500, 501, 5000]) {
      t.strictSame(await contents(space, { ...EVERYTHING, limit }), all.slice(0, limit), `first ${limit}`);
      const last = await contents(space, { ...EVERYTHING, reverse: true, limit });
      t.strictSame(last.reverse(), all.slice(Math.max(0, all.length - limit)), `last ${limit}`);
    }
    const middle = { gte: key(100), lt: key(103) };
    t.strictSame((await contents(space, middle)).map(([k]) => k), [key(100), `${key(100)}+`, key(101), key(102)]); // prettier-ignore
  });

  t.test(`${name}: a scan shows the moment of its call, and may be left early`, async (t) => {
    const kv = await open(t);
    const space = kv.space(2, sealerOf(2));
    space.commit(batch({ a: "1", b: "1" }));
    await kv.drain();
    space.commit(batch({ b: "2", c: "2" }));
    const scan = space.scan(EVERYTHING);
    space.commit(batch({ a: null, b: "3", d: "3" }));
    await kv.drain();
    const seen: string[] = [];
    for await (const page of scan) for (const { key, value } of page) seen.push(`${key}=${value.toString()}`);
    t.strictSame(seen, ["a=1", "b=2", "c=2"]);
    for await (const page of space.scan(EVERYTHING)) {
      t.equal(page.length, 3);
      break;
    }
  });

  t.test(`${name}: a destroyed space is empty for good and refuses everything`, async (t) => {
    const kv = await open(t);
    const [gone, kept] = [kv.space(2, sealerOf(2)), kv.space(3, sealerOf(3))];
    gone.commit(batch({ a: "1" }));
    kept.commit(batch({ a: "1" }));
    await kv.drain();
    gone.commit(batch({ b: "1" }));
    await gone.destroy();
    t.throws(() => gone.get("a"), { code: "closed" });
    t.throws(() => gone.commit(batch({ a: "2" })), { code: "closed" });
    t.throws(() => gone.scan(EVERYTHING), { code: "closed" });
    t.strictSame(await contents(kept), [["a", "1"]]);
    await gone.destroy();
  });

  t.test(`${name}: everything after close fails alike`, async (t) => {
    const kv = await open(t);
    const space = kv.space(2, sealerOf(2));
    space.commit(batch({ a: "1" }));
    const scan = space.scan(EVERYTHING);
    await Promise.all([kv.close(), kv.close()]);
    await kv.close();
    const closed = { code: "closed" };
    t.throws(() => space.get("a"), closed);
    t.throws(() => space.commit(batch({ a: "1" })), closed);
    t.throws(() => space.scan(EVERYTHING), closed);
    t.throws(() => kv.space(2, sealerOf(2)), closed);
    t.throws(() => kv.discard(2), closed);
    await t.rejects(space.destroy(), closed);
    await t.rejects(kv.sync(), closed);
    await t.rejects(kv.drain(), closed);
    await t.rejects(async () => {
      for await (const page of scan) t.fail(`a page of ${page.length} after close`);
    }, closed);
    t.equal(kv.pressed, false);
    await kv.relieved();
  });

  t.test(`${name}: agrees with a plain map through random work`, async (t) => {
    const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1e9);
    t.comment(`seed ${seed}`);
    const random = randomFrom(seed);
    const kv = await open(t);
    const space = kv.space(2, sealerOf(2));
    const model = new Map<string, string>();
    for (let step = 0; step < 400; step++) {
      const changes: Record<string, string | null> = {};
      for (let i = random(6); i >= 0; i--) {
        const key = `k${String(random(60)).padStart(2, "0")}`;
        const value = random(4) === 0 ? null : `${step}`.repeat(random(3));
        changes[key] = value;
        if (value === null) model.delete(key);
        else model.set(key, value);
      }
      space.commit(batch(changes));
      if (random(20) === 0) await kv.drain();
      if (random(20) === 0) await kv.sync();
      if (random(10) > 0) continue;
      const [gte, lt] = [`k${random(70)}`, `k${random(70)}`].sort();
      const range = { gte: gte ?? "", lt: lt ?? "", reverse: random(2) === 0, limit: 1 + random(70) };
      const expected = [...model].filter(([key]) => key >= range.gte && key < range.lt).sort();
      if (range.reverse) expected.reverse();
      const found = await contents(space, range);
      if (!t.strictSame(found, expected.slice(0, range.limit), `seed ${seed} step ${step}`)) return;
    }
    for (let i = 0; i < 60; i++) {
      const key = `k${String(i).padStart(2, "0")}`;
      t.equal(space.get(key)?.toString(), model.get(key));
    }
  });
}
