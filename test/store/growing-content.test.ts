import t, { type Test } from "tap";
import { createIdSource } from "../../lib/id.ts";
import type { Kv } from "../../lib/kv/kv.ts";
import { LevelSpace } from "../../lib/kv/level-space.ts";
import { openLevelKv } from "../../lib/kv/level.ts";
import { silentLog } from "../../lib/log.ts";
import { Catalogue } from "../../lib/store/catalogue.ts";
import { StoreState } from "../../lib/store/state.ts";
import { Keyring } from "../../lib/store/crypto/keyring.ts";
import { decodeContent } from "../../lib/store/content/manifest.ts";
import { scratchDir } from "../fixtures/kv.ts";
import { OPERATOR, stored, storeFixture, type StoreFixture, TestClock } from "../fixtures/store.ts";
import { liveStores, mountedFixture, O_WRONLY, TestMount, type VfsOptions } from "../fixtures/vfs.ts";

const line = (index: number): string => `${index} `.padEnd(99, "x") + "\n";

t.test("a growing log stores what is added, not what was there", async (t) => {
  const fixture = await storeFixture(t);
  const { store } = fixture;
  const mount = await TestMount.open(liveStores(fixture), store.info.id);
  const lines = Array.from({ length: 1100 }, (_, index) => line(index));
  await mount.write("/log", lines.slice(0, 1000).join(""));
  const before = store.usage().historyBytes;
  for (const added of lines.slice(1000)) await mount.append("/log", added);
  const perAppend = (store.usage().historyBytes - before) / 100;
  t.ok(perAppend < 3000, `${perAppend} bytes of history per appended line of 100 bytes in a log of 100 KiB`);
  t.equal(await mount.read("/log"), lines.join(""));
});

/** Bytes of each content that is stored whole, and of what was added for each that is not. */
async function contents({ kv }: StoreFixture): Promise<{ whole: number[]; added: number[] }> {
  const values = (await stored(kv, "c")).map(({ value }) => decodeContent(value));
  return {
    whole: values.flatMap((value) => (Buffer.isBuffer(value) ? [value.length] : [])).sort((a, b) => a - b),
    added: values.flatMap((value) => ("references" in value ? [value.end.length] : [])),
  };
}

async function putInside(mount: TestMount, path: string, offset: number, text: string): Promise<void> {
  const file = await mount.open(path, O_WRONLY);
  await mount.put(file, text, offset);
  await mount.close(file);
}

t.test("a growing note stores what is added, seven times in a row, then all of it", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, store } = fixture;
  await mount.write("/note", "n".repeat(1000));
  const before = store.usage().historyBytes;
  for (let index = 0; index < 16; index++) await mount.append("/note", line(index));
  t.strictSame(await contents(fixture), { whole: [1000, 1800, 2600], added: new Array(14).fill(100) });
  const grown = store.usage().historyBytes - before;
  t.ok(grown < 1800 + 2600 + 14 * 150, `${grown} bytes of history`);
});

t.test("each version of a note that several grow is read as it was, also with nothing in memory", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  const other = await fixture.other();
  let expected = "n".repeat(600);
  await mount.write("/note", expected);
  const texts = [expected];
  for (let index = 0; index < 40; index++) {
    await (index % 3 === 0 ? other : mount).append("/note", line(index));
    texts.push((expected += line(index)));
  }
  const { store } = await fixture.reopen();
  const { items } = await store.history.list({ path: Buffer.from("/note"), limit: 100 });
  t.strictSame(items.map(({ id }) => store.history.read(id).toString()).reverse(), texts);
});

t.test("what is small, gets much, or is changed elsewhere is stored whole", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  const cases = [
    ["small", () => mount.append("/small", "more")],
    ["much", () => mount.append("/much", "m".repeat(513))],
    ["inside", () => putInside(mount, "/inside", 5, "x".repeat(650))],
    ["whole", () => mount.write("/whole", `${"n".repeat(600)} whole and more`)],
  ] as const;
  for (const [name, change] of cases) {
    await mount.write(`/${name}`, name === "small" ? "s".repeat(511) : `${name} `.padEnd(600, "."));
    await change();
  }
  t.strictSame((await contents(fixture)).added, []);
});

t.test("what nobody knows the storage of any more is stored whole, and grows from there", async (t) => {
  const fixture = await storeFixture(t);
  const mount = await TestMount.open(liveStores(fixture), fixture.store.info.id);
  await mount.write("/note", "n".repeat(1000));
  await mount.append("/note", line(0));
  t.strictSame(await contents(fixture), { whole: [1000], added: [100] });
  const { catalogue, store } = await fixture.reopen();
  const again = await TestMount.open(liveStores({ ...fixture, catalogue }), store.info.id);
  for (let index = 1; index < 3; index++) await again.append("/note", line(index));
  t.strictSame(await contents(fixture), { whole: [1000, 1200], added: [100, 100] });
});

