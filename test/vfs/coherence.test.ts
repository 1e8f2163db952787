/** What the kernels of other mounts are told when something changes, and what they may keep. */
import t, { type Test } from "tap";
import type { NodeRef } from "../../lib/vfs/filesystem.ts";
import { OPERATOR } from "../fixtures/store.ts";
import { mountedFixture, O_APPEND, O_TRUNC, O_RDONLY, O_WRONLY, type TestMount } from "../fixtures/vfs.ts";

/** What a mount's kernel is told while `change` runs. */
async function told(mount: TestMount, change: () => unknown): Promise<string[]> {
  mount.invalidator.calls.length = 0;
  await change();
  return [...mount.invalidator.calls].sort();
}

t.test("each change is told to the mounts that hold what changed, and not to the one that made it", async (t) => {
  const { mount, other } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/f", "one");
  await mount.write("/unseen", "one");
  const second = await other();
  const [directory, file] = [(await second.node("/d")).number, (await second.node("/d/f")).number];
  const { mount: fs, caller } = mount;
  const set = async (path: string, mode: number): Promise<unknown> =>
    fs.setattr(caller, await mount.node(path), null, { mode });
  const append = async (text: string, offset: number): Promise<void> => {
    const log = await mount.open("/d/f", O_WRONLY | O_APPEND);
    await mount.put(log, text, offset);
    await mount.close(log);
  };
  const changes: readonly [string, () => unknown, readonly string[]][] = [
    ["write", () => mount.write("/d/f", "two"), [`content ${file}`]],
    ["append", () => append("three", 3), [`content ${file}`]],
    ["write the same", () => mount.write("/d/f", "twothree"), [`attributes ${file}`]],
    ["create", () => mount.write("/d/g", "new"), [`names ${directory}`]],
    ["create in the root", () => mount.write("/g", "new"), ["names 1"]],
    ["chmod of a file", () => set("/d/f", 0o600), [`attributes ${file}`]],
    ["chmod of a directory", () => set("/d", 0o700), [`attributes ${directory}`]],
    ["chmod of the root", () => set("/", 0o700), ["attributes 1"]],
    [
      "times of the root",
      async () => fs.setattr(caller, await mount.node("/"), null, { mtime: "now" }),
      ["attributes 1"],
    ],
    ["unlink", () => mount.unlink("/d/g"), [`names ${directory}`]],
    ["mkdir", () => mount.mkdir("/d/e"), [`names ${directory}`]],
    ["rmdir", () => mount.rmdir("/d/e"), [`names ${directory}`]],
    ["rename within", () => mount.rename("/d/f", "/d/h"), [`attributes ${file}`, `names ${directory}`]],
    ["rename across", () => mount.rename("/d/h", "/h"), [`attributes ${file}`, `names ${directory}`, "names 1"]],
    [
      "link",
      async () => fs.link(caller, await mount.node("/h"), await mount.node("/"), Buffer.from("l")),
      [`attributes ${file}`, "names 1"],
    ],
    ["what it never saw", () => mount.write("/unseen", "two"), []],
  ];
  for (const [name, change, expected] of changes) {
    mount.invalidator.calls.length = 0;
    const calls = await told(second, change);
    const wanted = [...expected].sort();
    t.ok(wanted.every((call) => calls.includes(call)), `${name}: ${calls.join(", ")}`); // prettier-ignore
    t.ok(
      calls.every((call) => call.endsWith(" 1") || wanted.includes(call)),
      `${name}: nothing else`,
    );
    t.strictSame(mount.invalidator.calls, [], `${name}: its own kernel knows`);
  }
});

t.test("a rollback is told to every mount", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one");
  await mount.write("/f", "two");
  const second = await other({ access: "ro" });
  const { number } = await second.node("/f");
  mount.invalidator.calls.length = 0;
  const { id } = store.memoryAt(Buffer.from("/f"));
  t.strictSame(await told(second, () => store.reversal.rollback({ memoryId: id, to: { n: 1 } }, { actor: OPERATOR })), [
    `content ${number}`,
  ]);
  t.strictSame(mount.invalidator.calls, [`content ${number}`]);
  t.equal(await mount.read("/f"), "one");
  t.equal(await second.read("/f"), "one");
});

t.test(
  "a rollback of the store is in every mount at once, and whoever has a file open that went reads on",
  async (t) => {
    const { mount, other, store } = await mountedFixture(t);
    await mount.mkdir("/d");
    await mount.write("/d/f", "one");
    const { headSeq } = await store.settledUsage();
    await mount.write("/d/f", "two");
    await mount.rename("/d", "/e");
    await mount.write("/new", "new");
    const second = await other();
    t.equal(await second.read("/e/f"), "two");
    const open = await second.open("/new", O_RDONLY);
    await store.reversal.rollbackTree({ path: Buffer.from("/"), to: { seq: headSeq } }, { actor: OPERATOR });
    for (const one of [mount, second]) {
      t.equal(await one.read("/d/f"), "one");
      t.equal(await one.find("/new"), null);
      t.equal(await one.find("/e"), null);
    }
    t.equal((await second.bytes(open, 0, 10)).toString(), "new");
    await second.close(open);
  },
);

