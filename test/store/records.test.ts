/** Records: what is written is read, what is cut is damaged, and the bytes are those of format 1 for ever. */
import { deepStrictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { type Counters, decodeCounters, encodeCounters } from "../../lib/store/records/counters.ts";
import { decodeEntry, decodePastEntry, encodeEntry, encodePastEntry } from "../../lib/store/records/entry-record.ts";
import { decodeMemory, encodeMemory, type MemoryRecord } from "../../lib/store/records/memory-record.ts";
import { S_IFLNK, S_IFREG } from "../../lib/store/tree/mode.ts";
import { decodeNode, encodeNode, type NodeRecord } from "../../lib/store/records/node-record.ts";

const byte = fc.integer({ min: 0, max: 255 });
const bytes = (options: { minLength?: number; maxLength: number }): fc.Arbitrary<string> =>
  fc.array(byte, options).map((codes) => String.fromCharCode(...codes));
const uid = bytes({ minLength: 16, maxLength: 16 });
const hash = bytes({ minLength: 32, maxLength: 32 });
const edges = [0, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48, Number.MAX_SAFE_INTEGER];
const count = fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat());
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constantFrom("", "Zürich 🏔", "\0", "x".repeat(999)),
);
const time = fc.record({
  sec: fc.oneof(fc.constantFrom(0, -1, -(2 ** 31), 2 ** 32, 2 ** 40, -(2 ** 40)), fc.integer()),
  nsec: fc.integer({ min: 0, max: 999_999_999 }),
});
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });

const node: fc.Arbitrary<NodeRecord> = fc.record({
  number: count,
  mode: fc.integer({ min: 0, max: 0o7777 }).map((permissions) => S_IFREG | permissions),
  uid: count,
  gid: count,
  rdev: count,
  size: count,
  atime: time,
  mtime: time,
  ctime: time,
  birth: time,
  content: orNull(hash),
  memory: orNull(uid),
  names: fc.array(fc.record({ parent: count, name: bytes({ maxLength: 255 }) }), { maxLength: 4 }),
  entries: count,
  subdirectories: count,
  target: fc.constant(null),
  xattrs: fc
    .uniqueArray(fc.tuple(bytes({ maxLength: 20 }), bytes({ maxLength: 300 })), {
      maxLength: 3,
      selector: ([name]) => name,
    })
    .map((pairs) => new Map(pairs)),
  detachedSince: count,
});

const memory: fc.Arbitrary<MemoryRecord> = fc.record({
  memory: uid,
  node: count,
  path: bytes({ maxLength: 4096 }),
  head: uid,
  headN: count,
  headSeq: count,
  hash: orNull(hash),
  size: count,
  createdAt: count,
  updatedAt: count,
  state: fc.constantFrom("live" as const, "deleted" as const, "folded" as const),
  origin: orNull(text),
});

const entry = fc.record({ name: bytes({ maxLength: 255 }), node: count, type: fc.constantFrom(S_IFREG, S_IFLNK) });
const pastEntry = fc.record({
  name: bytes({ maxLength: 255 }),
  node: count,
  mode: fc.integer({ min: 0, max: 0o7777 }).map((permissions) => S_IFREG | permissions),
  mtime: time,
  memory: orNull(uid),
  target: fc.constant(null),
});
const counters: fc.Arbitrary<Counters> = fc.record({
  seq: count,
  journalHash: hash,
  lastAt: count,
  nextNode: count,
  memories: count,
  versions: count,
  liveBytes: count,
  historyBytes: count,
});

/** Encodes and decodes any record of a kind; a record that ends early is `damaged`, a newer format is named. */
function holds<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  codec: { encode(record: T): Buffer; decode(record: T, bytes: Buffer): T },
): void {
  t.test(`${name} records are read as they were written`, async (t) => {
    const check = fc.property(arbitrary, fc.nat(), (made, cut) => {
      const record = structuredClone(made);
      const stored = Buffer.from(codec.encode(record));
      deepStrictEqual(codec.decode(record, stored), record);
      throws(() => codec.decode(record, stored.subarray(0, cut % stored.length)), { code: "damaged" });
    });
    fc.assert(check, { numRuns: 100 });
    t.pass("any record, and none that is cut");
    const [sample] = fc.sample(arbitrary, { numRuns: 1, seed: 1 }) as [T];
    const newer = Buffer.from(codec.encode(sample));
    newer[0] = 2;
    t.throws(() => codec.decode(sample, newer), { code: "format_newer" });
  });
}

