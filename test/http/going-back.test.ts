/** Going back over HTTP. */
import t from "tap";
import type { List, MemoryVersion } from "../../lib/api.ts";
import type { Reversed } from "../../lib/api/reversal.ts";
import { httpFixture } from "../fixtures/http.ts";
import { TestMount } from "../fixtures/vfs.ts";

t.test("undo takes back what a session did, or says what that would be, and lists what it keeps", async (t) => {
  const { ask, path, mount, store, live } = await httpFixture(t);
  const other = await TestMount.open(live, store.info.id, { agent: "other", session: "s-2" });
  t.teardown(() => other.mount.detach());
  await other.write("/a.md", "one\ntwo\n");
  await mount.write("/a.md", "one\nTWO\n");
  await mount.write("/made.md", "made");
  const [newest] = (await ask<List<MemoryVersion>>("GET", `${path}/memory_versions`)).body.data;
  const by = newest?.created_by;
  const body = { session_id: by?.type === "session_actor" ? by.session_id : "" };
  const preview = await ask<Reversed>("POST", `${path}/undo`, { body: { ...body, dry_run: true } });
  t.match(preview.body, { type: "undo", dry_run: true, seq: null, kept: [] });
  t.strictSame(preview.body.changes.map(({ action, path, version }) => [action, path, version]).sort(), [
    ["deleted", "/made.md", null],
    ["modified", "/a.md", null],
  ]);
  t.equal(await other.read("/a.md"), "one\nTWO\n");
  const done = await ask<Reversed>("POST", `${path}/undo`, { body: { ...body, note: "it was wrong" } });
  t.match(
    done.body.changes.find(({ action }) => action === "modified"),
    { to: { n: 1 }, version: { n: 3, note: "it was wrong" } },
  );
  t.equal(await other.read("/a.md"), "one\ntwo\n");
  const wrong: [body: object, status: number][] = [
    [{}, 400],
    [{ ...body, seq: 1 }, 400],
    [{ ...body, since: "2026-11-21T09:00:00Z" }, 400],
    [{ agent: "scout", since: "yesterday" }, 400],
    [{ session_id: "s-none" }, 404],
    [{ seq: 99_999 }, 404],
  ];
  for (const [body, status] of wrong)
    t.equal((await ask("POST", `${path}/undo`, { body })).status, status, JSON.stringify(body));
});