t.test("a store does not go by how another one has the same text", async (t) => {
  const fixture = await mountedFixture(t);
  const second = await fixture.catalogue.create({ name: "second" }, OPERATOR);
  const other = await TestMount.open(fixture.live, second.id);
  await fixture.mount.write("/note", "n".repeat(1000));
  for (const at of [other, fixture.mount]) {
    if (at === other) await at.write("/note", "n".repeat(1000));
    await at.append("/note", line(0));
    await at.append("/note", line(1));
  }
  // The second store was the last that stored each of the texts.
  t.strictSame(await contents(fixture), { whole: [1000, 1100], added: [100] });
  t.equal(await fixture.mount.read("/note"), "n".repeat(1000) + line(0) + line(1));
  t.equal(await other.read("/note"), "n".repeat(1000) + line(0) + line(1));
});

t.test("what grew can be read and grown on after everything cached is gone", async (t) => {
  const fixture = await storeFixture(t);
  const mount = await TestMount.open(liveStores(fixture), fixture.store.info.id);
  let expected = "";
  for (let index = 0; index < 300; index++) {
    await mount.append("/log", line(index));
    expected += line(index);
  }
  for (let round = 0; round < 30; round++) {
    const { catalogue, store } = await fixture.reopen();
    const again = await TestMount.open(liveStores({ ...fixture, catalogue }), store.info.id);
    t.equal(await again.read("/log"), expected);
    await again.append("/log", line(1000 + round));
    expected += line(1000 + round);
    t.equal(await again.read("/log"), expected);
    const file = await again.open("/log", 0);
    const from = 997 * round;
    const bytes = await again.mount.read(again.caller, file.node, file.opened, from, 5000);
    t.equal(bytes.toString(), expected.slice(from, from + 5000), "a range in the middle");
    await again.release(file);
    t.same(await store.check(), []);
  }
  const { store } = await fixture.reopen();
  const { items } = await store.history.list({ path: Buffer.from("/log"), limit: 100 });
  for (const version of items) t.equal(store.history.read(version.id).length, version.size);
});

/** Nothing is in memory, and LevelDB has everything. */
async function levelHome(t: Test): Promise<{ open(): Promise<VfsOptions & { readonly kv: Kv }> }> {
  const dir = scratchDir(t);
  const clock = new TestClock();
  const keyring = await Keyring.open({ dir, log: silentLog });
  return {
    open: async () => {
      const kv = await openLevelKv({ dir, sealerOf: (space) => keyring.sealerOf(space), log: silentLog });
      t.teardown(() => kv.close());
      return { kv, clock, catalogue: await Catalogue.open({ kv, keyring, clock, ids: createIdSource(clock) }) };
    },
  };
}

t.test("a note that is copied while it grows is not read through more than seven others", async (t) => {
  const home = await levelHome(t);
  const { kv, ...parts } = await home.open();
  const { id } = await parts.catalogue.create({ name: "notes" }, OPERATOR);
  const live = liveStores(parts);
  const mount = await TestMount.open(live, id);
  let text = "n".repeat(1100);
  await mount.write("/note", text);
  for (let index = 1; index <= 42; index++) {
    await mount.append("/note", line(index));
    text += line(index);
    if (index % 7 > 0) continue;
    // As cp does it. LevelDB has the content as an extension, and is not given the bytes.
    await kv.drain();
    await mount.write("/copy", text);
    await kv.drain();
  }
  live.close();
  await kv.close();
  const again = await home.open();
  const store = await again.catalogue.open(id);
  const { id: memory } = store.memoryAt(Buffer.from("/note"));
  const read = t.capture(LevelSpace.prototype, "get", LevelSpace.prototype.get);
  t.equal(store.readHead(memory).toString(), text);
  const contents = read().filter(({ args: [key] }) => key.startsWith("c"));
  t.ok(contents.length <= 8, `${contents.length} contents are read`);
});

t.test("shorter texts that grow into the longer ones, again and again, do not make these slow to read", async (t) => {
  const fixture = await mountedFixture(t);
  const text = Buffer.alloc(1200, "0123456789\n").toString();
  for (let from = text.length - 7; from > 900; from -= 7) {
    await fixture.mount.write("/note", text.slice(0, from));
    for (let size = from; size < from + 7; size++) await fixture.mount.append("/note", text.slice(size, size + 1));
  }
  const { store } = await fixture.reopen();
  const { items } = await store.history.list({ path: Buffer.from("/note"), limit: 1000 });
  const longest = items.find(({ size }) => size === text.length);
  if (longest === undefined) return void t.fail("the longest one is there");
  const read = t.capture(StoreState.prototype, "get", StoreState.prototype.get);
  t.equal(store.history.read(longest.id).toString(), text);
  const contents = read().filter(({ args: [key] }) => key.startsWith("c"));
  t.ok(contents.length <= 8, `${contents.length} contents are read`);
});