holds("node", node, { encode: encodeNode, decode: (record, stored) => decodeNode(record.number, stored) });
holds("memory", memory, { encode: encodeMemory, decode: (record, stored) => decodeMemory(record.memory, stored) });
holds("entry", entry, { encode: encodeEntry, decode: (_record, stored) => decodeEntry(stored) });
holds("past entry", pastEntry, { encode: encodePastEntry, decode: (_record, stored) => decodePastEntry(stored) });
holds("counter", counters, { encode: encodeCounters, decode: (_record, stored) => decodeCounters(stored) });

t.test("a link's target is kept as bytes, also an empty one", async (t) => {
  const [any] = fc.sample(node, { numRuns: 1, seed: 1 }) as [NodeRecord];
  for (const target of ["", "../\xff\x01", "x".repeat(4095)]) {
    const link = { ...any, mode: S_IFLNK | 0o777, target };
    t.equal(decodeNode(link.number, encodeNode(link)).target, target);
  }
});

/** The same bytes over and over, so that a reader of the expected text sees where each field begins. */
const id = (digit: string): string => Buffer.from(digit.repeat(32), "hex").toString("latin1");
const digest = (digit: string): string => Buffer.from(digit.repeat(64), "hex").toString("latin1");
const AT = { sec: 1_700_000_000, nsec: 5 };

/** `aa*32` is the byte aa 32 times. */
function expand(formats: Readonly<Record<string, string>>): Record<string, string> {
  const plain = (format: string): string =>
    format
      .replace(/(..)\*(\d+)/g, (_all, byte: string, times: string) => byte.repeat(Number(times)))
      .replaceAll(" ", "");
  return Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, plain(format)]));
}

t.test("the bytes of a record are those that earlier versions of memfs wrote", async (t) => {
  const written = {
    node: () =>
      encodeNode({
        number: 7,
        mode: 0o100644,
        uid: 1000,
        gid: 1001,
        rdev: 0,
        size: 300,
        atime: AT,
        mtime: { sec: -1, nsec: 0 },
        ctime: AT,
        birth: AT,
        content: digest("a"),
        memory: id("b"),
        names: [{ parent: 1, name: "f" }],
        entries: 0,
        subdirectories: 0,
        target: null,
        xattrs: new Map([["user.k", "v"]]),
        detachedSince: 0,
      }),
    memory: () =>
      encodeMemory({
        memory: id("b"),
        node: 7,
        path: "/f",
        head: id("c"),
        headN: 2,
        headSeq: 9,
        hash: digest("a"),
        size: 300,
        createdAt: 1_700_000_000_000_000,
        updatedAt: 1_700_000_000_000_001,
        state: "folded",
        origin: "s-1",
      }),
    entry: () => encodeEntry({ name: "f", node: 7, type: S_IFREG }),
    pastEntry: () => encodePastEntry({ name: "f", node: 7, mode: 0o100644, mtime: AT, memory: id("b"), target: null }),
    pastLink: () => encodePastEntry({ name: "l", node: 8, mode: 0o120777, mtime: AT, memory: null, target: "f" }),
    counters: () =>
      encodeCounters({
        seq: 9,
        journalHash: digest("e"),
        lastAt: 1_700_000_000_000_001,
        nextNode: 8,
        memories: 1,
        versions: 2,
        liveBytes: 300,
        historyBytes: 600,
      }),
  };
  t.strictSame(
    Object.fromEntries(Object.entries(written).map(([name, encode]) => [name, encode().toString("hex")])),
    expand({
      node: "01 a48302 e807 e907 00 ac02 80c49fd50c05 0100 80c49fd50c05 80c49fd50c05 01aa*32 01bb*16 01 010166 0000 00 01 06757365722e6b 0176 00",
      memory: "01 07 022f66 cc*16 02 09 01aa*32 ac02 8080f9c0c1c48203 8180f9c0c1c48203 02 01 03732d31",
      entry: "01 07 808002 0166",
      pastEntry: "01 07 a48302 80c49fd50c05 01bb*16 0166",
      pastLink: "01 08 ffc302 80c49fd50c05 00 016c 0166",
      counters: "01 09 ee*32 8180f9c0c1c48203 08 01 02 ac02 d804",
    }),
  );
});
