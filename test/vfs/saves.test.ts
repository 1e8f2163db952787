import fc from "fast-check";
import t, { type Test } from "tap";
import { historyFixture } from "../fixtures/history.ts";
import { stored } from "../fixtures/store.ts";
import { O_EXCL, O_TRUNC, O_WRONLY, type TestMount } from "../fixtures/vfs.ts";

/** `open(path, O_CREAT | O_EXCL)`, write, close. */
async function writeNew(mount: TestMount, path: string, text: string): Promise<void> {
  const file = await mount.open(path, O_WRONLY | O_EXCL);
  await mount.put(file, text);
  await mount.close(file);
}

/** Every later call of the mount is another process's. */
function asProcess(mount: TestMount, pid: number): void {
  mount.caller = { ...mount.caller, pid };
}

const PYTHON = 4_000_001;
const SHELL = 4_000_002;

/** How programs save `/f`, and what else is a memory then. */
const SAVES: Readonly<Record<string, { save(mount: TestMount): Promise<void>; others?: string[] }>> = {
  "sed -i: an exclusive temporary file, renamed": {
    save: async (mount) => {
      await writeNew(mount, "/sedAbC123", "new");
      await mount.rename("/sedAbC123", "/f");
    },
  },
  "a temporary file of any name, renamed": {
    save: async (mount) => {
      await mount.write("/f.new", "new");
      await mount.rename("/f.new", "/f");
    },
  },
  "an agent's tool: .tmp-<pid>-<uuid>": {
    save: async (mount) => {
      await mount.write("/.tmp-12-34ab", "new");
      await mount.rename("/.tmp-12-34ab", "/f");
    },
  },
  "vim: rename(f, f~), create f, unlink f~": {
    save: async (mount) => {
      await mount.rename("/f", "/f~");
      await mount.write("/f", "new");
      await mount.unlink("/f~");
    },
  },
  "emacs: rename(f, f~), create f exclusively": {
    save: async (mount) => {
      await mount.rename("/f", "/f~");
      await writeNew(mount, "/f", "new");
    },
  },
  "rename(f, f.bak), create f": {
    save: async (mount) => {
      await mount.rename("/f", "/f.bak");
      await mount.write("/f", "new");
    },
    others: ["/f.bak"],
  },
  "sed -i.bak: rename(f, f.bak), rename(temp, f)": {
    save: async (mount) => {
      await writeNew(mount, "/sedXyZ", "new");
      await mount.rename("/f", "/f.bak");
      await mount.rename("/sedXyZ", "/f");
    },
    others: ["/f.bak"],
  },
  "git checkout, tar: unlink, create exclusively": {
    save: async (mount) => {
      await mount.unlink("/f");
      await writeNew(mount, "/f", "new");
    },
  },
  "cp --remove-destination: unlink, create": {
    save: async (mount) => {
      await mount.unlink("/f");
      await mount.write("/f", "new");
    },
  },
  "unlink, rename(temp, f)": {
    save: async (mount) => {
      await writeNew(mount, "/temp", "new");
      await mount.unlink("/f");
      await mount.rename("/temp", "/f");
    },
  },
};

for (const [name, { save, others = [] }] of Object.entries(SAVES)) {
  t.test(`one modified of the same memory: ${name}`, async (t) => {
    const { mount, log, paths, idOf, store, clock } = await historyFixture(t);
    await mount.write("/f", "old");
    const id = idOf("/f");
    clock.pass(100);
    for (const round of [1, 2]) {
      await save(mount);
      t.equal(idOf("/f"), id, "the id is kept");
      t.equal(await mount.read("/f"), "new");
      t.same(await paths(), ["/f", ...others]);
      if (round === 1) t.same(await log("/f"), ["modified", "created"]);
      clock.pass(100);
      await mount.write("/f", "old, again");
      for (const other of others) t.match(await log(other), round === 1 ? ["created"] : ["modified", "created"]);
    }
    t.match(store.usage(), { memories: 1 + others.length });
  });

  t.test(`the daemon dies before what is held back is recorded: ${name}`, async (t) => {
    const { mount, store, reopen, kv, clock } = await historyFixture(t);
    await mount.write("/f", "old");
    const id = store.memoryAt(Buffer.from("/f")).id;
    clock.pass(100);
    await save(mount);
    const again = await reopen();
    t.same(await stored(kv, "q"), [], "nothing is held back any more");
    t.equal(again.store.memoryAt(Buffer.from("/f")).id, id);
    t.same(await again.store.check(), []);
  });
}

