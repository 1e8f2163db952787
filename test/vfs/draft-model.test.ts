/** Drafts of any size against a plain buffer: what is read is what was written, wherever the bytes are kept. */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { sha256 } from "../../lib/store/content/hash.ts";
import { randomFrom } from "../fixtures/random.ts";
import { OPERATOR } from "../fixtures/store.ts";
import { mountedFixture, type MountedFixture, O_APPEND, O_RDWR } from "../fixtures/vfs.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const PUNCH_HOLE_KEEP_SIZE = 3;
const ZERO_RANGE = 16;

const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1e9);
t.comment(`seed ${seed}; repeat with MEMFS_TEST_SEED=${seed}`);

/** A mount whose drafts have little memory, and room on disk. */
async function tight(t: Test, write?: (fd: number, bytes: Uint8Array, position: number) => number) {
  const directory = mkdtempSync(join(tmpdir(), "memfs-spill-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const bounds = { total: 512 * KIB, each: 256 * KIB };
  const spill = write === undefined ? { directory, bounds } : { directory, bounds, disk: { write } };
  const fixture = await mountedFixture(t, undefined, spill);
  const limit = 64 * MIB;
  const policy = { maxMemoryBytes: limit, maxLiveBytes: 10 * limit, maxHistoryBytes: 100 * limit };
  await fixture.catalogue.setPolicy(fixture.store.info.id, policy, OPERATOR);
  return { ...fixture, directory };
}

/** The model: the same operations on one buffer. */
class Model {
  bytes = Buffer.alloc(0);

  write(offset: number, data: Buffer): void {
    this.truncate(Math.max(this.bytes.length, offset + data.length));
    data.copy(this.bytes, offset);
  }

  truncate(size: number): void {
    const grown = Buffer.alloc(size);
    this.bytes.copy(grown, 0, 0, Math.min(size, this.bytes.length));
    this.bytes = grown;
  }

  zero(offset: number, length: number): void {
    this.bytes.fill(0, Math.min(offset, this.bytes.length), Math.min(offset + length, this.bytes.length));
  }
}

const SCALES = [6 * KIB, 20 * KIB, 300 * KIB, 3 * MIB];

async function play(t: Test, fixture: MountedFixture, round: number, scale: number): Promise<void> {
  const random = randomFrom(seed + round);
  const below = (limit: number): number => Math.floor(random() * limit);
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)));
  const pattern = noise(64 * KIB);
  const data = (): Buffer => {
    const length = 1 + below(random() < 0.5 ? 5000 : scale / 4);
    return Buffer.alloc(length, pattern.subarray(below(1000)));
  };
  const { mount } = fixture;
  const model = new Model();
  const path = `/f${round}`;
  let file = await mount.open(path, O_RDWR);
  for (let step = 0; step < 60; step++) {
    const kind = below(12);
    const offset = below(scale);
    const bytes = data();
    if (kind < 4) {
      await mount.putBytes(file, bytes, offset);
      model.write(offset, bytes);
    } else if (kind < 6) {
      const end = model.bytes.length;
      await mount.putBytes({ ...file, flags: O_RDWR | O_APPEND }, bytes, 0);
      model.write(end, bytes);
    } else if (kind === 6) {
      await mount.truncate(file, offset);
      model.truncate(offset);
    } else if (kind === 7) {
      await mount.allocate(file, PUNCH_HOLE_KEEP_SIZE, [offset, bytes.length]);
      model.zero(offset, bytes.length);
    } else if (kind === 8) {
      await mount.allocate(file, ZERO_RANGE, [offset, bytes.length]);
      model.truncate(Math.max(model.bytes.length, offset + bytes.length));
      model.zero(offset, bytes.length);
    } else if (kind === 9) {
      await mount.fsync(file);
    } else if (kind === 10) {
      await mount.close(file);
      file = await mount.open(path, O_RDWR);
    }
    const at = below(scale);
    const length = 1 + below(scale / 2);
    const got = await mount.bytes(file, at, length);
    const { size } = await mount.stat(path);
    if (size !== model.bytes.length || !got.equals(model.bytes.subarray(at, at + length)))
      return void t.fail(`round ${round}, step ${step}, kind ${kind}: ${length} bytes at ${at} of ${size}`);
  }
  await mount.close(file);
  const whole = fixture.store.content(sha256(model.bytes));
  t.ok(whole.equals(model.bytes), `round ${round}: ${model.bytes.length} bytes are stored`);
}

