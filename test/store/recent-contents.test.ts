import t from "tap";
import { RecentContents } from "../../lib/store/content/recent-contents.ts";
import { StoreFiles } from "../fixtures/store-files.ts";
import { stored, storeFixture } from "../fixtures/store.ts";

const KIB = 1024;

t.test("what was put is there, as a copy, and not what is large", async (t) => {
  const recent = new RecentContents();
  const bytes = Buffer.from("a note");
  recent.put("note", bytes);
  bytes.fill(0);
  t.equal(recent.get("note")?.toString(), "a note");
  recent.put("large", Buffer.alloc(8 * KIB + 1));
  t.equal(recent.get("large"), undefined);
});

t.test("what is asked for stays, what is not goes", async (t) => {
  const recent = new RecentContents();
  recent.put("kept", Buffer.from("kept"));
  recent.put("left", Buffer.from("left"));
  for (let index = 0; index < 5000; index++) {
    recent.put(`filler ${index}`, Buffer.alloc(4 * KIB));
    recent.get("kept");
  }
  t.equal(recent.get("kept")?.toString(), "kept");
  t.equal(recent.get("left"), undefined);
});

t.test("content that is looked at because it will be replaced is not kept for that", async (t) => {
  const recent = new RecentContents();
  recent.put("base", Buffer.from("base"));
  for (let index = 0; index < 5000; index++) {
    recent.put(`filler ${index}`, Buffer.alloc(4 * KIB));
    recent.copyTo("base", Buffer.alloc(8 * KIB));
  }
  t.equal(recent.get("base"), undefined);
});

t.test("what was got stays as it is, whatever is put in its place", async (t) => {
  const recent = new RecentContents();
  recent.put("note", Buffer.from("a note"));
  const note = recent.get("note");
  for (let index = 0; index < 5000; index++) recent.put(`filler ${index}`, Buffer.alloc(4 * KIB, index));
  t.equal(note?.toString(), "a note");
});

t.test("putting the same content again takes no room", async (t) => {
  const recent = new RecentContents();
  recent.put("first", Buffer.from("first"));
  for (let index = 0; index < 5000; index++) recent.put("same", Buffer.alloc(4 * KIB));
  t.equal(recent.get("first")?.toString(), "first");
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
