/** Handles, and what lives as long as something refers to it. */
import t from "tap";
import type { NodeRef, OpenedHandle } from "../../lib/vfs/filesystem.ts";
import { randomFrom } from "../fixtures/random.ts";
import { stored } from "../fixtures/store.ts";
import { mountedFixture, O_RDWR, O_WRONLY, type TestMount } from "../fixtures/vfs.ts";

const BAD = { code: "bad_handle" };

t.test("a handle that is not open, of the other kind, or of an earlier daemon is refused", async (t) => {
  const { mount, other } = await mountedFixture(t);
  await mount.write("/f", "content");
  const { mount: fs, caller } = mount;
  const root = await mount.node("/");
  const file = await mount.open("/f", O_RDWR);
  const directory = await fs.opendir(caller, root);
  const { node, opened } = file;
  const earlier = { fhHigh: opened.fhHigh ^ (1 << 5), fhLow: opened.fhLow };
  const sink = { plus: false, add: (): boolean => true };
  const flags = { open: O_RDWR, writeback: false };
  const bad = async (handle: Pick<OpenedHandle, "fhHigh" | "fhLow">, name: string): Promise<void> => {
    await t.rejects(async () => fs.write(caller, node, handle, 0, Buffer.from("x"), flags), BAD, `${name}: write`);
    await t.rejects(async () => fs.flush(caller, node, handle, mount.owner), BAD, `${name}: flush`);
    await t.rejects(async () => fs.fsync(caller, node, handle, false), BAD, `${name}: fsync`);
    await t.rejects(async () => fs.release(caller, node, handle), BAD, `${name}: release`);
  };
  await bad(earlier, "an earlier daemon's");
  await bad({ fhHigh: opened.fhHigh, fhLow: 999 }, "never opened");
  await bad(directory, "a directory's");
  await t.rejects(async () => fs.readdir(caller, root, opened, 0, sink), BAD, "a file's");
  await t.rejects(async () => fs.releasedir(caller, root, opened), BAD);
  await mount.close(file);
  await bad(opened, "closed");
  await fs.releasedir(caller, root, directory);
  await t.rejects(async () => fs.readdir(caller, root, directory, 0, sink), BAD, "closed");

  const next = await other({ generation: 2 });
  const theirs = await next.open("/f", O_RDWR);
  t.not(theirs.opened.fhHigh, opened.fhHigh, "generations differ in the handle");
  t.equal(await mount.read("/f"), "content", "and nothing was written");
});

/** Reads a directory a few entries at a time, with something between. */
async function slowly(mount: TestMount, node: NodeRef, between: (read: number) => unknown): Promise<string[]> {
  const { mount: fs, caller } = mount;
  const handle = await fs.opendir(caller, node);
  const names: string[] = [];
  for (let cookie = 0, more = true; more;) {
    let taken = 0;
    more = false;
    const add = (name: Buffer, next: number): boolean => {
      if (taken === 3) return !(more = true);
      taken += 1;
      names.push(name.toString());
      cookie = next;
      return true;
    };
    await fs.readdir(caller, node, handle, cookie, { plus: false, add });
    await between(names.length);
  }
  await fs.releasedir(caller, node, handle);
  return names;
}

t.test("a directory that is read while entries come and go lists once what is there throughout", async (t) => {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const { mount, other, reopen } = await mountedFixture(t);
  await mount.mkdir("/d");
  const stays = Array.from({ length: 40 }, (_, index) => `stays${index}`);
  const goes = Array.from({ length: 20 }, (_, index) => `goes${index}`);
  for (const name of [...stays, ...goes]) await mount.write(`/d/${name}`, "");
  const second = await other();
  let made = 0;
  const node = await second.node("/d");
  const names = await slowly(second, node, async () => {
    const gone = goes.splice(Math.floor(random() * goes.length), 1)[0];
    if (gone !== undefined) await mount.unlink(`/d/${gone}`);
    await mount.write(`/d/new${made++}`, "");
  });
  t.equal(names.length, new Set(names).size, "nothing twice");
  t.strictSame(names.filter((name) => name.startsWith("stays")).sort(), [...stays].sort());
  t.strictSame(names.slice(0, 2), [".", ".."]);
  const order = await slowly(second, node, () => undefined);
  const again = await slowly(mount, await mount.node("/d"), () => undefined);
  t.strictSame(again, order, "the order is the same in every mount");
  const common = names.filter((name) => order.includes(name));
  t.strictSame(common, order.filter((name) => names.includes(name)), "and does not change"); // prettier-ignore
  await reopen();
});

