import t from "tap";
import { createIdSource, formatId, parseId, tryParseId } from "../../lib/id.ts";
import { randomFrom } from "../fixtures/random.ts";
import { TestClock } from "../fixtures/store.ts";

const ZERO = "\0".repeat(16);
const ONES = "\xff".repeat(16);

t.test("an id is its prefix, the format mark and 22 base58 characters", async (t) => {
  const uid = createIdSource(new TestClock()).uid();
  t.equal(uid.length, 16);
  for (const prefix of ["memstore", "mem", "memver", "sesn", "mount", "user", "req"] as const) {
    t.match(formatId(prefix, uid), new RegExp(`^${prefix}_01[1-9A-HJ-NP-Za-km-z]{22}$`));
  }
  t.equal(formatId("mem", ZERO), `mem_01${"1".repeat(22)}`, "leading zeros are kept");
  t.equal(formatId("mem", ONES), "mem_01YcVfxkQb6JRzqk5kF2tNLv", "2^128 − 1");
});

t.test("what is formatted is parsed back, for any 16 bytes", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.comment(`seed ${seed}`);
  const random = randomFrom(seed);
  const uids = [ZERO, ONES, `${"\0".repeat(15)}\x01`, `\x80${"\0".repeat(15)}`];
  for (let round = 0; round < 500; round++) {
    uids.push(String.fromCharCode(...Array.from({ length: 16 }, () => Math.floor(random() * 256))));
  }
  const wrong = uids.filter((uid) => parseId("memver", formatId("memver", uid)) !== uid);
  t.strictSame(wrong, []);
});

t.test("text that is no id of the kind is refused", async (t) => {
  const good = formatId("mem", ONES);
  const bad = [
    "",
    "mem_",
    good.slice(0, -1),
    `${good}1`,
    good.replace("_01", "_02"),
    good.replace("mem_", "memver_"),
    `${good.slice(0, -1)}0`,
    `${good.slice(0, -1)}é`,
    `mem_01${"z".repeat(22)}`,
  ];
  for (const text of bad) {
    t.equal(tryParseId("mem", text), null, JSON.stringify(text));
    t.throws(() => parseId("mem", text), { code: "not_found" });
  }
});

t.test("ids sort by the time they were made, as bytes and as text, and never repeat", async (t) => {
  const clock = new TestClock();
  const source = createIdSource(clock);
  const uids: string[] = [];
  for (let index = 0; index < 1000; index++) {
    clock.pass(index % 7 === 0 ? 1000 : 0.001);
    uids.push(source.uid());
  }
  t.strictSame([...uids].sort(), uids, "bytes");
  const texts = uids.map((uid) => formatId("memver", uid));
  t.strictSame([...texts].sort(), texts, "text");
  const atOnce = createIdSource({ now: () => 1e15, monotonic: () => 0 });
  t.equal(new Set(Array.from({ length: 5000 }, () => atOnce.uid())).size, 5000, "in the same millisecond");
});
