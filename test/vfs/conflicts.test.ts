import t, { type Test } from "tap";
import type { ConflictInfo } from "../../lib/store/types.ts";
import { OPERATOR } from "../fixtures/store.ts";
import { mountedFixture, type MountedFixture, type TestMount } from "../fixtures/vfs.ts";

const CAUSE = { actor: OPERATOR };

interface Conflicted extends MountedFixture {
  readonly theirs: TestMount;
  readonly conflict: ConflictInfo;
}

/** A store in which `/f.md` is `theirs`, and `/f.conflict-s-1.md` is `mine`. */
async function conflicted(t: Test): Promise<Conflicted> {
  const fixture = await mountedFixture(t);
  const theirs = await fixture.other();
  await fixture.mount.write("/f.md", "base\n");
  await theirs.read("/f.md");
  await theirs.write("/f.md", "theirs\n");
  await fixture.mount.write("/f.md", "mine\n");
  const [conflict] = await fixture.store.conflicts.list();
  if (conflict === undefined) throw new Error("there is no conflict");
  return { ...fixture, theirs, conflict };
}

t.test("a conflict names both texts, what they were made from, and who wrote the other", async (t) => {
  const { store, conflict } = await conflicted(t);
  const [head, first] = (await store.history.list({ path: Buffer.from("/f.md"), limit: 9 })).items;
  t.match(conflict, {
    path: Buffer.from("/f.md"),
    headId: head?.id,
    headThenId: head?.id,
    baseId: first?.id,
    besidePath: Buffer.from("/f.conflict-s-1.md"),
    sessionId: "s-1",
  });
});

t.test("resolving takes one text or another one, and removes the one beside", async (t) => {
  const takes = { mine: "mine\n", theirs: "theirs\n", other: "both\n" };
  for (const [take, text] of Object.entries(takes)) {
    const { store, theirs, conflict, mount } = await conflicted(t);
    const taken = take === "other" ? Buffer.from(text) : (take as "mine" | "theirs");
    await store.conflicts.resolve({ beside: conflict.besideId, take: taken, note: "settled" }, CAUSE);
    t.equal(await theirs.read("/f.md"), text, take);
    t.equal(await mount.read("/f.md"), text, take);
    t.strictSame(await theirs.list("/"), ["f.md"]);
    t.strictSame(await store.conflicts.list(), []);
    const [newest] = (await store.history.list({ path: Buffer.from("/f.md"), limit: 1 })).items;
    t.equal(newest?.note, take === "theirs" ? null : "settled");
  }
});

t.test("a text that has changed since it was looked at is not overwritten", async (t) => {
  const { store, theirs, conflict } = await conflicted(t);
  await theirs.read("/f.md");
  await theirs.write("/f.md", "theirs again\n");
  const seen = { head: conflict.headThenId, mine: conflict.besideHeadId };
  const resolve = store.conflicts.resolve({ beside: conflict.besideId, take: "mine", seen }, CAUSE);
  await t.rejects(resolve, { code: "conflict", message: /have changed since/ });
  t.equal(await theirs.read("/f.md"), "theirs again\n");
  t.equal((await store.conflicts.list()).length, 1);
});

t.test("what is in no conflict cannot be resolved", async (t) => {
  const { store, theirs, conflict } = await conflicted(t);
  const resolve = (beside: string) => store.conflicts.resolve({ beside, take: "mine" }, CAUSE);
  await t.rejects(resolve(conflict.memoryId), { code: "not_found" });
  await theirs.unlink("/f.conflict-s-1.md");
  t.strictSame(await store.conflicts.list(), [], "removing the file ends the conflict");
  await t.rejects(resolve(conflict.besideId), { code: "not_found" });
});

t.test("without the file there is nothing to resolve: the text beside can have its name", async (t) => {
  const { store, theirs, conflict } = await conflicted(t);
  await theirs.unlink("/f.md");
  t.match(await store.conflicts.list(), [{ headId: null, path: Buffer.from("/f.md") }]);
  const resolve = store.conflicts.resolve({ beside: conflict.besideId, take: "mine" }, CAUSE);
  await t.rejects(resolve, { code: "not_found", message: /is gone/ });
});

t.test("a conflict follows its files when they are renamed, and outlives a restart", async (t) => {
  const { store, theirs, reopen, live } = await conflicted(t);
  await theirs.rename("/f.md", "/g.md");
  await theirs.rename("/f.conflict-s-1.md", "/other.md");
  const names = [{ path: Buffer.from("/g.md"), besidePath: Buffer.from("/other.md") }];
  t.match(await store.conflicts.list(), names);
  live.close();
  t.match(await (await reopen()).store.conflicts.list(), names);
});

t.test(".memfs/conflicts lists them for agents", async (t) => {
  const { mount, store, conflict } = await conflicted(t);
  t.match(await mount.read("/.memfs/conflicts"), /^\S+ {2}\/f\.md {2}\/f\.conflict-s-1\.md {2}s-1\n$/);
  await store.conflicts.resolve({ beside: conflict.besideId, take: "theirs" }, CAUSE);
  t.equal(await mount.read("/.memfs/conflicts"), "");
});

t.test("an archived store resolves nothing", async (t) => {
  const { store, catalogue, conflict } = await conflicted(t);
  await catalogue.archive(store.info.id, OPERATOR);
  const resolve = store.conflicts.resolve({ beside: conflict.besideId, take: "mine" }, CAUSE);
  await t.rejects(resolve, { code: "archived" });
});
