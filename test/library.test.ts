import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as memfs from "memfs";
import t from "tap";

t.test("the package opens a home, makes a store and finds it again", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ml-"));
  t.teardown(() => rm(dir, { recursive: true }));
  const clock = memfs.systemClock;
  const log = memfs.silentLog;
  const open = async () => {
    const keyring = await memfs.Keyring.open({ dir, log });
    const kv = await memfs.openLevelKv({ dir, sealerOf: (space) => keyring.sealerOf(space), log });
    return { kv, catalogue: await memfs.Catalogue.open({ kv, keyring, clock, ids: memfs.createIdSource(clock) }) };
  };
  const first = await open();
  const made = await first.catalogue.create({ name: "notes" }, { type: "user", userId: "test" });
  await first.kv.close();

  const second = await open();
  t.teardown(() => second.kv.close());
  t.strictSame(second.catalogue.list(), [made]);
  const store = await second.catalogue.open(made.id);
  t.match(store.usage(), { memories: 0, headSeq: 1 });
  t.match(await store.verify(), { ok: true });
  t.throws(() => second.catalogue.find("other"), memfs.MemfsError);
});
