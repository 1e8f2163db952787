/** Content by digest: what is put is got, equal stretches are stored once, and a log that grows costs little. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Key } from "../../lib/kv/kv.ts";
import { openLevelKv } from "../../lib/kv/level.ts";
import { silentLog } from "../../lib/log.ts";
import { getContent, getContentRange, openContent, putContent, putGrown } from "../../lib/store/content/content.ts";
import { ContentCache } from "../../lib/store/content/content-cache.ts";
import { ContentWriter, finishedContent } from "../../lib/store/content/content-writer.ts";
import { type Hash, sha256 } from "../../lib/store/content/hash.ts";
import { INLINE_BYTES } from "../../lib/store/content/small-memory.ts";
import { scratchDir } from "../fixtures/kv.ts";
import { randomFrom } from "../fixtures/random.ts";
import { spaceOf, stored, storeFixture } from "../fixtures/store.ts";
import { StoreFiles } from "../fixtures/store-files.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SEED = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
const random = randomFrom(SEED);
const below = (limit: number): number => Math.floor(random() * limit);

/** Bytes in which a cut is found as often as in anything. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = below(256);
  return bytes;
}

/** Content without a store. */
class Contents {
  readonly values = new Map<Key, Buffer>();

  get(key: Key): Buffer | undefined {
    return this.values.get(key);
  }

  readTo(): void {
    throw new Error("nothing was appended");
  }

  read(): Buffer {
    throw new Error("nothing was appended");
  }

  put(key: Key, value: Uint8Array): void {
    this.values.set(key, Buffer.from(value));
  }

  keyOfContent(hash: Hash): Key {
    return `c${hash}`;
  }

  get bytes(): number {
    let sum = 0;
    for (const value of this.values.values()) sum += value.length;
    return sum;
  }

  /** Stores the content. Returns its digest. */
  add(bytes: Buffer): Hash {
    const content = finishedContent(bytes);
    putContent(this, content);
    return content.hash;
  }
}

t.comment(`MEMFS_TEST_SEED=${SEED}`);

t.test("content of every size is got as it was put, whole and in ranges", async (t) => {
  const edges = [INLINE_BYTES, 16 * KIB, 64 * KIB, MIB, MIB + 256 * KIB].flatMap((size) => [size - 1, size, size + 1]);
  const sizes = [0, 1, 2, ...edges, 2 * MIB, ...Array.from({ length: 8 }, () => below(2 * MIB))];
  for (const size of sizes) {
    const contents = new Contents();
    const bytes = noise(size);
    const hash = contents.add(bytes);
    t.equal(hash, sha256(bytes));
    t.ok(getContent(contents, hash).equals(bytes), `${size} bytes`);
    for (let round = 0; round < 10; round++) {
      const offset = below(size + 10);
      const length = below(round < 5 ? 300 : size + 10);
      const range = getContentRange(contents, hash, { offset, length });
      if (!range.equals(bytes.subarray(offset, offset + length))) t.fail(`${length} bytes from ${offset} of ${size}`);
    }
  }
});

t.test("runs of equal bytes, in which no cut is found, are cut all the same", async (t) => {
  const contents = new Contents();
  for (const size of [INLINE_BYTES + 1, 100 * KIB, 2 * MIB]) {
    const bytes = Buffer.alloc(size, "a");
    t.ok(getContent(contents, contents.add(bytes)).equals(bytes));
  }
  t.ok(contents.bytes < 600 * KIB, `${contents.bytes} bytes are stored: equal pieces once`);
});

t.test("what is stored does not depend on the pieces in which it was written", async (t) => {
  const bytes = noise(MIB + 300 * KIB);
  const whole = new Contents();
  whole.add(bytes);
  const pieces = new Contents();
  const writer = new ContentWriter();
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + 1 + below(below(10) === 0 ? 200 * KIB : 5000));
    writer.append(piece);
    at += piece.length;
  }
  putContent(pieces, writer.finish());
  t.strictSame([...pieces.values.keys()].sort(), [...whole.values.keys()].sort());
});

t.test("a writer can be read anywhere while it is written", async (t) => {
  const bytes = noise(200 * KIB);
  const writer = new ContentWriter();
  for (let at = 0; at < bytes.length; at += 3333) {
    writer.append(bytes.subarray(at, at + 3333));
    const offset = below(writer.size);
    const length = below(20_000);
    const read = writer.read(offset, length, () => Buffer.alloc(0));
    const wanted = bytes.subarray(offset, Math.min(offset + length, writer.size));
    if (!read.equals(wanted)) t.fail(`${length} bytes from ${offset} of ${writer.size}`);
  }
  t.equal(writer.size, bytes.length);
});

