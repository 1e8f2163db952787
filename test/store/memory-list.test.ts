/** Lists of memories: in byte order of their paths, below a prefix, rolled up, in pages that neither repeat nor skip. */
import t from "tap";
import type { Store } from "../../lib/store/store.ts";
import type { ListMemories } from "../../lib/store/types.ts";
import { randomFrom } from "../fixtures/random.ts";
import { storeFixture } from "../fixtures/store.ts";
import { bytesOf, StoreFiles } from "../fixtures/store-files.ts";

/** Names around the slash in byte order: what sorts before, at and after it. */
const PATHS = [
  "/a",
  "/a!",
  "/a-b/x",
  "/a.md",
  "/a.d/z",
  "/ab/c/d/e",
  "/ab/c/d.x",
  "/ab/c-",
  "/ab0",
  "/b\xff\xfe",
  "/b\xff/\x01",
  "/c/only/deep/down",
  "/}",
].sort();

function fill(files: StoreFiles, paths: readonly string[]): void {
  for (const path of paths) {
    const parts = path.split("/").slice(1, -1);
    parts.forEach((_part, index) => {
      const directory = `/${parts.slice(0, index + 1).join("/")}`;
      if (files.entry(directory) === null) files.mkdir(directory);
    });
    files.write(path, path);
  }
}

/** Paths, and prefixes of what is rolled up. */
async function pages(store: Store, options: ListMemories, between: () => void = () => undefined): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page = await store.listMemories(cursor === "" ? options : { ...options, cursor });
    if (page.items.length > options.limit) throw new Error("a page is longer than asked for");
    if (found.length > 10_000) throw new Error("the list does not end");
    found.push(...page.items.map((item) => ("prefix" in item ? item.prefix : item.path).toString("latin1")));
    cursor = page.next;
    between();
  }
  return found;
}

t.test("all memories, in byte order of their paths, in pages of any length", async (t) => {
  const { store, reopen } = await storeFixture(t);
  fill(new StoreFiles(store), PATHS);
  for (const limit of [1, 2, 5, 100]) t.strictSame(await pages(store, { limit }), PATHS, `pages of ${limit}`);
  t.strictSame(await pages((await reopen()).store, { limit: 3 }), PATHS, "also when nothing is cached");
});

t.test("only what is below the prefix", async (t) => {
  const { store } = await storeFixture(t);
  fill(new StoreFiles(store), PATHS);
  for (const prefix of ["/", "/ab/", "/ab/c/", "/b\xff/", "/c/", "/a/", "/missing/", "/ab/c/d.x/"]) {
    const expected = PATHS.filter((path) => path.startsWith(prefix));
    for (const limit of [1, 100])
      t.strictSame(await pages(store, { prefix: bytesOf(prefix), limit }), expected, prefix);
  }
  for (const prefix of ["", "/ab", "ab/"]) {
    await t.rejects(store.listMemories({ prefix: bytesOf(prefix), limit: 1 }), { code: "invalid_argument" });
  }
});

t.test("one level deep, what is deeper is one prefix for each directory that holds memories", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  fill(files, PATHS);
  files.mkdir("/empty");
  files.mkdir("/c/empty");
  for (const prefix of ["/", "/ab/", "/c/"]) {
    const below = PATHS.filter((path) => path.startsWith(prefix)).map((path) => {
      const slash = path.indexOf("/", prefix.length);
      return slash < 0 ? path : path.slice(0, slash + 1);
    });
    const expected = [...new Set(below)];
    for (const limit of [1, 2, 100]) {
      t.strictSame(await pages(store, { prefix: bytesOf(prefix), depth: 1, limit }), expected, `${prefix} by ${limit}`);
    }
  }
});

t.test("what is there throughout is listed once, whatever comes and goes meanwhile", async (t) => {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  fill(files, PATHS);
  for (const limit of [1, 3]) {
    const made: string[] = [];
    const listed = await pages(store, { limit }, () => {
      const directory = ["", "/ab", "/ab/c", "/c", "/c/only"][Math.floor(random() * 5)] ?? "";
      const path = `${directory}/${String.fromCharCode(33 + Math.floor(random() * 14))}${made.length}${limit}`;
      if (made.length > 3 && random() < 0.4) files.unlink(made.splice(Math.floor(random() * made.length), 1)[0] ?? "");
      files.write(path, path);
      made.push(path);
    });
    t.strictSame(listed.filter((path) => PATHS.includes(path)), PATHS); // prettier-ignore
    t.equal(new Set(listed).size, listed.length, "nothing twice");
    for (const path of made) files.unlink(path);
  }
});

t.test("a memory with several names is listed once, at its path; what is no memory is not listed", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  fill(files, ["/m"]);
  files.link("/m", "/a-link");
  files.mkdir("/d");
  for (const limit of [1, 100]) t.strictSame(await pages(store, { limit }), ["/m"]);
  files.unlink("/m");
  t.strictSame(await pages(store, { limit: 100 }), ["/a-link"], "its path is the oldest name left");
});