/** A file of two versions goes back to the first while a draft of the second is open; the draft is closed after that. */
async function wentBackUnder(t: Test, flags: number, text: string) {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/f", "one\n");
  const { headSeq } = await store.settledUsage();
  await mount.write("/f", "two\n");
  const open = await mount.open("/f", O_WRONLY | flags);
  await mount.put(open, text);
  await store.reversal.rollbackTree({ path: Buffer.from("/"), to: { seq: headSeq } }, { actor: OPERATOR });
  const second = await other();
  t.equal(await second.read("/f"), "one\n", "the others see it back at once");
  await mount.close(open);
  const files = new Map<string, string>();
  for (const name of await second.list("/")) files.set(name.replace(/-.*/, ""), await second.read(`/${name}`));
  t.equal(await mount.read("/f"), await second.read("/f"));
  const { items } = await store.history.list({ path: Buffer.from("/f"), limit: 100 });
  const oldestFirst = items.toReversed();
  const versions = oldestFirst.map(({ operation, actor, parents }) => ({
    operation,
    by: actor.type,
    from: parents.map((id) => oldestFirst.findIndex((item) => item.id === id) + 1),
  }));
  return { files: Object.fromEntries(files), versions };
}

/** The first two versions, and the rollback. */
const BEFORE_THE_CLOSE = [
  { operation: "created", by: "session", from: [] },
  { operation: "modified", by: "session", from: [1] },
  { operation: "modified", by: "user", from: [2] },
];

t.test("what is appended while the file goes back stands behind what it has gone back to", async (t) => {
  t.strictSame(await wentBackUnder(t, O_APPEND, "mine\n"), {
    files: { f: "one\nmine\n" },
    versions: [...BEFORE_THE_CLOSE, { operation: "modified", by: "session", from: [3] }],
  });
});

t.test("a rewrite that adds a line while the file goes back is merged with what it has gone back to", async (t) => {
  t.strictSame(await wentBackUnder(t, O_TRUNC, "two\nmine\n"), {
    files: { f: "one\nmine\n" },
    versions: [...BEFORE_THE_CLOSE, { operation: "modified", by: "session", from: [3, 2] }],
  });
});

t.test("a rewrite of the line that goes back meanwhile is kept beside", async (t) => {
  t.strictSame(await wentBackUnder(t, O_TRUNC, "mine\n"), {
    files: { f: "one\n", "f.conflict": "mine\n" },
    versions: BEFORE_THE_CLOSE,
  });
});

t.test("what a kernel has forgotten it is not told of", async (t) => {
  const { mount, other } = await mountedFixture(t);
  await mount.write("/f", "one");
  const second = await other();
  const node = await second.node("/f");
  await second.node("/f");
  second.mount.forget(node, 1);
  t.strictSame(await told(second, () => mount.write("/f", "two")), [`content ${node.number}`], "one lookup is left");
  second.mount.forget(node, 1);
  t.strictSame(await told(second, () => mount.write("/f", "three")), []);
});

t.test("an append that landed elsewhere than the kernel thought takes its own pages back", async (t) => {
  const { mount, other } = await mountedFixture(t);
  await mount.write("/log", "one\n");
  const second = await other();
  const [mine, theirs] = [
    await mount.open("/log", O_WRONLY | O_APPEND),
    await second.open("/log", O_WRONLY | O_APPEND),
  ];
  await mount.put(mine, "two\n", 4);
  await second.put(theirs, "three\n", 4);
  await mount.close(mine);
  t.strictSame(await told(second, () => second.close(theirs)), [`content ${theirs.node.number}`]);
  t.equal(await second.read("/log"), "one\ntwo\nthree\n");
});

t.test("a kernel keeps its pages from one open to the next, until somebody else commits", async (t) => {
  const { mount, other } = await mountedFixture(t);
  await mount.write("/f", "one");
  const second = await other();
  const keeps = async (from: TestMount): Promise<boolean> => {
    const file = await from.open("/f", O_RDONLY);
    await from.release(file);
    return file.opened.keepCache;
  };
  t.equal(await keeps(second), false, "it has none yet");
  t.equal(await keeps(second), true);
  await mount.write("/f", "two");
  t.equal(await keeps(second), false);
  t.equal(await keeps(second), true);
  t.equal(await keeps(mount), true, "the writer's pages are what it wrote");
  await mount.write("/f", "two");
  t.equal(await keeps(second), true, "the same bytes");
});

t.test("a kernel keeps a listing from one open to the next, until somebody else changes names", async (t) => {
  const { mount, other } = await mountedFixture(t);
  await mount.mkdir("/d");
  await mount.write("/d/f", "one");
  const second = await other();
  const node = await second.node("/d");
  const keeps = async (directory: NodeRef): Promise<boolean> => {
    const handle = await second.mount.opendir(second.caller, directory);
    await second.mount.releasedir(second.caller, directory, handle);
    return handle.keepCache;
  };
  t.equal(await keeps(node), false);
  t.equal(await keeps(node), true);
  await mount.write("/d/f", "two");
  t.equal(await keeps(node), true, "content is no name");
  await mount.write("/d/g", "new");
  t.equal(await keeps(node), false);
  t.equal(await keeps(node), true);
});

t.test("a directory's mtime and ctime grow with each change of its names, however fast", async (t) => {
  const { mount } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  let last = 0n;
  for (let count = 0; count < 50; count++) {
    if (count === 25) await fs.setattr(caller, await mount.node("/"), null, { mtime: { sec: 4e9, nsec: 999_999_998 } });
    await mount.write(`/f${count}`, "");
    const { mtime, mtimeNsec } = await mount.stat("/");
    const now = BigInt(mtime) * 1_000_000_000n + BigInt(mtimeNsec);
    if (now <= last) t.fail(`${now} after ${last}`);
    last = now;
  }
  t.equal(last / 1_000_000_000n, 4_000_000_001n, "also one that is set to the future");
});
