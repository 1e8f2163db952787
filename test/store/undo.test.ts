/** Undo: what one did is gone, what others did stays, and what cannot be told apart is listed. */
import t from "tap";
import { OPERATOR } from "../fixtures/store.ts";
import { changes, kept, lines, THEM, tree, undoFixture } from "../fixtures/undoing.ts";

t.test("lines beside those of others go, and lines that were removed come back in place", async (t) => {
  const { theirs, others, undo } = await undoFixture(t);
  others.write("/f", lines("a", "b", "c"));
  theirs.write("/f", lines("a", "THEIRS", "c"));
  others.write("/f", lines("top", "a", "THEIRS", "c", "end"));
  theirs.write("/f", lines("top", "a", "THEIRS", "c", "MORE", "end"));
  const result = await undo();
  t.equal(theirs.read("/f").toString(), lines("top", "a", "b", "c", "end"));
  t.strictSame([changes(result), kept(result)], [["modified /f"], []]);
  t.match(result.changes[0]?.version, { note: "undo of session s-1", actor: OPERATOR });
});

t.test("a line that others rewrote stays with what they made of it, and is listed", async (t) => {
  const { theirs, others, undo } = await undoFixture(t);
  others.write("/f", lines("a", "b", "c"));
  theirs.write("/f", lines("a", "B", "c", "added"));
  others.write("/f", lines("a", "B, rather", "c", "added"));
  const result = await undo();
  t.equal(theirs.read("/f").toString(), lines("a", "B, rather", "c"));
  t.strictSame(kept(result), ['/f: others rewrote "B, rather"']);
});

t.test("a line that others put back stays as theirs, and is listed", async (t) => {
  const { theirs, others, undo } = await undoFixture(t);
  others.write("/f", lines("a", "b", "c"));
  theirs.write("/f", lines("a", "c"));
  others.write("/f", lines("a", "b", "c"));
  const result = await undo();
  t.equal(theirs.read("/f").toString(), lines("a", "b", "c"));
  t.strictSame([changes(result), kept(result)], [[], ['/f: others put back "b"']]);
});

t.test("with force what others built on it goes, too", async (t) => {
  const { theirs, others, undo } = await undoFixture(t);
  others.write("/f", lines("a", "b", "c"));
  theirs.write("/f", lines("a", "B", "c"));
  others.write("/f", lines("a", "B, rather", "c", "beside"));
  theirs.write("/new", "new");
  others.write("/new", "newer");
  const result = await undo(THEM, { force: true });
  t.equal(theirs.read("/f").toString(), lines("a", "b", "c", "beside"));
  t.equal(theirs.entry("/new"), null);
  t.strictSame(kept(result), []);
});

t.test("files: made is deleted, deleted is back under its id, moved is back", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  for (const name of ["deleted", "moved", "both"]) others.write(`/${name}`, lines(name));
  const before = await tree(store);
  theirs.write("/made", "made");
  theirs.unlink("/deleted");
  await theirs.rename("/moved", "/elsewhere");
  theirs.write("/both", lines("both", "more"));
  await theirs.rename("/both", "/other");
  const result = await undo();
  t.strictSame(await tree(store), before);
  t.strictSame(kept(result), []);
});

t.test(
  "a file that others wrote in stays with their lines, and one whose path is taken stays where it is",
  async (t) => {
    const { theirs, others, undo } = await undoFixture(t);
    theirs.write("/made", lines("theirs"));
    others.write("/made", lines("theirs", "ours"));
    others.write("/a", "a");
    await theirs.rename("/a", "/b");
    others.write("/a", "another");
    others.write("/gone", "gone");
    theirs.unlink("/gone");
    others.write("/gone", "again");
    const result = await undo();
    t.equal(theirs.read("/made").toString(), lines("ours"));
    t.equal(theirs.read("/b").toString(), "a");
    t.equal(theirs.read("/gone").toString(), "again");
    t.strictSame(kept(result), [
      "/b: its path /a is taken",
      "/gone: its path /gone is taken, so it stays deleted; rollback --as gives it another",
      "/made: others wrote in it, so it stays",
    ]);
  },
);

t.test("what is no text goes back as a whole, if nobody wrote since", async (t) => {
  const { theirs, others, undo } = await undoFixture(t);
  for (const name of ["/alone", "/built"]) {
    others.write(name, Buffer.from([0, 1]));
    theirs.write(name, Buffer.from([0, 2]));
  }
  others.write("/built", Buffer.from([0, 3]));
  theirs.write("/built", Buffer.from([0, 4]));
  const result = await undo();
  t.strictSame([...theirs.read("/alone")], [0, 1]);
  t.strictSame([...theirs.read("/built")], [0, 3]);
  t.strictSame(kept(result), ["/built: others wrote since, and it is no text"]);
});

