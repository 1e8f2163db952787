import t from "tap";
import { storeFixture } from "../fixtures/store.ts";
import { liveStores, TestMount } from "../fixtures/vfs.ts";

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
