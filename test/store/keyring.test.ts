/** Keys and seals: where keys come from, what a wrong one costs, and that no altered value is ever opened. */
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import t from "tap";
import type { Test } from "tap";
import { silentLog } from "../../lib/log.ts";
import { Hmac } from "../../lib/store/crypto/hmac.ts";
import { Keyring, MASTER_KEY_VARIABLE } from "../../lib/store/crypto/keyring.ts";
import { AesSealer, PlainSealer } from "../../lib/store/crypto/seal.ts";
import { hex as hexOf } from "../../lib/store/content/hash.ts";
import { rememberingLog, scratchDir } from "../fixtures/kv.ts";

function open(dir: string, key?: string): Promise<Keyring> {
  return Keyring.open({ dir, env: key === undefined ? {} : { [MASTER_KEY_VARIABLE]: key }, log: silentLog });
}

const context = Buffer.from("a database key");

t.test("the first start makes a master key that nobody else can read, and later ones use it", async (t) => {
  const dir = scratchDir(t);
  const log = rememberingLog();
  const sealed = (await Keyring.open({ dir, log })).catalogue.seal(context, Buffer.from("value"));
  t.match(log.lines, [/new master key; keep a copy/]);
  const file = join(dir, "master.key");
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(statSync(join(dir, "keys")).mode & 0o777, 0o700);
  t.match(readFileSync(file, "latin1"), /^[0-9a-f]{64}\n$/);
  t.notMatch(log.lines.join(), readFileSync(file, "latin1").trim(), "the key is not logged");
  t.equal((await open(dir)).catalogue.open(context, sealed).toString(), "value");
  const copy = readFileSync(file, "latin1");
  rmSync(file);
  t.equal((await open(dir, copy)).catalogue.open(context, sealed).toString(), "value", "what it says is what to set");
});

t.test("the master key of the environment is hex or base64, and no file is made", async (t) => {
  const dir = scratchDir(t);
  const key = randomBytes(32);
  const sealed = (await open(dir, key.toString("hex"))).catalogue.seal(context, context);
  for (const text of [key.toString("hex").toUpperCase(), key.toString("base64"), ` ${key.toString("base64url")}\n`]) {
    t.same((await open(dir, text)).catalogue.open(context, sealed), context);
  }
  t.strictSame(readdirSync(dir), ["keys"]);
});

t.test("a malformed master key is refused before anything is written", async (t) => {
  const dir = scratchDir(t);
  const good = randomBytes(32);
  for (const text of ["secret", "0".repeat(63), "0".repeat(65), "x".repeat(64), randomBytes(31).toString("base64")]) {
    await t.rejects(open(dir, text), { code: "bad_key", message: /MEMFS_MASTER_KEY does not hold .* 64 hex digits/ });
    writeFileSync(join(dir, "master.key"), text, { mode: 0o600 });
    await t.rejects(open(dir), { code: "bad_key", message: /master\.key does not hold/ });
  }
  for (const bytes of ["", good]) {
    writeFileSync(join(dir, "master.key"), bytes, { mode: 0o600 });
    await t.rejects(open(dir), { code: "bad_key" });
  }
  t.strictSame(readdirSync(dir), ["master.key"]);
});

t.test("a master key that others can read is refused", async (t) => {
  const dir = scratchDir(t);
  await open(dir);
  for (const mode of [0o644, 0o640, 0o604, 0o660]) {
    chmodSync(join(dir, "master.key"), mode);
    await t.rejects(open(dir), { code: "bad_key", message: /readable by others .*chmod 600/ }, mode.toString(8));
  }
  chmodSync(join(dir, "master.key"), 0o400);
  await open(dir);
});

