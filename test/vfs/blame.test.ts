/** Whose the lines are that mounts write: also when writes are merged, kept beside, or folded. */
import t from "tap";
import { OPERATOR } from "../fixtures/store.ts";
import { mountedFixture, O_WRONLY, type MountedFixture, type TestMount } from "../fixtures/vfs.ts";

const BEFORE = "# Notes\n\n- one\n- two\n- three\n\nEnd.\n";

/** Text → agent and number of the version that the line came with. */
async function blamed({ store }: MountedFixture, path: string): Promise<string[]> {
  const { headId, id } = store.memoryAt(Buffer.from(path));
  const lines = [...(await store.history.blame(headId))];
  return lines.map(({ text, version }) => {
    const agent = version.actor.type === "session" ? version.actor.agent : "nobody";
    return `${text.toString()} | ${agent}@${version.n}${version.memoryId === id ? "" : " of another"}`;
  });
}

/** Two mounts that have read the same file. */
async function pair(fixture: MountedFixture): Promise<readonly [TestMount, TestMount]> {
  const theirs = await fixture.other();
  await fixture.mount.write("/notes.md", BEFORE);
  for (const mount of [fixture.mount, theirs]) await mount.read("/notes.md");
  return [fixture.mount, theirs];
}

t.test("in a merge the head's lines stay whose they were, and what was merged in is its writer's", async (t) => {
  const fixture = await mountedFixture(t);
  const [mine, theirs] = await pair(fixture);
  await theirs.write("/notes.md", BEFORE.replace("- three\n", "- three\n- four\n"));
  await mine.write("/notes.md", BEFORE.replace("- one", "- ONE"));
  t.strictSame(await blamed(fixture, "/notes.md"), [
    "# Notes | scout@1",
    " | scout@1",
    "- ONE | scout@3",
    "- two | scout@1",
    "- three | scout@1",
    "- four | other@2",
    " | scout@1",
    "End. | scout@1",
  ]);
});

t.test("what a conflict keeps beside has its other lines from the memory it was made from", async (t) => {
  const fixture = await mountedFixture(t);
  const [mine, theirs] = await pair(fixture);
  await theirs.write("/notes.md", BEFORE.replace("- one", "- eins"));
  await mine.write("/notes.md", BEFORE.replace("- one", "- ONE"));
  t.strictSame(await blamed(fixture, "/notes.conflict-s-1.md"), [
    "# Notes | scout@1 of another",
    " | scout@1 of another",
    "- ONE | scout@1",
    "- two | scout@1 of another",
    "- three | scout@1 of another",
    " | scout@1 of another",
    "End. | scout@1 of another",
  ]);
  t.match(await blamed(fixture, "/notes.md"), { 2: "- eins | other@2" });
  const [conflict] = await fixture.store.conflicts.list();
  await fixture.store.conflicts.resolve({ beside: conflict?.besideId ?? "", take: "mine" }, { actor: OPERATOR });
  t.strictSame(
    (await blamed(fixture, "/notes.md")).slice(1, 4),
    [" | scout@1", "- ONE | nobody@3", "- two | scout@1"],
    "what is taken is its taker's",
  );
});

t.test("lines of versions that were folded are of the version that took their place", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount, store } = fixture;
  await mount.write("/log", "0\n");
  const file = await mount.open("/log", O_WRONLY);
  for (const line of ["1", "2", "3"]) {
    await mount.put(file, `${line}\n`, Number(line) * 2);
    await mount.fsync(file);
  }
  await mount.close(file);
  const { items } = await store.history.list({ path: Buffer.from("/log"), limit: 10 });
  t.strictSame(
    items.map(({ n }) => n),
    [4, 1],
    "the versions in between are folded",
  );
  t.strictSame(await blamed(fixture, "/log"), ["0 | scout@1", "1 | scout@4", "2 | scout@4", "3 | scout@4"]);
  const before = await store.history.resolve(store.memoryAt(Buffer.from("/log")).id, { n: -1 });
  t.equal(before.n, 1, "the version before the head is the one that lists show");
  t.match(await store.history.diff(null, items[0]?.id ?? ""), { from: { version: { n: 1 } }, hunks: [{ toCount: 4 }] });
});

t.test("a line goes on through a save by renaming, and through git's way of removing and writing anew", async (t) => {
  const fixture = await mountedFixture(t);
  const { mount } = fixture;
  const editor = await fixture.other();
  await mount.write("/f", "a\nb\n");
  await editor.write("/f.tmp", "a\nb\nc\n");
  await editor.rename("/f.tmp", "/f");
  await editor.unlink("/f");
  await editor.write("/f", "0\na\nb\nc\n");
  t.strictSame(await blamed(fixture, "/f"), ["0 | other@3", "a | scout@1", "b | scout@1", "c | other@2"]);
});
