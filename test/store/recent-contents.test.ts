import t from "tap";
import { RecentContents } from "../../lib/store/content/recent-contents.ts";
import { type Hash, sha256 } from "../../lib/store/content/hash.ts";
import { randomFrom, testSeed } from "../fixtures/random.ts";
import { StoreFiles } from "../fixtures/store-files.ts";
import { stored, storeFixture } from "../fixtures/store.ts";

const KIB = 1024;

const digest = (text: string): Hash => sha256(Buffer.from(text));

t.test("what was put is there, as a copy, and not what is large", async (t) => {
  const recent = new RecentContents();
  t.equal(recent.get(digest("note")), undefined);
  const bytes = Buffer.from("a note");
  recent.put(digest("note"), bytes);
  bytes.fill(0);
  t.equal(recent.get(digest("note"))?.toString(), "a note");
  const target = Buffer.alloc(8, ".");
  t.equal(recent.copyTo(digest("note"), target), 6);
  t.equal(target.toString(), "a note..");
  t.equal(recent.copyTo(digest("other"), target), undefined);
  recent.put(digest("large"), Buffer.alloc(8 * KIB + 1));
  t.equal(recent.get(digest("large")), undefined);
});

t.test("what is asked for stays, what is not goes", async (t) => {
  const recent = new RecentContents();
  recent.put(digest("kept"), Buffer.from("kept"));
  recent.put(digest("left"), Buffer.from("left"));
  for (let index = 0; index < 5000; index++) {
    recent.put(digest(`filler ${index}`), Buffer.alloc(4 * KIB));
    recent.get(digest("kept"));
  }
  t.equal(recent.get(digest("kept"))?.toString(), "kept");
  t.equal(recent.get(digest("left")), undefined);
});

t.test("content that is looked at because it will be replaced is not kept for that", async (t) => {
  const recent = new RecentContents();
  recent.put(digest("base"), Buffer.from("base"));
  for (let index = 0; index < 5000; index++) {
    recent.put(digest(`filler ${index}`), Buffer.alloc(4 * KIB));
    recent.copyTo(digest("base"), Buffer.alloc(8 * KIB));
  }
  t.equal(recent.get(digest("base")), undefined);
});

t.test("what was got stays as it is, whatever is put in its place", async (t) => {
  const recent = new RecentContents();
  recent.put(digest("note"), Buffer.from("a note"));
  const note = recent.get(digest("note"));
  for (let index = 0; index < 5000; index++) recent.put(digest(`filler ${index}`), Buffer.alloc(4 * KIB, index));
  t.equal(note?.toString(), "a note");
});

t.test("putting the same content again takes no room", async (t) => {
  const recent = new RecentContents();
  recent.put(digest("first"), Buffer.from("first"));
  for (let index = 0; index < 5000; index++) recent.put(digest("same"), Buffer.alloc(4 * KIB));
  t.equal(recent.get(digest("first"))?.toString(), "first");
});

t.test("how a store has content is known of the last one that told it, as long as the content is there", async (t) => {
  const recent = new RecentContents();
  const note = digest("note");
  t.equal(recent.depthOf(2, note), undefined);
  recent.put(note, Buffer.from("a note"));
  t.equal(recent.depthOf(2, note), undefined, "who only read it cannot tell");
  recent.put(note, Buffer.from("a note"), { space: 2, depth: 3 });
  t.equal(recent.depthOf(2, note), 3);
  t.equal(recent.depthOf(3, note), undefined);
  recent.put(note, Buffer.from("a note"));
  t.equal(recent.depthOf(2, note), 3, "reading it changes nothing");
  for (let index = 0; index < 5000; index++) {
    recent.put(digest(`filler ${index}`), Buffer.alloc(4 * KIB));
    recent.get(note);
  }
  t.equal(recent.depthOf(2, note), 3, "it moved in the memory");
  recent.put(note, Buffer.from("a note"), { space: 3, depth: 0 });
  t.equal(recent.depthOf(3, note), 0);
  t.equal(recent.depthOf(2, note), undefined);
  for (let index = 0; index < 5000; index++) recent.put(digest(`filler ${index}`), Buffer.alloc(4 * KIB));
  t.equal(recent.depthOf(3, note), undefined, "it went");
  recent.put(note, Buffer.from("a note"));
  t.equal(recent.depthOf(3, note), undefined);
});

t.test("contents of any size are what was put or not there; those of the last megabytes mostly are", async (t) => {
  const random = randomFrom(testSeed(t));
  const recent = new RecentContents();
  const put: { hash: Hash; size: number; fill: number }[] = [];
  let found = 0;
  let asked = 0;
  for (let round = 0; round < 20_000; round++) {
    const size = Math.floor(random() ** 2 * (8 * KIB + 1));
    const fill = Math.floor(random() * 256);
    const hash = digest(`content ${round}`);
    recent.put(hash, Buffer.alloc(size, fill));
    put.push({ hash, size, fill });
    // 1,000 of these are some 3 MiB.
    const back = random() < 0.5 ? 1000 : put.length;
    const known = put[put.length - 1 - Math.floor(random() * Math.min(back, put.length))];
    const bytes = known === undefined ? undefined : recent.get(known.hash);
    if (back === 1000) asked += 1;
    if (bytes === undefined || known === undefined) continue;
    if (back === 1000) found += 1;
    if (!bytes.equals(Buffer.alloc(known.size, known.fill))) return void t.fail(`round ${round}: other bytes`);
  }
  t.ok(found > 0.9 * asked, `${found} of ${asked} recent ones are there`);
});

t.test("content that was just written is read without asking the database", async (t) => {
  const { store, kv } = await storeFixture(t);
  new StoreFiles(store).write("/f", "a note");
  const [content] = await stored(kv, "c");
  if (content === undefined) throw new Error("no content is stored");
  content.value.fill(0xff);
  const id = store.memoryAt(Buffer.from("/f")).id;
  t.equal(store.readHead(id).toString(), "a note");
  t.equal((await store.verify()).ok, false, "and verification reads what is stored");
  content.value.set([1, 0, ...Buffer.from("a note")]);
});
