import t from "tap";
import { createIdSource } from "../../lib/id.ts";
import { VersionIds } from "../../lib/store/version-ids.ts";
import { storeFixture, TestClock } from "../fixtures/store.ts";
import { StoreFiles } from "../fixtures/store-files.ts";

const ids = createIdSource(new TestClock());

t.test("ids ascend within a millisecond and across", async (t) => {
  const versions = new VersionIds(ids, () => "");
  let last = "";
  for (let at = 5000; at < 9000; at += 3) {
    const id = versions.next(at);
    if (id <= last) t.fail(`at ${at}`);
    last = id;
  }
  t.pass("1,334 ids");
});

t.test("ids go on above those that were made in the same millisecond before the store was opened", async (t) => {
  for (let round = 0; round < 50; round++) {
    const before = new VersionIds(ids, () => "").next(7000);
    if (new VersionIds(ids, () => before).next(7001) <= before) t.fail(`round ${round}`);
  }
  t.pass("50 times");
});

t.test("every version is found by its id, however often the store is opened in a millisecond", async (t) => {
  const fixture = await storeFixture(t);
  let { store } = fixture;
  const all: string[] = [];
  for (let round = 0; round < 40; round++) {
    const files = new StoreFiles(store);
    files.mkdir(`/d${round}`);
    files.write(`/f${round % 3}`, `content ${round}`);
    const [newest] = (await store.listVersions({ limit: 1 })).items;
    all.push(newest?.id ?? "");
    if (round % 4 === 0) store = (await fixture.reopen()).store;
  }
  t.equal(new Set(all).size, 40);
  for (const id of all) t.equal(store.version(id).id, id);
  const [known] = all;
  const unknown = `${(known ?? "").slice(0, -1)}${known?.endsWith("1") === true ? "2" : "1"}`;
  t.throws(() => store.version(unknown), { code: "not_found" });
});
