/** Contents that are too large for JSON. */

import { createHash } from "node:crypto";
import t, { type Test } from "tap";
import { JSON_CONTENT_BYTES, type List, type Memory, type MemoryVersion } from "../../lib/api.ts";
import { httpFixture, type HttpFixture } from "../fixtures/http.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { OPERATOR } from "../fixtures/store.ts";
import { O_WRONLY } from "../fixtures/vfs.ts";

const MIB = 1024 * 1024;

/** A store that takes large memories, and a way to make them. */
async function fixture(t: Test): Promise<HttpFixture & { write(path: string, bytes: Buffer): Promise<void> }> {
  const http = await httpFixture(t);
  const { catalogue, store, mount } = http;
  await catalogue.setPolicy(store.info.id, { maxMemoryBytes: 1024 * MIB }, OPERATOR);
  const write = async (path: string, bytes: Buffer): Promise<void> => {
    const file = await mount.open(path, O_WRONLY);
    for (let at = 0; at < bytes.length; at += MIB) await mount.putBytes(file, bytes.subarray(at, at + MIB), at);
    await mount.close(file);
  };
  return { ...http, write };
}

t.test("JSON holds so much content and no more; the record and the bytes are there all the same", async (t) => {
  const random = randomFrom(testSeed(t));
  const { path, ask, write } = await fixture(t);
  await write("/most", Buffer.alloc(JSON_CONTENT_BYTES, "x"));
  const large = Buffer.alloc(JSON_CONTENT_BYTES + 1 + Math.floor(random() * MIB));
  for (let at = 0; at < large.length; at += 512) large.writeInt32LE(random() * 2 ** 31, Math.min(at, large.length - 4));
  await write("/large", large);
  const { data } = (await ask<List<MemoryVersion>>("GET", `${path}/memory_versions?path=/large`)).body;
  const one = `${path}/memory_versions/${data[0]?.id}`;
  const memory = `${path}/memories/${data[0]?.memory_id}`;
  const says = `the content has ${large.length} bytes`;
  for (const url of [one, memory, `${path}/memory_versions?path=/large&version=head&view=full`]) {
    const refused = await ask("GET", url);
    t.match(refused, { status: 413, error: { code: "too_large", message: new RegExp(`^${says}.*memfs cat$`) } }, url);
  }
  t.match((await ask("GET", `${one}?view=basic`)).body, { content: null, content_size_bytes: large.length });
  t.match((await ask("GET", `${memory}?view=basic`)).body, { content: null, content_size_bytes: large.length });
  const most = await ask<List<MemoryVersion>>("GET", `${path}/memory_versions?path=/most&view=full`);
  t.equal(most.body.data[0]?.content?.length, JSON_CONTENT_BYTES, "at the limit");
});

t.test("a page with too much content together is refused, and a smaller one is not", async (t) => {
  const { path, ask, write } = await fixture(t);
  for (const name of ["a", "b", "c"]) await write(`/${name}`, Buffer.alloc(7 * MIB, name));
  for (const list of ["memories", "memory_versions"]) {
    const refused = await ask("GET", `${path}/${list}?view=full`);
    t.match(refused, { status: 413, error: { code: "too_large", message: /of this page.*; use a smaller limit/ } });
    const pages = await ask<List<Memory>>("GET", `${path}/${list}?view=full&limit=2`);
    t.strictSame(
      pages.body.data.map(({ content }) => content?.length),
      [7 * MIB, 7 * MIB],
    );
    t.equal((await ask<List<Memory>>("GET", `${path}/${list}`)).body.data.length, 3, "without contents");
  }
});

t.test("bytes of any size are streamed, with their length and digest", async (t) => {
  const random = randomFrom(testSeed(t));
  const { api, path, write } = await fixture(t);
  for (const size of [0, 1, 512 * 1024 - 1, 512 * 1024, 512 * 1024 + 1, 5 * MIB + 77]) {
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; at++) bytes[at] = random() * 256;
    await write(`/f${size}`, bytes);
    const answer = await api.inject({ method: "GET", url: `${path}/files/f${size}` });
    t.equal(answer.statusCode, 200);
    t.equal(answer.headers["content-length"]?.toString(), String(size));
    t.ok(answer.rawPayload.equals(bytes), `${size} bytes`);
    t.equal(answer.headers.etag, `"${createHash("sha256").update(bytes).digest("hex")}"`);
  }
});
