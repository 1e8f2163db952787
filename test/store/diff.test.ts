/** What differs between versions, and between moments: the one with the differences is the other. */
import t from "tap";
import type { DiffSide, FileDiff } from "../../lib/store/history/diff.ts";
import { isFile } from "../../lib/store/tree/mode.ts";
import type { Store } from "../../lib/store/store.ts";
import { ROOT_NODE } from "../../lib/store/tree/tree.ts";
import { joinLines, splitLines } from "../../lib/text/lines.ts";
import { Player } from "../fixtures/player.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { overwrite, stored, storeFixture } from "../fixtures/store.ts";
import { bytesOf, StoreFiles } from "../fixtures/store-files.ts";

/** Path → type, permissions and content of every memory and symbolic link. */
type Snapshot = Map<string, string>;
type Recorded = Map<string, { readonly entry: string; readonly memory: string | null }>;

const entryOf = (mode: number, content: string): string => `${mode.toString(8)} ${content}`;

async function present(store: Store): Promise<Recorded> {
  const found: Recorded = new Map();
  const memories = new Set<string>();
  const walk = async (directory: number, path: string): Promise<void> => {
    for (const { name, node: number } of (await store.loadListing(directory)).values()) {
      const node = store.node(number);
      if (node === undefined) throw new Error("a name without a node");
      if (node.target !== null) found.set(`${path}/${name}`, { entry: entryOf(node.mode, node.target), memory: null });
      else if (!isFile(node.mode)) await walk(number, `${path}/${name}`);
      else if (node.memory !== null) memories.add(node.memory);
    }
  };
  await walk(ROOT_NODE, "");
  for (const uid of memories) {
    const memory = store.memoryRecord(uid);
    const node = store.node(memory?.node ?? 0);
    if (memory === undefined || node === undefined) throw new Error("a memory without a file");
    const entry = entryOf(node.mode, store.content(memory.hash).toString("latin1"));
    found.set(memory.path, { entry, memory: uid });
  }
  return found;
}

/** Without what was a step of saving another memory, as is known now. */
function listed(store: Store, recorded: Recorded): Snapshot {
  const kept = [...recorded].filter(
    ([, { memory }]) => memory === null || store.memoryRecord(memory)?.state !== "folded",
  );
  return new Map(kept.map(([path, { entry }]) => [path, entry]));
}

/** Applies what is said to differ. */
function applied(before: Snapshot, files: readonly FileDiff[]): Snapshot {
  const after: Snapshot = new Map(before);
  for (const { from } of files) if (from !== null) after.delete(from.path);
  for (const file of files) {
    if (file.to === null) continue;
    const old = file.from === null ? null : contentOf(before, file.from);
    after.set(file.to.path, entryOf(file.to.mode, patched(old ?? "", file)));
  }
  return after;
}

function contentOf(snapshot: Snapshot, { path, mode }: DiffSide): string {
  const found = snapshot.get(path) ?? "nothing";
  const head = entryOf(mode, "");
  if (!found.startsWith(head)) throw new Error(`${path} is ${found.slice(0, 20)} and not ${head}`);
  return found.slice(head.length);
}

function patched(before: string, { hunks }: FileDiff): string {
  const { lines, terminated } = splitLines(bytesOf(before));
  const result: string[] = [];
  let ends = terminated;
  let at = 0;
  for (const { from, fromCount, lines: changed } of hunks) {
    const start = fromCount === 0 ? from : from - 1;
    result.push(...lines.slice(at, start));
    const kept = changed.filter(({ kind }) => kind !== "removed");
    result.push(...kept.map(({ text }) => text));
    at = start + fromCount;
    if (at === lines.length) ends = kept.at(-1)?.terminated ?? true;
  }
  result.push(...lines.slice(at));
  return joinLines({ lines: result, terminated: ends }).toString("latin1");
}

async function collected(files: AsyncIterable<FileDiff>): Promise<FileDiff[]> {
  const found: FileDiff[] = [];
  for await (const file of files) found.push(file);
  return found;
}

t.test("between any two moments of a random history, one with what differs is the other", async (t) => {
  const random = randomFrom(testSeed(t));
  const fixture = await storeFixture(t);
  const player = new Player(fixture.store, random);
  const snapshots = new Map<number, Recorded>();
  for (let count = 0; count < 3000 && snapshots.size < 250; count++) {
    await player.step();
    const { headSeq } = fixture.store.usage();
    if (!snapshots.has(headSeq)) snapshots.set(headSeq, await present(fixture.store));
  }
  const { store } = await fixture.reopen();
  const moments = [...snapshots].map(([seq, recorded]): [number, Snapshot] => [seq, listed(store, recorded)]);
  t.ok(moments.length > 100, "enough of the changes were made");
  const pick = (): [number, Snapshot] => moments[Math.floor(random() * moments.length)] ?? [0, new Map()];
  let differing = 0;
  for (let round = 0; round < 150; round++) {
    const [[from, before], [to, after]] = [pick(), pick()];
    const files = await collected(await store.history.diffTrees({ from, to, directory: "" }));
    differing += files.length;
    const made = applied(before, files);
    if (!t.strictSame([...made].sort(), [...after].sort(), `from entry ${from} to ${to}`)) return;
    const paths = files.map(({ from, to }) => to?.path ?? from?.path ?? "");
    t.strictSame(paths, [...paths].sort(), "by path");
  }
  t.ok(differing > 100, "enough differed");
});

