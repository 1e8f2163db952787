import t from "tap";
import { Reader, Writer } from "../../lib/store/records/codec.ts";

t.test("numbers of every size are read as they were written", async (t) => {
  const out = new Writer();
  const counts = [
    0,
    1,
    127,
    128,
    16_383,
    16_384,
    2 ** 28 - 1,
    2 ** 28,
    2 ** 31,
    2 ** 32,
    2 ** 49 - 1,
    2 ** 49,
    Number.MAX_SAFE_INTEGER,
  ];
  const signed = [0, -1, 1, -64, 63, -(2 ** 31), 2 ** 40, -(2 ** 40), 2 ** 52 - 1, -(2 ** 52)];
  for (const value of counts) out.varint(value);
  for (const value of signed) out.signed(value);
  const from = new Reader(out.take());
  t.strictSame(counts.map(() => from.varint()), counts); // prettier-ignore
  t.strictSame(signed.map(() => from.signed()), signed); // prettier-ignore
  t.ok(from.ended);
  const sizes = counts.map((value) => new Writer().varint(value).take().length);
  t.strictSame(sizes, [1, 1, 1, 2, 2, 3, 4, 5, 5, 5, 7, 8, 8], "seven bits a byte");
});

t.test("bytes and text are any, and as long as they are", async (t) => {
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
  const texts = ["", "a", "Zürich 🏔 \0", "~\x7f\0", "\x80", "x".repeat(63) + "é", "x".repeat(64), "x".repeat(100_000)];
  const out = new Writer().bytes(all).bytes("").fixed("abc").optional(null).optional("\xff\0");
  for (const text of texts) out.text(text);
  const from = new Reader(out.take());
  t.equal(from.bytes(), all);
  t.equal(from.bytes(), "");
  t.equal(from.fixed(3), "abc");
  t.equal(from.optional(2), null);
  t.equal(from.optional(2), "\xff\0");
  t.ok(texts.every((text) => from.text() === text));
});

t.test("a number that does not end, or a length past the end, is damage", async (t) => {
  const damaged = { code: "damaged" };
  t.throws(() => new Reader(Buffer.alloc(0)).varint(), damaged);
  t.throws(() => new Reader(Buffer.alloc(20, 0xff)).varint(), damaged, "no number has that many bytes");
  t.throws(() => new Reader(Buffer.from([5, 1, 2])).bytes(), damaged);
  t.throws(() => new Reader(Buffer.from([5, 1, 2])).text(), damaged);
  t.throws(() => new Reader(Buffer.from([1, 2])).optional(2), damaged);
  t.throws(() => new Reader(new Writer().varint(Number.MAX_SAFE_INTEGER).take()).bytes(), damaged);
});