t.test("JSON is undone by key, and stays JSON", async (t) => {
  const { theirs, others, undo } = await undoFixture(t);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  others.write("/a.json", json({ a: 1, b: 1 }));
  theirs.write("/a.json", json({ a: 2, b: 1, c: 1 }));
  others.write("/a.json", json({ a: 2, b: 2, c: 1, d: 1 }));
  theirs.write("/made.json", json({ theirs: 1 }));
  others.write("/made.json", json({ theirs: 1, ours: 1 }));
  others.write("/same.json", json({ a: 1 }));
  theirs.write("/same.json", json({ a: 2 }));
  others.write("/same.json", json({ a: 3 }));
  const result = await undo();
  t.strictSame(JSON.parse(theirs.read("/a.json").toString()), { a: 1, b: 2, d: 1 });
  t.strictSame(JSON.parse(theirs.read("/made.json").toString()), { ours: 1 });
  t.strictSame(JSON.parse(theirs.read("/same.json").toString()), { a: 3 });
  t.strictSame(kept(result), [
    "/made.json: others wrote in it, so it stays",
    "/same.json: others changed the same keys",
  ]);
});

t.test(
  "directories and links: made ones go when nothing is left in them, removed and moved ones are back",
  async (t) => {
    const { store, theirs, others, undo } = await undoFixture(t);
    others.mkdir("/d");
    others.write("/d/f", "f");
    others.mkdir("/empty");
    others.symlink("there", "/link");
    const before = await tree(store);
    theirs.mkdir("/made");
    theirs.mkdir("/made/inner");
    theirs.write("/made/inner/f", "f");
    theirs.symlink("here", "/made/link");
    await theirs.rename("/d", "/made/d");
    theirs.rmdir("/empty");
    await theirs.rename("/link", "/made/moved");
    theirs.mkdir("/shared");
    others.write("/shared/f", "f");
    const result = await undo();
    others.unlink("/shared/f");
    others.rmdir("/shared");
    t.strictSame(await tree(store), before);
    t.strictSame(kept(result), ["/shared: something else is in it"]);
  },
);

t.test("a directory that others filled stays, and so does what its name was taken from", async (t) => {
  const { theirs, others, undo } = await undoFixture(t);
  others.symlink("there", "/name");
  theirs.unlink("/name");
  theirs.mkdir("/name");
  others.write("/name/f", "f");
  const result = await undo();
  t.equal(others.read("/name/f").toString(), "f");
  t.strictSame(
    [changes(result), kept(result)],
    [[], ["/name: its path /name is taken", "/name: something else is in it"]],
  );
});

t.test("what others moved or gave another name stays with it, unless undo is forced", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  others.mkdir("/d");
  const before = await tree(store);
  await theirs.rename("/d", "/theirs");
  await others.rename("/theirs", "/ours");
  theirs.write("/made", "made");
  others.link("/made", "/named");
  theirs.mkdir("/new");
  await others.rename("/new", "/new-too");
  const kinds = kept(await undo());
  t.strictSame(kinds, [
    "/made: others gave it a name, so it stays",
    "/new-too: others moved it since",
    "/ours: others moved it since",
  ]);
  t.ok(others.entry("/ours"));
  t.ok(others.entry("/new-too"));
  t.equal(others.read("/named").toString(), "made");
  t.equal(others.entry("/made"), null, "the name that it was made with goes");
  const forced = await undo(THEM, { force: true });
  t.strictSame(kept(forced), []);
  t.strictSame(await tree(store), before);
});

t.test("a file that was made goes although others moved the directory it is in", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  others.mkdir("/d");
  theirs.write("/d/f", "f");
  await others.rename("/d", "/e");
  const result = await undo();
  t.strictSame([changes(result), kept(result)], [["deleted /e/f"], []]);
  t.strictSame(await tree(store), ["/e 40755 "]);
});

t.test("a directory does not go back into what others put into it", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  for (const path of ["/p", "/p/x", "/q"]) others.mkdir(path);
  await theirs.rename("/p/x", "/q/x");
  await others.rename("/p", "/q/x/p");
  const before = await tree(store);
  const result = await undo();
  t.strictSame(await tree(store), before);
  t.strictSame(kept(result), ["/q/x: the directory it was in is below it"]);
});

t.test("a directory that was removed is back once, whoever makes it again", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  others.mkdir("/d");
  others.write("/d/f", "f");
  others.symlink("there", "/d/link");
  const before = await tree(store);
  theirs.unlink("/d/f");
  theirs.unlink("/d/link");
  theirs.rmdir("/d");
  const { seq } = await undo();
  t.strictSame(await tree(store), before);
  t.strictSame((await undo()).changes, [], "it is there already");
  await undo({ seq: seq ?? 0 });
  t.strictSame(await tree(store), []);
  others.mkdir("/d");
  t.strictSame(kept(await undo()), []);
  t.strictSame(await tree(store), before);
});

