import t from "tap";
import { createIdSource } from "../../lib/id.ts";
import { nextVersionId } from "../../lib/store/version-ids.ts";
import { storeFixture, TestClock } from "../fixtures/store.ts";
import { SCOUT, StoreFiles } from "../fixtures/store-files.ts";

const ids = createIdSource(new TestClock());

t.test("ids ascend within a millisecond and across", async (t) => {
  let last = "";
  for (let at = 5000; at < 9000; at += 3) {
    const id = nextVersionId(ids, at, last);
    if (id <= last) t.fail(`at ${at}`);
    last = id;
  }
  t.pass("1,334 ids");
});

t.test("a change that failed does not disturb the order, however late it was", async (t) => {
  const { store, clock } = await storeFixture(t);
  const files = new StoreFiles(store);
  const all: string[] = [];
  for (let round = 0; round < 60; round++) {
    files.write("/f", `content ${round}`);
    all.push(store.memoryAt(Buffer.from("/f")).headId);
    const fail = (): void =>
      store.update({ actor: SCOUT }, (tx) => {
        tx.at += 5000;
        tx.newVersionId();
        throw new Error("no space");
      });
    t.throws(fail, /no space/);
    if (round % 10 === 9) clock.pass(1);
  }
  for (const id of all) t.equal(store.history.version(id).id, id);
});

t.test("every version is found by its id, however often the store is opened in a millisecond", async (t) => {
  const fixture = await storeFixture(t);
  let { store } = fixture;
  const all: string[] = [];
  for (let round = 0; round < 40; round++) {
    const files = new StoreFiles(store);
    files.mkdir(`/d${round}`);
    files.write(`/f${round % 3}`, `content ${round}`);
    const [newest] = (await store.history.list({ limit: 1 })).items;
    all.push(newest?.id ?? "");
    if (round % 4 === 0) store = (await fixture.reopen()).store;
  }
  t.equal(new Set(all).size, 40);
  for (const id of all) t.equal(store.history.version(id).id, id);
  const [known] = all;
  const unknown = `${(known ?? "").slice(0, -1)}${known?.endsWith("1") === true ? "2" : "1"}`;
  t.throws(() => store.history.version(unknown), { code: "not_found" });
});