t.test("perl -i.orig: a backup by linking is a memory of its own", async (t) => {
  const { mount, log, paths, idOf } = await historyFixture(t);
  await mount.write("/f", "old");
  const id = idOf("/f");
  await writeNew(mount, "/XXabcd", "new");
  await mount.mount.link(mount.caller, await mount.node("/f"), { slot: 0, number: 1 }, Buffer.from("f.orig"));
  await mount.rename("/XXabcd", "/f");
  t.equal(idOf("/f"), id);
  t.same(await log("/f"), ["modified", "created"]);
  t.same(await log("/f.orig"), ["created"]);
  t.same([await mount.read("/f"), await mount.read("/f.orig")], ["new", "old"]);
  t.same(await paths(), ["/f", "/f.orig"]);
});

t.test("a removal is deleted when history is asked for, when a second has passed, or for somebody else", async (t) => {
  const { mount, log, paths, store, idOf, clock } = await historyFixture(t);
  await mount.write("/a", "1");
  const id = idOf("/a");
  const before = store.usage().headSeq;
  await mount.unlink("/a");
  t.equal(await mount.find("/a"), null, "gone for everybody at once");
  t.equal(store.usage().headSeq, before, "and not recorded");
  t.equal(store.usage().memories, 0);
  t.same(await log("/a"), ["deleted", "created"], "until somebody asks");
  await mount.write("/a", "2");
  t.not(idOf("/a"), id);

  await mount.unlink("/a");
  clock.pass(1);
  await mount.write("/a", "3");
  t.same(await log("/a"), ["created", "deleted", "created", "deleted", "created"], "a second later");

  asProcess(mount, PYTHON);
  await mount.unlink("/a");
  asProcess(mount, SHELL);
  await mount.write("/a", "4");
  t.equal((await log("/a")).filter((operation) => operation === "deleted").length, 3, "rm a; echo > a");
  t.same(await paths(), ["/a"]);
});

t.test("what is recorded late has the author and the time of when it happened", async (t) => {
  const { mount, store, clock } = await historyFixture(t);
  await mount.write("/a", "1");
  asProcess(mount, PYTHON);
  const at = clock.now();
  await mount.unlink("/a");
  clock.pass(30);
  const { items } = await store.history.list({ path: Buffer.from("/a"), limit: 1 });
  t.match(items, [{ operation: "deleted", evidence: { pid: PYTHON }, actor: { sessionId: "s-1" } }]);
  t.ok((items[0]?.createdAt ?? 0) - at < 1000);
});

t.test("mv is recorded as a move, also several in a row", async (t) => {
  const { mount, log, idOf, store } = await historyFixture(t);
  await mount.write("/a", "1");
  const id = idOf("/a");
  await mount.rename("/a", "/b");
  await mount.rename("/b", "/c");
  await mount.append("/c", "2");
  t.equal(idOf("/c"), id);
  t.same(await log("/c"), ["modified", "modified", "modified", "created"]);
  const { items } = await store.history.list({ path: Buffer.from("/c"), limit: 9 });
  t.same(items.map(({ path }) => path?.toString()), ["/c", "/c", "/b", "/a"]); // prettier-ignore
});

t.test("an exclusive file is no memory until it has lasted, is opened by another session, or is renamed", async (t) => {
  const { mount, other, paths, store, clock } = await historyFixture(t);
  const { headSeq } = store.usage();
  await writeNew(mount, "/lock", "1");
  await mount.unlink("/lock");
  t.equal(store.usage().headSeq, headSeq, "a lock file leaves no trace");

  const reader = await other();
  await writeNew(mount, "/seen", "2");
  t.equal(await reader.read("/seen"), "2");
  t.equal(store.usage().memories, 1, "opened by another session");

  await writeNew(mount, "/x", "3");
  await mount.rename("/x", "/renamed");
  t.equal(store.usage().memories, 2);

  await writeNew(mount, "/lasts", "4");
  t.equal(store.usage().memories, 2);
  clock.pass(1);
  t.equal(store.settling.recordDue(), true);
  t.equal(store.usage().memories, 3);
  await writeNew(mount, "/asked", "5");
  t.same(await paths(), ["/asked", "/lasts", "/renamed", "/seen"]);
});

t.test("an exclusive file that is written for long is a memory with its first close", async (t) => {
  const { mount, log, clock } = await historyFixture(t);
  const file = await mount.open("/slow", O_WRONLY | O_EXCL);
  await mount.put(file, "a");
  clock.pass(3);
  await mount.close(file);
  t.same(await log("/slow"), ["created"]);
});