t.test("after an edit only what is near it is stored again", async (t) => {
  for (const size of [100 * KIB, 700 * KIB, 2 * MIB]) {
    const contents = new Contents();
    let bytes = noise(size);
    contents.add(bytes);
    let added = 0;
    const rounds = 12;
    for (let round = 0; round < rounds; round++) {
      bytes = edited(bytes);
      const before = contents.bytes;
      const hash = contents.add(bytes);
      added += contents.bytes - before;
      t.ok(getContent(contents, hash).equals(bytes));
    }
    // A few chunks of 4 or 64 KiB on average (an edit in a long chunk costs more), and 40 bytes for each in the list of all.
    const average = Math.round(added / rounds);
    const limit = (size < MIB ? 32 * KIB : 600 * KIB) + (size / (4 * KIB)) * 40;
    t.ok(average < limit, `${average} of ${size} bytes for an edit; at most ${limit}`);
  }
});

/** The bytes with a few of them inserted, removed or changed in one place. */
function edited(bytes: Buffer): Buffer {
  const at = below(bytes.length);
  const inserted = noise(below(400));
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + below(400))]);
}

t.test("content goes on from what is stored as if it had been written at once", async (t) => {
  for (const size of [0, 10, INLINE_BYTES, INLINE_BYTES + 1, 100 * KIB, MIB + 100 * KIB]) {
    const contents = new Contents();
    let bytes = noise(size);
    let hash = contents.add(bytes);
    for (const more of [1, 0, 100, 0, 0, 5000, 0, 30_000, 100, 0]) {
      const writer = ContentWriter.resume(openContent(contents, hash));
      const end = noise(more);
      writer.append(end);
      bytes = Buffer.concat([bytes, end]);
      const content = writer.finish();
      t.equal(content.size, bytes.length);
      t.equal(content.hash, sha256(bytes));
      putContent(contents, content);
      hash = content.hash;
      t.ok(getContent(contents, hash).equals(bytes), `${more} bytes after ${bytes.length - more}`);
      const offset = below(bytes.length);
      t.ok(getContentRange(contents, hash, { offset, length: 9000 }).equals(bytes.subarray(offset, offset + 9000)));
    }
  }
});

t.test("100 bytes more in a log of 100 KiB add a few KiB of history", async (t) => {
  const { store, kv } = await storeFixture(t);
  const files = new StoreFiles(store);
  const size = async (): Promise<number> => (await stored(kv, "c")).reduce((sum, { value }) => sum + value.length, 0);
  // Where the cuts of one log fall is chance: the mean of several is not.
  const logs = Array.from({ length: 8 }, () => noise(100 * KIB));
  for (const [index, log] of logs.entries()) files.write(`/log${index}`, log);
  const [before, counted] = [await size(), store.usage().historyBytes];
  const appends = logs.length * 40;
  for (let count = 0; count < appends; count++) {
    const index = count % logs.length;
    const log = Buffer.concat([logs[index] ?? noise(0), noise(100)]);
    logs[index] = log;
    files.write(`/log${index}`, log);
  }
  const added = Math.round(((await size()) - before) / appends);
  t.ok(added < 10 * KIB, `${added} bytes each`);
  t.ok(store.usage().historyBytes - counted < appends * 16 * KIB, "as the counter of history says, roughly");
  for (const [index, log] of logs.entries()) t.ok(files.read(`/log${index}`).equals(log));
});

t.test("a piece of one content that is a content by itself can be read as either, whichever came first", async (t) => {
  const big = noise(2 * MIB);
  const { chunks } = finishedContent(big);
  const pieces = chunks.flatMap((chunk) => (chunk.bytes === null ? [] : [Buffer.from(chunk.bytes)]));
  t.ok(pieces.some((piece) => piece.length > 16 * KIB), "also pieces that are cut smaller when they stand alone"); // prettier-ignore
  for (const bigFirst of [true, false]) {
    const contents = new Contents();
    if (bigFirst) contents.add(big);
    const hashes = pieces.map((piece) => contents.add(piece));
    const hash = contents.add(big);
    t.ok(getContent(contents, hash).equals(big));
    t.ok(hashes.every((piece, index) => getContent(contents, piece).equals(pieces[index] ?? Buffer.alloc(0))));
    const at = below(big.length - 5000);
    t.ok(getContentRange(contents, hash, { offset: at, length: 5000 }).equals(big.subarray(at, at + 5000)));
  }
});

t.test("content that grew thousands of times in a row is read all the same", async (t) => {
  const contents = new Contents();
  let bytes = Buffer.alloc(512, "n");
  putContent(contents, finishedContent(bytes));
  while (bytes.length < INLINE_BYTES) {
    const stored = { hash: sha256(bytes), length: bytes.length };
    const writer = ContentWriter.resumeSmall(Buffer.concat([bytes], INLINE_BYTES), stored);
    writer.append(Buffer.from([97 + (bytes.length % 26)]));
    putGrown(contents, writer.finish());
    bytes = Buffer.from(writer.read(0, INLINE_BYTES, () => bytes));
  }
  t.ok(getContent(contents, sha256(bytes)).equals(bytes));
  for (const offset of [0, 511, 512, 5000, 8190])
    t.ok(
      getContentRange(contents, sha256(bytes), { offset, length: 700 }).equals(bytes.subarray(offset, offset + 700)),
    );
});