t.test("a wrong or lost master key is told at once, and nothing is written", async (t) => {
  const dir = scratchDir(t);
  await open(dir);
  const before = readFileSync(join(dir, "keys", "master.check"), "latin1");
  const wrong = { code: "bad_key", message: /wrong master key: .* restore master\.key/ };
  await t.rejects(open(dir, randomBytes(32).toString("hex")), wrong);
  rmSync(join(dir, "master.key"));
  await t.rejects(open(dir), { code: "bad_key", message: /master key missing; restore .*master\.key or set/ });
  await t.rejects(open(dir, randomBytes(32).toString("base64")), wrong);
  t.strictSame(readdirSync(dir), ["keys"]);
  t.equal(readFileSync(join(dir, "keys", "master.check"), "latin1"), before);
});

t.test("a lost check value is not made anew where there are keys or data", async (t) => {
  const dir = scratchDir(t);
  await (await open(dir)).create(2, { encrypt: true });
  rmSync(join(dir, "keys", "master.check"));
  await t.rejects(open(dir), { code: "bad_key", message: /master\.check is missing or damaged; restore/ });
  writeFileSync(join(dir, "keys", "master.check"), "garbage");
  await t.rejects(open(dir), { code: "bad_key" });
  const other = scratchDir(t);
  writeFileSync(join(other, "db"), "");
  await t.rejects(open(other), { code: "bad_key", message: /master key missing/ });
});

async function ringWithStore(t: Test): Promise<{ dir: string; ring: Keyring; file: string }> {
  const dir = scratchDir(t);
  const ring = await open(dir);
  await ring.create(0x2a, { encrypt: true });
  return { dir, ring, file: join(dir, "keys", "0000002a.key") };
}

t.test("a store's keys are the same at each start, and differ between stores and purposes", async (t) => {
  const { dir, ring, file } = await ringWithStore(t);
  const one = ring.load(0x2a);
  const two = await ring.create(3, { encrypt: true });
  t.equal(statSync(file).mode & 0o777, 0o600);
  const keys = [one, two].flatMap((store) => [store.nameKey, store.contentKey]);
  t.ok(keys.every((key) => key.length === 32));
  t.equal(new Set(keys.map((key) => key.toString("hex"))).size, 4);
  const sealed = one.sealer.seal(context, Buffer.from("value"));
  t.throws(() => two.sealer.open(context, sealed), { code: "damaged" });
  t.throws(() => ring.catalogue.open(context, sealed), { code: "damaged" });
  const later = (await open(dir)).load(0x2a);
  t.equal(later.sealer.open(context, sealed).toString(), "value");
  t.same([later.nameKey, later.contentKey], [one.nameKey, one.contentKey]);
  await t.rejects(ring.create(3, { encrypt: true }), { code: "exists" }, "a key is never written over");
  await t.rejects(ring.create(1, { encrypt: true }), { code: "exists" }, "space 1 is the catalogue's");
});

t.test("a store without encryption still has keys for names and contents", async (t) => {
  const dir = scratchDir(t);
  const made = await (await open(dir)).create(2, { encrypt: false });
  const keys = (await open(dir)).load(2);
  t.equal(keys.encrypted, false);
  t.same(keys.nameKey, made.nameKey);
  t.match(keys.sealer.seal(context, Buffer.from("in the clear")).toString("latin1"), /in the clear$/);
});

t.test("a missing, damaged or exchanged key file is named", async (t) => {
  const { ring, dir, file } = await ringWithStore(t);
  await ring.create(3, { encrypt: true });
  t.throws(() => ring.load(7), { code: "bad_key", message: /key file .*00000007\.key is missing; restore it/ });
  t.equal(ring.sealerOf(7), null);
  t.equal(ring.sealerOf(1), ring.catalogue);
  const good = readFileSync(file);
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 1;
    writeFileSync(file, bad);
    t.throws(() => ring.load(0x2a), { code: "bad_key", message: /0000002a\.key is damaged/ }, `byte ${at}`);
  }
  for (const size of [0, 15, 16, 40, good.length - 1]) {
    writeFileSync(file, good.subarray(0, size));
    t.throws(() => ring.load(0x2a), { code: "bad_key" }, `${size} bytes`);
    t.throws(() => ring.sealerOf(0x2a), { code: "bad_key" });
  }
  copyFileSync(join(dir, "keys", "00000003.key"), file);
  t.throws(() => ring.load(0x2a), { code: "bad_key" }, "the file of another store");
});

