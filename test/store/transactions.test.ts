/** Transactions: a store does what a toy tree does, leaves no trace of what failed, and is sound after each round. */
import t from "tap";
import { MemfsError } from "../../lib/errors.ts";
import { create, setAttributes } from "../../lib/store/tree/entries.ts";
import { finishedContent } from "../../lib/store/content/content-writer.ts";
import { commitContent } from "../../lib/store/merge/commit.ts";
import { S_IFDIR, S_IFREG } from "../../lib/store/tree/mode.ts";
import { rename } from "../../lib/store/tree/rename.ts";
import type { Store } from "../../lib/store/store.ts";
import { ROOT_NODE } from "../../lib/store/tree/tree.ts";
import type { Kv } from "../../lib/kv/kv.ts";
import { FullKv } from "../fixtures/kv-full.ts";
import { randomFrom } from "../fixtures/random.ts";
import { spaceOf, storeFixture } from "../fixtures/store.ts";
import { bytesOf, SCOUT, StoreFiles } from "../fixtures/store-files.ts";

/** A file or a directory of the toy tree; two names of a file hold the same object. */
type Toy = { content: string } | Map<string, Toy>;

/** The toy tree: what a store must look like from outside. */
class Toys {
  readonly root = new Map<string, Toy>();

  at(path: string): Toy | undefined {
    let toy: Toy | undefined = this.root;
    for (const name of path.split("/").slice(1)) {
      if (!(toy instanceof Map)) return undefined;
      toy = toy.get(name);
    }
    return toy;
  }

  set(path: string, toy: Toy | null): void {
    const cut = path.lastIndexOf("/");
    const parent = cut === 0 ? this.root : this.at(path.slice(0, cut));
    if (!(parent instanceof Map)) throw new Error(`no directory above ${path}`);
    if (toy === null) parent.delete(path.slice(cut + 1));
    else parent.set(path.slice(cut + 1), toy);
  }

  /** A line for each name, and the content of files. */
  lines(): string[] {
    const found: string[] = [];
    const walk = (directory: Map<string, Toy>, path: string): void => {
      for (const [name, toy] of directory) {
        found.push(toy instanceof Map ? `${path}/${name}/` : `${path}/${name} ${toy.content}`);
        if (toy instanceof Map) walk(toy, `${path}/${name}`);
      }
    };
    walk(this.root, "");
    return found.sort();
  }
}

/** The same of a store. */
async function lines(store: Store): Promise<string[]> {
  const found: string[] = [];
  const walk = async (directory: number, path: string): Promise<void> => {
    for (const { name, node, type } of (await store.loadListing(directory)).values()) {
      const isDirectory = type === S_IFDIR;
      found.push(isDirectory ? `${path}/${name}/` : `${path}/${name} ${contentOf(store, node)}`);
      if (isDirectory) await walk(node, `${path}/${name}`);
    }
  };
  await walk(ROOT_NODE, "");
  return found.sort();
}

const contentOf = (store: Store, node: number): string => store.content(store.node(node)?.content ?? null).toString();

const NAMES = ["a", "b", "c"];

class Player {
  readonly toys = new Toys();
  files: StoreFiles;
  readonly #below: (limit: number) => number;
  #made = 0;

  constructor(store: Store, below: (limit: number) => number) {
    this.files = new StoreFiles(store);
    this.#below = below;
  }