t.test("of small content that grew nothing is kept when it is read", async (t) => {
  const contents = Object.assign(new Contents(), { cache: new ContentCache() });
  const note = Buffer.alloc(INLINE_BYTES, "n");
  const stored = { hash: contents.add(note.subarray(0, 600)), length: 600 };
  const writer = ContentWriter.resumeSmall(Buffer.from(note), stored);
  writer.append(Buffer.from("more"));
  const { hash } = writer.finish();
  putGrown(contents, writer.finish());
  t.equal(getContentRange(contents, hash, { offset: 598, length: 4096 }).toString(), "nnmore");
  t.equal(contents.cache.map(hash), undefined);
});

t.test("content of which a piece is missing is damaged, never shorter", async (t) => {
  const contents = new Contents();
  const hash = contents.add(noise(60 * KIB));
  for (const [key, value] of [...contents.values]) {
    contents.values.delete(key);
    t.throws(() => getContent(contents, hash), { code: "damaged" });
    contents.values.set(key, value);
  }
  t.throws(() => getContent(contents, sha256(Buffer.from("never put"))), { code: "damaged" });
});

t.test("no key of the database is a plain digest or holds a name", async (t) => {
  const { store, kv } = await storeFixture(t);
  const files = new StoreFiles(store);
  const bytes = noise(100 * KIB);
  files.mkdir("/secret-directory");
  files.write("/secret-directory/secret-name", bytes);
  const keys: Key[] = [];
  for await (const page of spaceOf(kv).scan({ gte: "", lt: "\xff" })) keys.push(...page.map(({ key }) => key));
  const digests = finishedContent(bytes).chunks.map((chunk) => chunk.hash.slice(0, 8));
  const plain = [sha256(bytes).slice(0, 8), ...digests, "secret", "s-1", "scout"];
  t.ok(keys.length > 20);
  t.strictSame(keys.filter((key) => plain.some((text) => key.includes(text))), []); // prettier-ignore
});

/** Bytes of all files below. */
function sizeOf(dir: string): number {
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" });
  return names.reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
}

t.test(
  "chunks stored ahead are appended once, read like others, and the check finds any that is damaged",
  async (t) => {
    const dir = scratchDir(t);
    const kv = await openLevelKv({ dir, sealerOf: () => null, log: silentLog });
    const { store } = await storeFixture(t, kv);
    const files = new StoreFiles(store);
    const bytes = noise(3 * MIB);
    const content = finishedContent(bytes);
    const added = await store.storeChunks(content.chunks);
    t.equal(added, content.chunks.reduce((sum, { length }) => sum + length, 0)); // prettier-ignore
    t.equal(await store.storeChunks(content.chunks), 0, "they are there");
    files.write("/large", bytes);
    t.ok(files.read("/large").equals(bytes));
    await kv.drain();
    t.ok(sizeOf(join(dir, "values")) > bytes.length - 300 * KIB, "all but what is behind the last cut");
    t.ok(sizeOf(join(dir, "db")) < 600 * KIB, "the database has the places");
    files.write("/edited", edited(bytes));
    // Nothing is appended from here on.
    await kv.drain();
    t.strictSame(await store.check(), []);
    const [file = ""] = readdirSync(join(dir, "values"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".data"),
    );
    const path = join(dir, "values", file);
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole);
    // In the first value: behind the header of the file and its own length.
    const at = 28 + below(1000);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    writeFileSync(path, damaged);
    const problems = await store.check();
    t.equal(problems[0], "content in value file 1 at 28 is damaged");
    t.match(problems[1], /journal: entry \d+: value file .* is damaged at offset 28/);
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length / 2)));
    t.ok((await store.check()).length > 1);
    t.throws(() => files.read("/large"), { code: "damaged", message: /value file .* ends before/ });
    writeFileSync(path, whole);
  },
);

t.test("ranges of large content, of several files in turn, are right and stay what they were", async (t) => {
  const kv = await openLevelKv({ dir: scratchDir(t), sealerOf: () => null, log: silentLog });
  const { store } = await storeFixture(t, kv);
  const contents = await Promise.all(
    [1.5, 2.5, 4].map(async (size) => {
      const bytes = noise(size * MIB);
      const content = finishedContent(bytes);
      await store.storeChunks(content.chunks.filter((_, index) => index % 7 !== 0));
      new StoreFiles(store).write(`/${size}`, bytes);
      return { bytes, hash: content.hash };
    }),
  );
  const memory = Buffer.alloc(MIB);
  const held: { got: Buffer; wanted: Buffer }[] = [];
  for (let round = 0; round < 400; round++) {
    const { bytes, hash } = contents[below(contents.length)] ?? { bytes: Buffer.alloc(0), hash: "" };
    const offset = below(bytes.length);
    const length = below(round % 4 === 0 ? 900 * KIB : 150 * KIB);
    const wanted = bytes.subarray(offset, offset + length);
    const copied = round % 2 === 0;
    const got = store.contentRange(hash, copied ? { offset, length, memory } : { offset, length });
    if (!got.equals(wanted)) t.fail(`${length} bytes from ${offset} of ${bytes.length}`);
    if (!copied) held.push({ got, wanted });
  }
  t.strictSame(held.filter(({ got, wanted }) => !got.equals(wanted)).length, 0, "what was read before stays");
});
