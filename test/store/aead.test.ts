import { randomBytes } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import { type Aead, KEY_SIZE, NodeAead, NONCE_SIZE, OpensslAead, TAG_SIZE } from "../../lib/store/crypto/aead.ts";
import { loadOpenssl } from "../../lib/store/crypto/openssl.ts";

const openssl = loadOpenssl();
const key = randomBytes(KEY_SIZE);
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const value = fc.record({
  nonce: bytes(NONCE_SIZE),
  aad: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  plain: fc.uint8Array({ maxLength: 5000 }),
});

function seal(aead: Aead, { nonce, aad, plain }: { nonce: Uint8Array; aad: Uint8Array; plain: Uint8Array }): Buffer {
  const sealed = Buffer.alloc(plain.length + TAG_SIZE);
  aead.seal({ nonce, aad }, plain, sealed);
  return sealed;
}

t.test("the OpenSSL of this Node can be called directly", async (t) => {
  t.not(openssl, null, "else every value takes four times as long to seal");
});

t.test("both ways to OpenSSL give the same bytes and open each other's", { skip: openssl === null }, async (t) => {
  if (openssl === null) return;
  const [direct, node] = [new OpensslAead(openssl, key), new NodeAead(key)];
  const same = fc.property(value, (given) => {
    const sealed = seal(direct, given);
    const opened = [direct.open(given, sealed), node.open(given, sealed)];
    return sealed.equals(seal(node, given)) && opened.every((plain) => plain?.equals(given.plain) === true);
  });
  fc.assert(same, { numRuns: 300, verbose: true });
  t.pass("300 values");
});

t.test("keys in turn, with values among them that do not open", { skip: openssl === null }, async (t) => {
  if (openssl === null) return;
  const keys = [randomBytes(KEY_SIZE), randomBytes(KEY_SIZE), randomBytes(KEY_SIZE)];
  const pairs = keys.map((one) => ({ direct: new OpensslAead(openssl, one), node: new NodeAead(one) }));
  const step = fc.record({ which: fc.nat(2), opens: fc.boolean(), wrong: fc.boolean(), given: value });
  const same = fc.property(fc.array(step, { maxLength: 12 }), (steps) =>
    steps.every(({ which, opens, wrong, given }) => {
      const { direct, node } = pairs[which] ?? { direct: null, node: null };
      if (direct === null || node === null) return false;
      const sealed = seal(node, given);
      if (!opens) return sealed.equals(seal(direct, given));
      if (wrong) sealed[0] = (sealed[0] ?? 0) ^ 1;
      return wrong ? direct.open(given, sealed) === null : direct.open(given, sealed)?.equals(given.plain) === true;
    }),
  );
  fc.assert(same, { numRuns: 200, verbose: true });
  t.pass("200 rounds");
});

t.test("a value that was changed anywhere does not open", async (t) => {
  const aeads = [new NodeAead(key), ...(openssl === null ? [] : [new OpensslAead(openssl, key)])];
  for (const aead of aeads) {
    const given = { nonce: randomBytes(NONCE_SIZE), aad: randomBytes(20), plain: randomBytes(100) };
    const sealed = seal(aead, given);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      sealed[bit >> 3] = (sealed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (aead.open(given, sealed) !== null) t.fail(`bit ${bit} was flipped and the value opened`);
      sealed[bit >> 3] = (sealed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
    t.same(aead.open(given, sealed), given.plain, "unchanged it opens");
    t.equal(aead.open({ nonce: given.nonce, aad: randomBytes(20) }, sealed), null, "another context");
    t.equal(aead.open({ nonce: randomBytes(NONCE_SIZE), aad: given.aad }, sealed), null, "another nonce");
  }
});

t.test("memory that is too small is refused before OpenSSL writes to it", { skip: openssl === null }, async (t) => {
  if (openssl === null) return;
  const aead = new OpensslAead(openssl, key);
  const context = { nonce: randomBytes(NONCE_SIZE), aad: randomBytes(4) };
  t.throws(() => aead.seal(context, randomBytes(10), Buffer.alloc(25)), RangeError);
  t.throws(() => aead.seal({ ...context, nonce: randomBytes(8) }, randomBytes(10), Buffer.alloc(26)), RangeError);
  t.throws(() => new OpensslAead(openssl, randomBytes(16)), RangeError);
  t.equal(aead.open(context, randomBytes(3)), null);
});