async function between(store: Store, from: number, directory = ""): Promise<string[]> {
  const files = await collected(await store.history.diffTrees({ from, to: store.usage().headSeq, directory }));
  return files.map(({ from, to, kind, hunks }) => {
    const side = (one: DiffSide | null): string => (one === null ? "none" : `${one.path} ${one.mode.toString(8)}`);
    return `${side(from)} → ${side(to)}: ${kind}, ${hunks.length} hunks`;
  });
}

t.test("what moved is one file with two paths, what went and came again one that changed", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.mkdir("/d");
  for (const name of ["/d/moved", "/again", "/gone", "/mode", "/same", "/touched"]) files.write(name, `${name}\n`);
  files.symlink("old", "/d/link");
  const start = store.usage().headSeq;
  await files.rename("/d", "/e");
  files.write("/e/moved", "another\n");
  files.unlink("/again");
  files.write("/again", "new\n");
  files.unlink("/gone");
  files.setAttributes("/mode", { permissions: 0o600 });
  files.write("/touched", "x");
  files.write("/touched", "/touched\n");
  files.write("/new", "");
  // What no diff shows: empty directories, files without history, times.
  files.mkdir("/empty");
  files.write("/scratch.tmp", "x");
  files.setAttributes("/same", { mtime: { sec: 1, nsec: 0 } });
  t.strictSame(await between(store, start), [
    "/again 100644 → /again 100644: text, 1 hunks",
    "/d/link 120777 → none: text, 1 hunks",
    "none → /e/link 120777: text, 1 hunks",
    "/d/moved 100644 → /e/moved 100644: text, 1 hunks",
    "/gone 100644 → none: text, 1 hunks",
    "/mode 100644 → /mode 100600: text, 0 hunks",
    "none → /new 100644: text, 0 hunks",
  ]);
  t.strictSame(
    await between(store, start, "/e"),
    ["none → /e/link 120777: text, 1 hunks", "none → /e/moved 100644: text, 1 hunks"],
    "what moved into a directory came",
  );
  t.strictSame(await between(store, store.usage().headSeq), []);
});

t.test("a version is compared with any other, or the one before it", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  const contents = ["a\n", "a\nb\n", Buffer.from([0, 1]), "x".repeat(2 * 2 ** 20), "a\nb\n"];
  for (const content of contents) files.write("/f", content);
  files.write("/other", "a\nb\n");
  files.setAttributes("/other", { permissions: 0o600 });
  const { id } = store.memoryAt(bytesOf("/f"));
  await files.rename("/f", "/g");
  files.unlink("/g");
  const idOf = async (n: number): Promise<string> => (await store.history.resolve(id, { n })).id;
  const changed = async (n: number): Promise<FileDiff | null> => store.history.diff(null, await idOf(n));
  t.match(await changed(1), { from: null, to: { path: "/f" }, kind: "text", hunks: [{ toCount: 1 }] });
  t.match(await changed(2), { from: { path: "/f" }, hunks: [{ lines: [{ kind: "context" }, { kind: "added" }] }] });
  t.match(await changed(3), { kind: "binary", hunks: [] });
  t.match(await changed(5), { kind: "too_large", hunks: [] }, "more than a MiB in one piece");
  t.match(await changed(6), { from: { path: "/f" }, to: { path: "/g" }, kind: "text", hunks: [] }, "a move");
  t.match(await changed(7), { from: { path: "/g" }, to: null, hunks: [{ fromCount: 2 }] }, "a deletion");
  t.equal(await store.history.diff(await idOf(2), await idOf(5)), null, "the same content");
  const other = store.memoryAt(bytesOf("/other")).headId;
  t.equal(await store.history.diff(other, await idOf(5)), null, "of two memories only the content counts");
  t.match(await store.history.diff(other, await idOf(1)), { hunks: [{ fromCount: 2, toCount: 1 }] });
  await t.rejects(store.history.diff(other, "memver_0111111111111111111111"), { code: "not_found" });
});

t.test("a file whose content is damaged does not hide what differs elsewhere", async (t) => {
  const { store, kv, reopen } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/a", "a\n");
  files.write("/b", "b\n");
  const start = store.usage().headSeq;
  files.write("/a", "A\n");
  files.write("/b", "B\n");
  const before = new Map((await stored(kv, "c")).map(({ key, value }) => [key, value]));
  const lost = [...before].find(([, value]) => value.includes("A\n"));
  if (lost === undefined) throw new Error("the content is not found");
  overwrite(kv, lost[0], null);
  const again = (await reopen()).store;
  t.strictSame(await between(again, start), [
    "/a 100644 → /a 100644: damaged, 0 hunks",
    "/b 100644 → /b 100644: text, 1 hunks",
  ]);
  const head = again.memoryAt(bytesOf("/a")).headId;
  await t.rejects(again.history.diff(null, head), { code: "damaged" });
  await t.rejects(again.history.blame(head), { code: "damaged" });
  overwrite(kv, ...lost);
});