  #path(): string {
    const depth = 1 + this.#below(3);
    return Array.from({ length: depth }, () => `/${NAMES[this.#below(NAMES.length)]}`).join("");
  }

  /** One random step, in the store and in the toy tree, or in neither. Says what it was. */
  async step(): Promise<string> {
    const [path, other] = [this.#path(), this.#path()];
    const toy = this.toys.at(path);
    switch (this.#below(7)) {
      case 0:
      case 1: {
        if (toy instanceof Map) return "nothing";
        const content = `${this.#made++} ${"x".repeat(this.#below(20_000))}`;
        if (!this.#try(() => this.files.write(path, content))) return `write ${path} refused`;
        if (toy === undefined) this.toys.set(path, { content });
        else toy.content = content;
        return `write ${path}`;
      }
      case 2:
        if (this.#try(() => this.files.mkdir(path))) this.toys.set(path, new Map());
        return `mkdir ${path}`;
      case 3:
        if (toy !== undefined && this.#try(() => this.files.unlink(path))) this.toys.set(path, null);
        return `unlink ${path}`;
      case 4:
        if (toy !== undefined && this.#try(() => this.files.rmdir(path))) this.toys.set(path, null);
        return `rmdir ${path}`;
      case 5:
        if (toy !== undefined && this.#try(() => this.files.link(path, other))) this.toys.set(other, toy);
        return `link ${path} ${other}`;
      default:
        return this.#rename(path, other, toy);
    }
  }

  async #rename(from: string, to: string, toy: Toy | undefined): Promise<string> {
    const over = this.toys.at(to);
    const folds = this.#below(2) === 0;
    try {
      await this.files.rename(from, to, { folds });
    } catch (error) {
      expected(error);
      return `rename ${from} ${to} refused`;
    }
    // Renaming one name of a file over another of its names changes nothing (POSIX).
    if (toy === undefined) throw new Error(`${from} was renamed and is not there`);
    if (over !== toy) {
      this.toys.set(from, null);
      this.toys.set(to, toy);
    }
    return `rename ${from} ${to}${folds ? " folding" : ""}`;
  }

  #try(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      expected(error);
      return false;
    }
  }
}

/** Throws what is no refusal: a bug of the test or of the store. */
function expected(error: unknown): void {
  if (error instanceof MemfsError && !["damaged", "internal", "busy"].includes(error.code)) return;
  if (error instanceof Error && error.message.startsWith("ENOENT")) return;
  throw error;
}

t.test("random changes leave what a toy tree holds, also after it is opened again, and a sound store", async (t) => {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const fixture = await storeFixture(t);
  let { store } = fixture;
  const player = new Player(store, (limit) => Math.floor(random() * limit));
  for (let round = 0; round < 40; round++) {
    const steps: string[] = [];
    for (let count = 0; count < 20; count++) steps.push(await player.step());
    const wanted = player.toys.lines();
    const found = { same: await lines(store), reopened: [] as string[], problems: await store.check() };
    ({ store } = await fixture.reopen());
    found.reopened = await lines(store);
    found.problems.push(...(await store.check()));
    const ok = t.strictSame(found, { same: wanted, reopened: wanted, problems: [] }, `round ${round}`);
    if (!ok) return void t.comment(steps.join("\n"));
    player.files = new StoreFiles(store);
  }
});

/** All that a store tells about itself. */
async function everything(store: Store): Promise<unknown> {
  const listing = await store.loadListing(ROOT_NODE);
  const nodes = [...listing.values()].map(({ node }) => ({ ...store.node(node) }));
  return {
    usage: store.usage(),
    nodes: [{ ...store.node(ROOT_NODE) }, ...nodes],
    lines: await lines(store),
    memories: (await store.listMemories({ limit: 100 })).items,
    versions: (await store.history.list({ limit: 100 })).items,
    bySession: (await store.history.list({ limit: 100, sessionId: "s-1" })).items,
    head: (await store.verify()).head,
  };
}

t.test(
  "a commit that fails changes nothing, in memory or in the database, and works when it is tried again",
  async (t) => {
    const kv = new FullKv();
    const { store, clock } = await storeFixture(t, kv);
    const files = new StoreFiles(store);
    files.write("/f", "one");
    files.write("/g", "two");
    files.mkdir("/d");
    files.write("/d/h", "three");
    const { id } = store.memoryAt(bytesOf("/f"));
    let told = 0;
    store.observe(() => (told += 1));
    const changes: Readonly<Record<string, () => unknown>> = {
      write: () => files.write("/f", "one more"),
      "write a lot": () => files.write("/f", "x".repeat(100_000)),
      create: () => files.write("/new", "new"),
      "create deferred": () =>
        store.update({ actor: SCOUT, deferred: true }, (tx) =>
          create(tx, { parent: ROOT_NODE, name: "later" }, { mode: S_IFREG | 0o644, uid: 0, gid: 0 }),
        ),
      mkdir: () => files.mkdir("/e"),
      link: () => files.link("/f", "/linked"),
      rename: () => files.rename("/f", "/renamed"),
      "rename a directory": () => files.rename("/d", "/moved"),
      "rename over": () => files.rename("/g", "/renamed", { folds: true }),
      attributes: () =>
        store.update({ actor: SCOUT }, (tx) => setAttributes(tx, files.node("/renamed"), { permissions: 0o600 })),
      unlink: () => files.unlink("/new"),
      rmdir: () => files.rmdir("/e"),
      rollback: () => store.reversal.rollback({ memoryId: id, to: { n: 1 } }, { actor: SCOUT }),
      record: () => store.record("mount.attached", {}, { actor: SCOUT }),
    };
    for (const [name, change] of Object.entries(changes)) {
      const before = await everything(store);
      const keys = await count(kv);
      kv.full = true;
      for (let attempt = 0; attempt < 2; attempt++) {
        await t.rejects(async () => change(), { code: "no_space" }, name);
      }
      t.equal(told, 0, "and nobody is told of a change");
      t.strictSame(await everything(store), before, `${name}: nothing changed`);
      t.equal(await count(kv), keys);
      kv.full = false;
      clock.pass(1);
      await change();
      t.ok(told > 0);
      told = 0;
      t.strictSame(await store.check(), [], `${name} works once there is space`);
    }
  },
);

async function count(kv: Kv): Promise<number> {
  let entries = 0;
  for await (const page of spaceOf(kv).scan({ gte: "", lt: "\xff" })) entries += page.length;
  return entries;
}

t.test("a change that throws half-way leaves no trace", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "one");
  const before = await everything(store);
  const stop = new Error("half-way");
  t.throws(() => {
    store.update({ actor: SCOUT }, (tx) => {
      create(tx, { parent: ROOT_NODE, name: "made" }, { mode: S_IFDIR | 0o755, uid: 0, gid: 0 });
      setAttributes(tx, files.node("/f"), { permissions: 0o600 });
      tx.editNode(ROOT_NODE).entries = 99;
      throw stop;
    });
  }, stop);
  t.strictSame(await everything(store), before);
});

t.test("a file that was made in a transaction can be a step of saving another one in the same", async (t) => {
  const { store } = await storeFixture(t);
  const files = new StoreFiles(store);
  files.write("/f", "one");
  const { id } = store.memoryAt(bytesOf("/f"));
  store.update({ actor: SCOUT }, (tx) => {
    const [from, to] = [
      { parent: ROOT_NODE, name: "f.new" },
      { parent: ROOT_NODE, name: "f" },
    ] as const;
    const node = create(tx, from, { mode: S_IFREG | 0o644, uid: 0, gid: 0 });
    commitContent(tx, node, { content: finishedContent(Buffer.from("two")), base: null });
    rename(tx, from, to, { noReplace: false, folds: true });
  });
  t.equal(store.memoryAt(bytesOf("/f")).id, id);
  t.equal(store.readHead(id).toString(), "two");
  t.equal((await store.history.list({ limit: 10 })).items.length, 2);
});