t.test("rewinding a directory shows what is there then", async (t) => {
  const { mount } = await mountedFixture(t);
  const { mount: fs, caller } = mount;
  const root = await mount.node("/");
  const handle = await fs.opendir(caller, root);
  const list = async (): Promise<string[]> => {
    const names: string[] = [];
    await fs.readdir(caller, root, handle, 0, { plus: false, add: (name) => names.push(name.toString()) > 0 });
    return names.slice(2);
  };
  t.strictSame(await list(), []);
  await mount.write("/f", "");
  t.strictSame(await list(), ["f"]);
  await mount.unlink("/f");
  t.strictSame(await list(), []);
});

/** All orders of the items. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) => orders(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

t.test("a removed file goes with the last thing that refers to it, whatever the order, and not before", async (t) => {
  const { mount, other, live, store, kv } = await mountedFixture(t);
  const second = await other();
  const shared = await live.open(store.info.id);
  for (const [index, order] of orders([
    "unlink",
    "close",
    "forget",
    "close there",
    "forget there",
  ] as const).entries()) {
    const path = `/f${index}`;
    await mount.write(path, "content");
    const [here, there] = [await mount.open(path, O_RDWR), await second.open(path, O_WRONLY)];
    const { number } = here.node;
    const left = new Set<string>(order);
    for (const step of order) {
      left.delete(step);
      if (step === "unlink") await mount.unlink(path);
      if (step === "close") await mount.close(here);
      // One lookup came with the write above, one with the open.
      if (step === "forget") mount.mount.forget(here.node, 2);
      if (step === "close there") await second.close(there);
      if (step === "forget there") second.mount.forget(there.node, 1);
      if (index % 10 === 0) shared.reap();
      if (left.size > 0 && store.node(number) === undefined) t.fail(`${order.join()}: gone before ${[...left].join()}`);
    }
  }
  shared.reap();
  t.strictSame(await stored(kv, "o"), [], "no key of an orphan is left");
  t.equal((await stored(kv, "n")).length, 1, "and no node but the root");
});

t.test("a mount that ends lets go of everything, also of what was open and removed", async (t) => {
  const { mount, other, live, kv } = await mountedFixture(t);
  const second = await other();
  await mount.write("/f", "content");
  await mount.mkdir("/d");
  const file = await mount.open("/f", O_RDWR);
  await second.open("/f", O_RDWR);
  await mount.mount.opendir(mount.caller, await mount.node("/d"));
  await mount.put(file, "draft");
  await mount.unlink("/f");
  await mount.rmdir("/d");
  await mount.mount.detach();
  t.equal((await stored(kv, "o")).length, 1, "the other mount has the file open still");
  await second.mount.detach();
  await mount.mount.detach();
  live.close();
  t.strictSame(await stored(kv, "o"), []);
  t.equal((await stored(kv, "n")).length, 1);
});

t.test("what a daemon that died left behind is dropped when the store is opened", async (t) => {
  const { mount, reopen, kv } = await mountedFixture(t);
  await mount.write("/f", "content");
  await mount.open("/f", O_RDWR);
  await mount.unlink("/f");
  t.equal((await stored(kv, "o")).length, 1);
  const { store } = await reopen();
  t.strictSame(await stored(kv, "o"), []);
  t.strictSame(await store.check(), []);
});