t.test("modes and times that others set since stay", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  const times = { sec: 1000, nsec: 0 };
  for (const path of ["/theirs", "/ours"]) others.write(path, "text");
  others.mkdir("/d");
  theirs.setAttributes("/theirs", { permissions: 0o600, mtime: times });
  theirs.setAttributes("/ours", { permissions: 0o600 });
  theirs.setAttributes("/d", { permissions: 0o700 });
  others.setAttributes("/ours", { permissions: 0o640 });
  await undo();
  const modes = (await tree(store)).map((line) => line.split(" ").slice(0, 2).join(" "));
  t.strictSame(modes, ["/d 40755", "/ours 100640", "/theirs 100644"]);
});

t.test("a memory that was folded into another is not back when only that step is undone", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  others.write("/f", lines("old"));
  const before = await tree(store);
  theirs.write("/step", lines("new"));
  await theirs.rename("/step", "/f", { folds: true });
  const { seq } = await undo({ seq: store.usage().headSeq });
  t.strictSame(await tree(store), before, "so it is as if the whole save was undone");
  await undo({ seq: seq ?? 0 });
  t.equal(theirs.read("/f").toString(), lines("new"));
  await undo();
  t.strictSame(await tree(store), before);
});

t.test("an agent in a span of time; and who did nothing is not found", async (t) => {
  const { store, theirs, undo } = await undoFixture(t);
  theirs.write("/f", lines("one"));
  const since = store.past.newestAt + 1;
  theirs.write("/f", lines("one", "two"));
  const until = store.past.newestAt;
  theirs.write("/f", lines("zero", "one", "two"));
  await undo({ agent: "scout", since, until });
  t.equal(theirs.read("/f").toString(), lines("zero", "one"));
  const { headSeq } = store.usage();
  await t.rejects(undo({ session: "s-nobody" }), { code: "not_found", message: /s-nobody has done nothing/ });
  await t.rejects(undo({ agent: "nobody", since: null, until: null }), { code: "not_found" });
  await t.rejects(undo({ seq: 99_999 }), { code: "not_found", message: /no entry #99999/ });
  t.equal(store.usage().headSeq, headSeq);
});

t.test("again there is nothing to do, also after it was taken back and done again", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  others.write("/f", lines("a", "b"));
  theirs.write("/f", lines("a", "B"));
  others.write("/f", lines("top", "a", "B"));
  theirs.write("/made", "made");
  const { seq } = await undo();
  const undone = await tree(store);
  const again = await undo();
  t.strictSame([again.seq, again.changes, again.kept], [null, [], []]);
  const back = await undo({ seq: seq ?? 0 });
  t.equal(theirs.read("/f").toString(), lines("top", "a", "B"));
  t.equal(theirs.read("/made").toString(), "made");
  await undo({ seq: back.seq ?? 0 });
  t.strictSame(await tree(store), undone);
  await undo({ seq: seq ?? 0 });
  t.equal(theirs.read("/made").toString(), "made", "without the first undo, and so without what was about it");
});

t.test("what others do while an undo is put together is honoured, however much it is", async (t) => {
  const { store, theirs, others, undo } = await undoFixture(t);
  const files = Array.from({ length: 200 }, (_, index) => `/f${index}`);
  for (const path of files) others.write(path, lines("ours"));
  for (const path of files) theirs.write(path, lines("ours", "theirs"));
  theirs.mkdir("/made");
  let isOver = false;
  let turns = 0;
  const write = (): void => {
    const path = files[(turns * 7) % files.length] ?? "";
    if (isOver) return;
    others.write(path, others.read(path).toString() + lines(`more ${turns++}`));
    others.write(`/made/${turns}`, "ours");
    setImmediate(write);
  };
  setImmediate(write);
  const result = await undo();
  isOver = true;
  const texts = files.map((path) => others.read(path).toString());
  t.ok(turns > 0, `others had ${turns} turns`);
  t.strictSame(texts.join("").match(/more \d+\n/g)?.length, turns, "all that others wrote is there");
  t.notMatch(texts.join(""), /theirs/);
  t.strictSame([changes(result).length, kept(result)], [files.length, ["/made: something else is in it"]]);
  t.strictSame(await store.check(), []);
});

t.test("others have turns between the beginning of an undo's transaction and its commit", async (t) => {
  const { store, clock, theirs, others, undo } = await undoFixture(t);
  const files = Array.from({ length: 300 }, (_, index) => `/f${index}`);
  for (const path of files) others.write(path, lines("ours"));
  for (const path of files) theirs.write(path, lines("ours", "theirs"));
  const { headSeq } = store.usage();
  const turns: number[] = [];
  const look = (): void => {
    if (store.usage().headSeq > headSeq) return;
    turns.push(clock.now());
    setImmediate(look);
  };
  look();
  const { changes } = await undo();
  const began = changes[0]?.version?.createdAt ?? Infinity;
  const between = turns.filter((at) => at > began).length;
  t.ok(between > 0, `${between} of ${turns.length} turns`);
});