t.test("a forgotten key is gone", async (t) => {
  const { ring, dir, file } = await ringWithStore(t);
  const good = readFileSync(file);
  await ring.forget(0x2a);
  t.strictSame(readdirSync(join(dir, "keys")), ["master.check"]);
  t.throws(() => ring.load(0x2a), { code: "bad_key" });
  await ring.forget(0x2a);
  t.ok(good.length > 0);
});

for (const [name, sealer, overhead] of [
  ["sealed", new AesSealer(randomBytes(32)), 29],
  ["plain", new PlainSealer(), 5],
] as const) {
  t.test(`${name} values: altered, cut or moved ones are never opened`, async (t) => {
    for (const size of [0, 1, 16, 300, 70_000]) {
      const value = randomBytes(size);
      const sealed = sealer.seal(context, value);
      t.equal(sealed.length, size + overhead);
      t.same(sealer.open(context, sealed), value);
      t.same(sealer.open(context, new Uint8Array(sealed)), value);
    }
    const sealed = sealer.seal(context, Buffer.from("value"));
    for (let at = 0; at < sealed.length; at++) {
      const bad = Buffer.from(sealed);
      bad[at] = (bad[at] ?? 0) ^ 0x80;
      t.throws(() => sealer.open(context, bad), { code: "damaged" }, `byte ${at}`);
      t.throws(() => sealer.open(context, sealed.subarray(0, at)), { code: "damaged" }, `cut at ${at}`);
    }
    t.throws(() => sealer.open(Buffer.from("another key"), sealed), { code: "damaged" });
    t.throws(() => sealer.open(Buffer.alloc(0), sealed), { code: "damaged" });
    t.throws(() => sealer.open(context, Buffer.concat([sealed, Buffer.alloc(1)])), { code: "damaged" });
  });
}

t.test("the same value is sealed differently each time, under contexts of any length", async (t) => {
  const sealer = new AesSealer(randomBytes(32));
  const nonces = new Set<string>();
  for (let i = 0; i < 3000; i++) nonces.add(sealer.seal(context, context).toString("latin1", 1, 13));
  t.equal(nonces.size, 3000);
  for (const size of [0, 511, 512, 5000]) {
    const long = randomBytes(size);
    t.same(sealer.open(long, sealer.seal(long, context)), context);
  }
  t.throws(() => new PlainSealer().open(context, sealer.seal(context, context)), { code: "damaged" });
});

t.test("hmac is HMAC-SHA-256 (RFC 4231)", async (t) => {
  const hex = (text: string): Buffer => Buffer.from(text, "hex");
  const vectors: readonly (readonly [key: Buffer, data: Buffer, digest: string])[] = [
    [Buffer.alloc(20, 0x0b), Buffer.from("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
    [Buffer.from("Jefe"), Buffer.from("what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"],
    [Buffer.alloc(20, 0xaa), Buffer.alloc(50, 0xdd), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
    [hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), Buffer.alloc(50, 0xcd), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"],
    [Buffer.alloc(131, 0xaa), Buffer.from("Test Using Larger Than Block-Size Key - Hash Key First"), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"],
    [Buffer.alloc(131, 0xaa), Buffer.from("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm."), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"],
  ]; // prettier-ignore
  for (const [key, data, digest] of vectors) t.equal(hexOf(new Hmac(key).digest(data.toString("latin1"))), digest);
  const key = randomBytes(32);
  const hmac = new Hmac(key);
  for (const size of [0, 32, 1, 32, 1024, 5, 1025, 100_000, 32]) {
    const data = randomBytes(size);
    const digest = createHmac("sha256", key).update(data).digest("hex");
    t.equal(hexOf(hmac.digest(data.toString("latin1"))), digest, `${size} bytes`);
  }
});