t.test("random writes, truncations, holes and commits leave what a plain buffer holds", async (t) => {
  const fixture = await tight(t);
  const rounds = Number(process.env["MEMFS_TEST_ROUNDS"] ?? 16);
  for (let round = 0; round < rounds; round++) await play(t, fixture, round, SCALES[round % SCALES.length] ?? MIB);
  t.strictSame(readdirSync(fixture.directory), [], "nothing has a name on disk");
});

t.test("small files that are written at the same time do not get each other's bytes", async (t) => {
  const fixture = await tight(t);
  const files = Array.from({ length: 8 }, (_, index) => 100 + index);
  await Promise.all(files.map((file) => play(t, fixture, file, 8 * KIB + 100)));
});

t.test("bytes written in the middle of a small file are one version, made from what was there", async (t) => {
  const { store, mount } = await mountedFixture(t);
  await mount.write("/f", "0123456789");
  const file = await mount.open("/f", O_RDWR);
  await mount.put(file, "abc", 4);
  t.equal(await mount.read("/f"), "0123abc789", "seen before the commit");
  t.equal(store.memoryAt(Buffer.from("/f")).headN, 1);
  await mount.close(file);
  t.equal(store.readHead(store.memoryAt(Buffer.from("/f")).id).toString(), "0123abc789");
  t.equal(store.memoryAt(Buffer.from("/f")).headN, 2);
  const sparse = await mount.open("/f", O_RDWR);
  await mount.put(sparse, "end", 12);
  await mount.close(sparse);
  t.equal(await mount.read("/f"), "0123abc789\0\0end", "what was skipped is zero");
});

t.test("a hole takes no memory and no time worth speaking of", async (t) => {
  const fixture = await mountedFixture(t);
  const policy = { maxMemoryBytes: 1e10, maxLiveBytes: 1e10, maxHistoryBytes: 1e10 };
  await fixture.catalogue.setPolicy(fixture.store.info.id, policy, OPERATOR);
  const { mount } = fixture;
  const file = await mount.open("/sparse", O_RDWR);
  const size = 200 * MIB;
  const before = process.memoryUsage().rss;
  await mount.truncate(file, size);
  await mount.putBytes(file, Buffer.from("end"), size - 3);
  t.equal((await mount.bytes(file, size - 3, 10)).toString(), "end");
  await mount.close(file);
  t.equal((await mount.stat("/sparse")).size, size);
  t.ok(process.memoryUsage().rss - before < 60 * MIB, "committed piece by piece");
  t.ok(fixture.store.usage().historyBytes < 2 * MIB, `${fixture.store.usage().historyBytes} bytes of history`);
  const again = await mount.open("/sparse", O_RDWR);
  t.equal(await mount.mount.lseek(mount.caller, again.node, again.opened, 0, 3), size - 3 - ((size - 3) % 4096));
  await mount.close(again);
});

t.test("a full disk refuses the write that does not fit, and the draft is as it was", async (t) => {
  let room = 3;
  const fixture = await tight(t, (_fd, bytes) => {
    if (room === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
    room -= 1;
    return bytes.length;
  });
  const { mount } = fixture;
  await mount.write("/f", "base");
  const file = await mount.open("/f", O_RDWR);
  let written = 0;
  const put = (index: number): Promise<void> =>
    mount.putBytes(file, Buffer.alloc(64 * KIB, index + 1), (index + 1) * 64 * KIB);
  await t.rejects(
    (async () => {
      for (; written < 20; written++) await put(written);
    })(),
    { code: "no_space" },
  );
  t.equal(written, 7, "four blocks in memory and three on disk");
  t.equal((await mount.stat("/f")).size, (written + 1) * 64 * KIB);
  t.equal((await mount.bytes(file, written * 64 * KIB, 1))[0], written, "the last write that was taken");
  await t.rejects(put(written), { code: "no_space" });
  await mount.truncate(file, 0);
  await mount.putBytes(file, Buffer.from("small"), 0);
  await mount.close(file);
  t.equal(await mount.read("/f"), "small");
});
