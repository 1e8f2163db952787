/** Who did what in a store. */
import t from "tap";
import type { SessionInfo } from "../../lib/store/history/sessions.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Actor } from "../../lib/store/types.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { OPERATOR, storeFixture } from "../fixtures/store.ts";
import { StoreFiles } from "../fixtures/store-files.ts";

const session = (sessionId: string, agent: string): Actor => ({ type: "session", sessionId, agent });

async function sessions(store: Store): Promise<SessionInfo[]> {
  const found = await store.history.sessions();
  return found.sort((a, b) => a.firstAt - b.firstAt);
}

t.test("each session is counted with its agent, and nobody else", async (t) => {
  const { store, clock } = await storeFixture(t);
  const files = new StoreFiles(store);
  t.strictSame(await sessions(store), [], "a user who makes a store is no session");
  files.write("/a", "1");
  clock.pass(10);
  files.write("/a", "2");
  files.actor = session("s-1", "other");
  files.mkdir("/d");
  files.actor = session("s-2", "scout");
  store.record("mount.attached", {}, { actor: files.actor });
  store.record("memory.conflict", {}, { actor: files.actor });
  files.actor = OPERATOR;
  files.write("/a", "3");
  const found = await sessions(store);
  t.match(found, [
    { sessionId: "s-1", agent: "scout", writes: 2, conflicts: 0, mounts: 0 },
    { sessionId: "s-1", agent: "other", writes: 0, conflicts: 0, mounts: 0 },
    { sessionId: "s-2", agent: "scout", writes: 0, conflicts: 1, mounts: 1 },
  ]);
  t.equal(found.length, 3);
  const [first] = found;
  t.ok(first !== undefined && first.lastAt - first.firstAt >= 10e6);
});

t.test("steps of a save are not counted, also when they are folded after they were", async (t) => {
  const { store, clock } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "1");
  files.write("/new", "2");
  files.write("/new", "3");
  t.match(await sessions(store), [{ writes: 3 }]);
  await files.rename("/new", "/f", { folds: true });
  t.match(await sessions(store), [{ writes: 2 }]);
  clock.pass(1000);
  t.match(await sessions(store), [{ writes: 2 }]);
  files.write("/f", "4");
  t.match(await sessions(store), [{ writes: 3 }], "what was counted is not counted again");
});

t.test("lists that are asked for at any time, and at the same time, count everything once", async (t) => {
  const random = randomFrom(testSeed(t));
  const fixture = await storeFixture(t);
  const files = new StoreFiles(fixture.store);
  const writes = new Map<string, number>();
  const wanted = (): string[] => [...writes].map(([id, count]) => `${id} ${count}`).sort();
  const counted = async (store: Store): Promise<string[]> =>
    (await store.history.sessions()).map((one) => `${one.sessionId} ${one.writes}`).sort();
  for (let turn = 0; turn < 400; turn++) {
    const id = `s-${Math.floor(random() * 5)}`;
    files.actor = session(id, "agent");
    files.write(`/${Math.floor(random() * 9)}`, String(turn));
    writes.set(id, (writes.get(id) ?? 0) + 1);
    fixture.clock.pass(random() < 0.1 ? 60 : 1);
    if (random() < 0.9) continue;
    const lists = await Promise.all([counted(fixture.store), counted(fixture.store)]);
    for (const list of lists) if (!t.strictSame(list, wanted(), `after ${turn} changes`)) return;
  }
  t.strictSame(await counted((await fixture.reopen()).store), wanted(), "and after a start");
});

t.test("the head of the journal is what verify finds, and stays in it", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "1");
  const { seq, hash } = await store.history.head();
  t.match(await store.verify(), { ok: true, head: hash, entries: seq });
  files.write("/f", "2");
  t.match(await store.verify({ head: hash }), { ok: true });
  t.not((await store.history.head()).hash, hash);
});
