/** Whose each line is: the version that brought it in, whatever happened to the file since. */
import t from "tap";
import type { BlamedInfo } from "../../lib/store/history/history.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Actor } from "../../lib/store/types.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { OPERATOR, storeFixture } from "../fixtures/store.ts";
import { bytesOf, StoreFiles } from "../fixtures/store-files.ts";

const session = (sessionId: string, agent: string): Actor => ({ type: "session", sessionId, agent });

const headOf = (store: Store, path: string): string => store.memoryAt(bytesOf(path)).headId;

const blame = async (store: Store, id: string): Promise<BlamedInfo[]> => [...(await store.history.blame(id))];

/** `text n`: each line of the head and the number of its version. */
async function blamed(store: Store, path: string): Promise<string[]> {
  const lines = await blame(store, headOf(store, path));
  return lines.map(({ text, version }) => `${text.toString()} ${version.n}`);
}

t.test("a line is its author's through edits around it, renames and modes", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "a\nb\nc\n");
  files.actor = session("s-2", "editor");
  files.write("/f", "a\nB\nc\nd\n");
  await files.rename("/f", "/g");
  files.setAttributes("/g", { permissions: 0o600 });
  files.actor = session("s-3", "third");
  files.write("/g", "0\na\nB\nc\nd\n");
  const lines = await blame(store, headOf(store, "/g"));
  t.strictSame(
    lines.map(({ text, version: { n, actor } }) => [
      text.toString(),
      n,
      actor.type === "session" ? `${actor.agent}/${actor.sessionId}` : "",
    ]),
    [
      ["0", 4, "third/s-3"],
      ["a", 1, "scout/s-1"],
      ["B", 2, "editor/s-2"],
      ["c", 1, "scout/s-1"],
      ["d", 2, "editor/s-2"],
    ],
  );
  const older = await store.history.resolve(store.memoryAt(bytesOf("/g")).id, { n: 2 });
  t.equal((await blame(store, older.id)).length, 4, "a former version is blamed as it was");
});

t.test("a line that is taken out and comes back is of the version it came back with", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "a\nb\nc\n");
  files.write("/f", "a\nc\n");
  files.write("/f", "a\nc\nd\n");
  const memoryId = store.memoryAt(bytesOf("/f")).id;
  await store.reversal.rollback({ memoryId, to: { n: 1 } }, { actor: OPERATOR });
  t.strictSame(await blamed(store, "/f"), ["a 1", "b 4", "c 1"], "by a rollback");
  files.unlink("/f");
  await store.reversal.rollback({ memoryId, to: { n: 1 } }, { actor: OPERATOR });
  t.strictSame(await blamed(store, "/f"), ["a 6", "b 6", "c 6"], "after a deletion nothing was there");
});

t.test("a last line without a line feed is the same line once it has one", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "a\nb");
  files.write("/f", "a\nb\nc");
  t.strictSame(await blamed(store, "/f"), ["a 1", "b 1", "c 2"]);
  files.write("/f", "");
  t.strictSame(await blamed(store, "/f"), [], "an empty file has no lines");
  files.write("/f", "\n");
  t.strictSame(await blamed(store, "/f"), [" 4"], "an empty line is one");
});

t.test("versions that were steps of a save are nobody's", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "a\n");
  files.write("/new", "a\nb\n");
  files.write("/new", "a\nb\nc\n");
  await files.rename("/new", "/f", { folds: true });
  t.strictSame(await blamed(store, "/f"), ["a 1", "b 2", "c 2"]);
});

t.test("what is no text, or too much of it, has no lines to blame", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "a\nb\n");
  files.write("/f", Buffer.from([0x61, 0x0a, 0x00]));
  await t.rejects(store.history.blame(headOf(store, "/f")), { code: "invalid_data", message: /is binary/ });
  files.write("/f", "a\nb\n");
  t.strictSame(await blamed(store, "/f"), ["a 3", "b 3"], "text after binary content begins anew");
  files.write("/f", "x".repeat(3 * 1024 * 1024));
  await t.rejects(store.history.blame(headOf(store, "/f")), { code: "too_large", message: /more than 2 MiB/ });
  files.write("/f", "\n".repeat(100_001));
  await t.rejects(store.history.blame(headOf(store, "/f")), { code: "too_large", message: /100000 lines/ });
  const { id } = store.memoryAt(bytesOf("/f"));
  files.unlink("/f");
  const deleted = await store.history.resolve(id, { at: Number.MAX_SAFE_INTEGER });
  await t.rejects(store.history.blame(deleted.id), { code: "not_found", message: /deletion/ });
  await t.rejects(store.history.blame("memver_0111111111111111111111"), { code: "not_found" });
  await t.rejects(store.history.blame("nonsense"), { code: "not_found" });
});

/** A file whose lines are all different, and who wrote each. */
interface Line {
  readonly text: string;
  readonly n: number;
}

t.test("after random edits by many, every line is whose it is", async (t) => {
  const random = randomFrom(testSeed(t));
  const below = (limit: number): number => Math.floor(random() * limit);
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  const versions: Line[][] = [];
  let path = "/f0";
  let lines: readonly Line[] = [];
  const write = (next: readonly Line[]): void => {
    files.write(path, next.map(({ text }) => `${text}\n`).join(""));
    versions.push([...next]);
    lines = next;
  };
  write([]);
  for (let turn = 1; turn <= 300; turn++) {
    files.actor = session(`s-${below(5)}`, `agent-${below(3)}`);
    const n = versions.length + 1;
    const choice = below(10);
    if (choice === 0) {
      await files.rename(path, `/f${turn}`);
      path = `/f${turn}`;
      versions.push([...lines]);
      continue;
    }
    const next = [...lines];
    for (let edit = 0; edit <= below(3); edit++) {
      const removed = choice < 5 ? below(3) : 0;
      const added = Array.from({ length: below(4) }, (_, index) => ({ text: `${turn}.${edit}.${index}`, n }));
      next.splice(below(next.length + 1), removed, ...added);
    }
    const same = next.length === lines.length && next.every(({ text }, index) => text === lines[index]?.text);
    if (!same) write(next);
  }
  const { id } = store.memoryAt(bytesOf(path));
  for (let n = 1; n <= versions.length; n += 1 + below(20)) {
    const version = await store.history.resolve(id, { n });
    const found = await blame(store, version.id);
    const wanted = versions[n - 1]?.map((line) => `${line.text} ${line.n}`);
    t.strictSame(
      found.map(({ text, version: { n } }) => `${text.toString()} ${n}`),
      wanted,
      `version ${n}`,
    );
  }
});

t.test("a thousand lines over a thousand versions take less than a second, and nobody waits for them", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  const lines = Array.from({ length: 1000 }, (_, line) => `line ${line} as it was written at first`);
  for (let turn = 0; turn < 1000; turn++) {
    lines[(turn * 7) % 1000] = `line ${turn} written again`;
    files.write("/f", `${lines.join("\n")}\n`);
  }
  let turns = 0;
  let over = false;
  const count = (): void => {
    turns += 1;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  // Time of the processor: others may be using it, too.
  const start = process.cpuUsage();
  const found = await blame(store, headOf(store, "/f"));
  const { user, system } = process.cpuUsage(start);
  over = true;
  const took = (user + system) / 1000;
  t.comment(`${took.toFixed(0)} ms in ${turns} turns`);
  t.equal(new Set(found.map(({ version }) => version.id)).size, 1000, "each line is of another version");
  t.ok(took < 1000, `${took} ms`);
  t.ok(turns > 10, `${turns} turns`);
});
