/** fallocate, lseek and copy_file_range, as the kernel passes them on. */

import t from "tap";
import { OPERATOR } from "../fixtures/store.ts";
import type { Policy } from "../../lib/store/types.ts";
import type { Test } from "tap";
import {
  mountedFixture,
  type MountedFixture,
  type OpenFile,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  type TestMount,
} from "../fixtures/vfs.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;
const DATA = 3;
const HOLE = 4;

async function fixtureWith(t: Test, policy: Partial<Policy>): Promise<MountedFixture> {
  const fixture = await mountedFixture(t);
  await fixture.catalogue.setPolicy(fixture.store.info.id, policy, OPERATOR);
  return fixture;
}

const seek = async (mount: TestMount, file: OpenFile, [offset, whence]: [number, number]): Promise<number> =>
  mount.mount.lseek(mount.caller, file.node, file.opened, offset, whence);

async function copy(mount: TestMount, from: [OpenFile, number], to: [OpenFile, number], length: number) {
  const end = ([file, offset]: [OpenFile, number]) => ({ node: file.node, handle: file.opened, offset });
  return mount.mount.copyRange(mount.caller, end(from), end(to), length);
}

t.test("each mode of fallocate does what the manual says", async (t) => {
  const { mount, store } = await mountedFixture(t);
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "0123456789");
  await mount.allocate(file, 0, [5, 5]);
  t.equal((await mount.stat("/f")).size, 10, "what is there stays");
  await mount.allocate(file, KEEP_SIZE, [0, 100]);
  t.equal((await mount.stat("/f")).size, 10);
  await mount.allocate(file, 0, [8, 8]);
  t.equal((await mount.stat("/f")).size, 16);
  await mount.allocate(file, PUNCH_HOLE | KEEP_SIZE, [2, 3]);
  t.equal((await mount.bytes(file, 0, 100)).toString(), "01\0\0\x0056789\0\0\0\0\0\0");
  await mount.allocate(file, ZERO_RANGE, [14, 6]);
  t.equal((await mount.stat("/f")).size, 20);
  await mount.allocate(file, ZERO_RANGE | KEEP_SIZE, [8, 100]);
  t.equal((await mount.bytes(file, 0, 100)).toString(), `01\0\0\x00567${"\0".repeat(12)}`);
  await mount.allocate(file, PUNCH_HOLE | KEEP_SIZE, [1000, 10]);
  t.equal((await mount.stat("/f")).size, 20, "a hole behind the end changes nothing");
  await mount.close(file);
  t.equal(await mount.read("/f"), `01\0\0\x00567${"\0".repeat(12)}`);
  t.equal(store.usage().versions, 1);
});

t.test("fallocate refuses other modes, and limits before anything changes", async (t) => {
  const { mount } = await fixtureWith(t, { maxMemoryBytes: 1000, maxLiveBytes: 1500 });
  await mount.write("/other", "x".repeat(900));
  await mount.write("/f", "text");
  const file = await mount.open("/f", O_RDWR);
  for (const mode of [2, 4, 8, 18, 32, 64]) {
    await t.rejects(mount.allocate(file, mode, [0, 10]), { code: "not_supported" }, `mode ${mode}`);
  }
  for (const mode of [0, KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE]) {
    await t.rejects(mount.allocate(file, mode, [0, 1001]), { code: "file_too_big" }, `mode ${mode}`);
    await t.rejects(mount.allocate(file, mode, [0, 700]), { code: "quota_exceeded" }, `mode ${mode}`);
  }
  await t.rejects(mount.allocate(file, 0, [0, 0]), { code: "invalid_argument" });
  const reader = await mount.open("/f", O_RDONLY);
  await t.rejects(mount.allocate(reader, 0, [0, 10]), { code: "bad_handle" });
  await mount.close(file);
  t.equal(await mount.read("/f"), "text");
});

t.test("fallocate by somebody else than root takes suid away", async (t) => {
  const { mount } = await mountedFixture(t);
  await mount.write("/f", "text");
  const file = await mount.open("/f", O_RDWR);
  const mode = async (): Promise<number> => (await mount.stat("/f")).mode & 0o7777;
  await mount.mount.setattr(mount.caller, file.node, null, { mode: 0o4755 });
  await mount.allocate(file, 0, [0, 10]);
  t.equal(await mode(), 0o4755);
  mount.caller = { ...mount.caller, uid: 1000 };
  await mount.allocate(file, 0, [0, 20]);
  t.equal(await mode(), 0o755);
  await mount.close(file);
});

