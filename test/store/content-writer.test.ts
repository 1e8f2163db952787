/** Large content that is stored while it is written: the same bytes and digest, whatever the sink and the moment. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type { Chunk } from "../../lib/store/content/chunk.ts";
import { type ChunkSink, ContentWriter } from "../../lib/store/content/content-writer.ts";
import { type Hash, sha256 } from "../../lib/store/content/hash.ts";
import { decodeContent } from "../../lib/store/content/manifest.ts";
import { NodeDigest, runningDigest } from "../../lib/store/content/running-digest.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Takes its time, looks at the bytes at its end only, and fails now and then. */
class SlowSink implements ChunkSink {
  readonly stored = new Map<Hash, Buffer>();
  readonly #random: () => number;
  failing = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  async store(chunks: readonly Chunk[]): Promise<number> {
    await sleep(this.#random() * 4);
    if (this.#random() < this.failing) throw new Error("the sink is full");
    let added = 0;
    for (const { hash, length, bytes } of chunks) {
      if (bytes !== null) this.stored.set(hash, Buffer.from(bytes));
      added += length;
    }
    return added;
  }
}

/** Bytes in which cuts are found, with stretches of zeros in between. */
function content(random: () => number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let word = Math.floor(random() * 2 ** 32);
  for (let at = 0; at + 4 <= size; at += 4) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE((word ^ (word >>> 15)) >>> 0, at);
  }
  for (let hole = 0; hole < 3; hole++) {
    const at = Math.floor(random() * size);
    bytes.fill(0, at, Math.min(size, at + Math.floor(random() * 800 * KIB)));
  }
  return bytes;
}

/** What was finished, put together from its manifest. */
function assemble(finished: ReturnType<ContentWriter["finish"]>, stored: ReadonlyMap<Hash, Buffer>): Buffer {
  const chunks = new Map(finished.chunks.map(({ hash, bytes }) => [hash, bytes]));
  const bytesOf = (hash: Hash): Buffer => stored.get(hash) ?? chunks.get(hash) ?? Buffer.from("missing");
  if (finished.manifest === null) return bytesOf(finished.hash);
  const manifest = decodeContent(finished.manifest);
  if (!("references" in manifest)) throw new Error("no manifest");
  return Buffer.concat([...manifest.references.map(({ hash }) => bytesOf(hash)), manifest.end]);
}

t.test("large content has its digest and its bytes, through a sink that is slow and fails", async (t) => {
  const random = randomFrom(testSeed(t));
  for (let round = 0; round < 8; round++) {
    const bytes = content(random, Math.floor((0.5 + random() * 11) * MIB));
    const sink = new SlowSink(random);
    sink.failing = round % 3 === 0 ? 0.2 : 0;
    const writer = new ContentWriter(sink);
    const given: Chunk[] = [];
    let finishes = 0;
    for (let at = 0; at < bytes.length;) {
      const piece = Buffer.from(bytes.subarray(at, at + 1 + Math.floor(random() * 300 * KIB)));
      writer.append(piece);
      // The kernel's next request comes into the same memory.
      piece.fill(0xee);
      at += piece.length;
      await writer.room()?.catch(() => undefined);
      if (random() < 0.3) await sleep(0);
      const [from, length] = [Math.floor(random() * at), Math.floor(random() * 100_000)];
      const read = writer.read(from, length, (hash) => sink.stored.get(hash) ?? Buffer.alloc(0));
      if (!read.equals(bytes.subarray(from, Math.min(from + length, at))))
        t.fail(`read ${length} from ${from} of ${at}`);
      // Also in the middle, with chunks on their way.
      if (round % 2 === 0 || random() > 0.02) continue;
      finishes++;
      const sofar = writer.finish();
      t.equal(sofar.hash, sha256(bytes.subarray(0, at)));
      given.push(...sofar.chunks);
    }
    sink.failing = 0;
    await writer.settle().catch(() => undefined);
    await writer.settle();
    t.equal(writer.pending, 0);
    const finished = writer.finish();
    t.equal(finished.size, bytes.length);
    t.equal(finished.hash, sha256(bytes), `${bytes.length} bytes, finished ${finishes} times before`);
    t.ok(assemble(finished, sink.stored).equals(bytes));
    for (const [hash, chunk] of sink.stored) if (sha256(chunk) !== hash) t.fail("a chunk is not what its digest says");
    const altered = given.filter(({ hash, bytes: kept }) => kept !== null && sha256(kept) !== hash);
    t.equal(altered.length, 0, "chunks that were given away stay as they are");
    writer.stored(finished);
    writer.append(bytes.subarray(0, 5000));
    const more = writer.finish();
    t.equal(more.hash, sha256(Buffer.concat([bytes, bytes.subarray(0, 5000)])), "and it goes on");
  }
});

t.test("writing large content takes memory for what is on its way, not for all of it", async (t) => {
  const sink: ChunkSink = {
    store: async (chunks) => {
      await sleep(0);
      return chunks.reduce((sum, { length }) => sum + length, 0);
    },
  };
  const writer = new ContentWriter(sink);
  const buffers = new Set<ArrayBufferLike>();
  const watched: ChunkSink["store"] = sink.store.bind(sink);
  sink.store = (chunks) => {
    for (const { bytes } of chunks) if (bytes !== null && bytes.length > 20 * KIB) buffers.add(bytes.buffer);
    return watched(chunks);
  };
  const piece = content(randomFrom(1), 128 * KIB);
  for (let at = 0; at < 64 * MIB; at += piece.length) {
    piece.writeUInt32LE(at, 0);
    writer.append(piece);
    await writer.room();
  }
  await writer.settle();
  t.ok(buffers.size < 24, `${buffers.size} buffers for 64 MiB`);
});

t.test(
  "a running digest goes on in the thread pool as it would here, with and without OpenSSL's own interface",
  async (t) => {
    const random = randomFrom(testSeed(t));
    const pieces = Array.from({ length: 20 }, () => content(random, Math.floor(random() * 100 * KIB)));
    for (const start of [runningDigest(), new NodeDigest(createHash("sha256"))]) {
      start.update(Buffer.from("begun"));
      const later = await start.later(pieces);
      t.equal(start.digest(), sha256(Buffer.from("begun")), "what it came from stays");
      t.equal(later.digest(), sha256(Buffer.concat([Buffer.from("begun"), ...pieces])));
      later.update(Buffer.from("more"));
      t.equal(later.digest(), sha256(Buffer.concat([Buffer.from("begun"), ...pieces, Buffer.from("more")])));
    }
    t.equal(runningDigest().digest(), sha256(Buffer.alloc(0)));
  },
);