t.test("a memory that goes on in a new file does so when that is written, however long it takes", async (t) => {
  const { mount, log, paths, clock, store, idOf } = await historyFixture(t);
  await mount.write("/f", "old");
  const id = idOf("/f");
  await mount.unlink("/f");
  const file = await mount.open("/f", O_WRONLY | O_TRUNC);
  clock.pass(5);
  t.equal(store.settling.recordDue(), true);
  t.same(await paths(), [], "being written");
  await mount.put(file, "new");
  await mount.close(file);
  t.equal(idOf("/f"), id);
  t.same(await log("/f"), ["modified", "created"]);

  await mount.unlink("/f");
  const lost = await mount.open("/f", O_WRONLY | O_TRUNC);
  await mount.unlink("/f");
  await mount.release(lost);
  t.same(await log("/f"), ["deleted", "modified", "created"], "given up before it was written");
});

t.test("what the daemon leaves behind is settled at the next start", async (t) => {
  const { mount, reopen } = await historyFixture(t);
  await mount.write("/gone", "1");
  await mount.write("/moved", "2");
  await mount.write("/claimed", "3");
  await mount.unlink("/gone");
  await mount.rename("/moved", "/there");
  await mount.unlink("/claimed");
  await mount.open("/claimed", O_WRONLY | O_TRUNC);
  await writeNew(mount, "/made", "4");
  await mount.open("/empty", O_WRONLY | O_EXCL);
  const { store } = await reopen();
  const log = async (path: string): Promise<(string | number | null)[][]> => {
    const { items } = await store.history.list({ path: Buffer.from(path), limit: 9 });
    return items.map(({ operation, size }) => [operation, size]);
  };
  t.same(await log("/gone"), [["deleted", null], ["created", 1]]); // prettier-ignore
  t.same(await log("/there"), [["modified", 1], ["created", 1]]); // prettier-ignore
  t.same(await log("/claimed"), [["modified", 0], ["created", 1]]); // prettier-ignore
  t.same(await log("/made"), [["created", 1]]);
  t.same(await log("/empty"), [["created", 0]]);
  t.same(await store.check(), []);
});

t.test("a directory that is scratch for a moment keeps its memories", async (t) => {
  const { mount, log, idOf } = await historyFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/a", "1");
  const id = idOf("/d/a");
  await mount.rename("/d", "/d~");
  await mount.rename("/d~", "/d");
  t.equal(idOf("/d/a"), id);
  t.same(await log("/d/a"), ["created"]);
});

t.test("whatever is done to names, every memory ends live or deleted, and the store is sound", async (t) => {
  const names = ["a", "b", "c", "a~", "b.tmp", "d/a", "d/b", "d~/a"];
  const name = fc.constantFrom(...names.map((one) => `/${one}`));
  const step = fc.record({
    what: fc.constantFrom("write", "new", "unlink", "rename", "rename", "link", "mvdir", "wait", "ask"),
    one: name,
    two: name,
    pid: fc.constantFrom(PYTHON, SHELL),
    mount: fc.nat(1),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => run(t, steps)),
    { numRuns: 100 },
  );
});

interface Step {
  readonly what: string;
  readonly one: string;
  readonly two: string;
  readonly pid: number;
  readonly mount: number;
}

async function run(t: Test, steps: readonly Step[]): Promise<void> {
  await t.test("steps", async (t) => {
    const { mount, other, store, clock } = await historyFixture(t);
    const mounts = [mount, await other()];
    await mount.mkdir("/d");
    for (const step of steps) {
      const via = mounts[step.mount] ?? mount;
      asProcess(via, step.pid);
      try {
        await take(via, step);
      } catch (error) {
        // A name that is not there, or is: what a program would be told, too.
        const { code } = error as { code?: string };
        if (code === undefined && !(error as Error).message.startsWith("ENOENT")) throw error;
        if (code === "damaged" || code === "internal") throw error;
      }
      if (step.what === "wait") clock.pass(2);
      if (step.what === "ask") await store.listMemories({ limit: 100 });
    }
    const problems = await store.check();
    if (problems.length > 0) throw new Error(`${JSON.stringify(steps)}: ${problems.join("; ")}`);
  });
}

async function take(via: TestMount, { what, one, two }: Step): Promise<void> {
  if (what === "write") await via.write(one, `${one} ${Math.random()}`);
  if (what === "new") await writeNew(via, one, "new");
  if (what === "unlink") await via.unlink(one);
  if (what === "rename") await via.rename(one, two);
  if (what === "mvdir") await via.rename("/d", "/d~").catch(() => via.rename("/d~", "/d"));
  if (what !== "link") return;
  const cut = two.lastIndexOf("/");
  const parent = await via.node(two.slice(0, cut));
  await via.mount.link(via.caller, await via.node(one), parent, Buffer.from(two.slice(cut + 1)));
}