t.test("data and holes are found, in drafts and in what is stored", async (t) => {
  const { mount } = await mountedFixture(t);
  const file = await mount.open("/f", O_RDWR);
  await mount.putBytes(file, Buffer.alloc(4096, "a"), 1 * MIB);
  await mount.putBytes(file, Buffer.alloc(10_000, "b"), 4 * MIB);
  await mount.truncate(file, 6 * MIB + 5);
  const places = async (): Promise<number[]> => [
    await seek(mount, file, [0, DATA]),
    await seek(mount, file, [0, HOLE]),
    await seek(mount, file, [1 * MIB + 17, DATA]),
    await seek(mount, file, [1 * MIB + 17, HOLE]),
    await seek(mount, file, [2 * MIB, DATA]),
    await seek(mount, file, [4 * MIB, HOLE]),
  ];
  const wanted = [MIB, 0, MIB + 17, MIB + 4096, 4 * MIB, 4 * MIB + 3 * 4096];
  t.strictSame(await places(), wanted, "in the draft");
  await t.rejects(seek(mount, file, [5 * MIB, DATA]), { code: "no_such_offset" });
  await t.rejects(seek(mount, file, [6 * MIB + 5, HOLE]), { code: "no_such_offset" });
  await mount.flush(file);
  t.strictSame(await places(), wanted, "in what is stored");
  await t.rejects(seek(mount, file, [5 * MIB, DATA]), { code: "no_such_offset" });
  await t.rejects(seek(mount, file, [7 * MIB, DATA]), { code: "no_such_offset" });
  await t.rejects(seek(mount, file, [0, 0]), { code: "invalid_argument" });
  await mount.release(file);
  await mount.write("/g", "no holes");
  const small = await mount.open("/g", O_RDONLY);
  t.strictSame([await seek(mount, small, [3, DATA]), await seek(mount, small, [3, HOLE])], [3, 8]);
  await mount.release(small);
});

t.test("a copy of a whole file costs one version and no bytes", async (t) => {
  const { mount, store } = await mountedFixture(t);
  const source = await mount.open("/from", O_RDWR);
  const bytes = Buffer.alloc(3 * MIB, "some text, ");
  await mount.putBytes(source, bytes, 0);
  await mount.close(source);
  const before = store.usage().historyBytes;
  const [from, to] = [await mount.open("/from", O_RDONLY), await mount.open("/to", O_WRONLY)];
  t.equal(await copy(mount, [from, 0], [to, 0], 2 ** 40), bytes.length);
  t.equal(await copy(mount, [from, bytes.length], [to, bytes.length], 2 ** 40), 0, "the end");
  t.equal((await mount.stat("/to")).size, bytes.length);
  await mount.close(to);
  t.equal(store.usage().historyBytes, before);
  const copied = await mount.open("/to", O_RDWR);
  t.ok((await mount.bytes(copied, 0, 4 * MIB)).equals(bytes));
  await mount.put(copied, "X", 2 * MIB);
  await mount.close(copied);
  t.ok((await mount.bytes(from, 0, 4 * MIB)).equals(bytes), "the two go their own ways");
  await mount.close(from);
});

t.test("ranges are copied within a file and between files, also of uncommitted bytes", async (t) => {
  const { mount } = await mountedFixture(t);
  const a = await mount.open("/a", O_RDWR);
  const b = await mount.open("/b", O_RDWR);
  await mount.put(a, "0123456789");
  t.equal(await copy(mount, [a, 2], [b, 3], 4), 4);
  t.equal((await mount.bytes(b, 0, 10)).toString(), "\0\0\x002345");
  t.equal(await copy(mount, [a, 8], [a, 0], 100), 2, "as many as there are");
  t.equal((await mount.bytes(a, 0, 100)).toString(), "8923456789");
  await t.rejects(copy(mount, [a, 0], [a, 5], 6), { code: "invalid_argument" });
  await t.rejects(
    copy(mount, [a, 5], [a, 0], 6).then(() => copy(mount, [a, 3], [a, 4], 2)),
    {
      code: "invalid_argument",
    },
  );
  t.equal(await copy(mount, [a, 50], [b, 0], 5), 0, "behind the end there is nothing");
  const reader = await mount.open("/b", O_RDONLY);
  await t.rejects(copy(mount, [a, 0], [reader, 0], 5), { code: "bad_handle" });
  await mount.close(a);
  await mount.close(b);
  t.equal(await mount.read("/b"), "\0\0\x002345");
});

t.test("copies are held to the limits of the store", async (t) => {
  const { mount } = await fixtureWith(t, { maxMemoryBytes: 100 });
  await mount.write("/from", "x".repeat(100));
  const [from, to] = [await mount.open("/from", O_RDONLY), await mount.open("/to", O_WRONLY)];
  await t.rejects(copy(mount, [from, 0], [to, 1], 100), { code: "file_too_big" });
  await mount.close(to);
  t.equal((await mount.stat("/to")).size, 0);
});

t.test("a read-only mount refuses fallocate and copies, and nothing changes", async (t) => {
  const { mount, other, store } = await mountedFixture(t);
  await mount.write("/from", "from");
  await mount.write("/to", "to");
  const reader = await other({ access: "ro" });
  const [from, to] = [await reader.open("/from", O_RDONLY), await reader.open("/to", O_RDONLY)];
  const { versions } = store.usage();
  await t.rejects(copy(reader, [from, 0], [to, 0], 4), { code: "read_only" });
  await t.rejects(reader.allocate(to, 0, [0, 100]), { code: "read_only" });
  await t.rejects(reader.allocate(to, PUNCH_HOLE | KEEP_SIZE, [0, 1]), { code: "read_only" });
  t.equal(await reader.read("/to"), "to");
  t.equal(store.usage().versions, versions);
});
