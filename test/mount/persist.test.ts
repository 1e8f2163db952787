/** Mounts that come back: after a restart, a crash, and with what was wrong in between. */
import { appendFile, mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import t from "tap";
import type { DaemonStatus, MemoryVersion, Mount } from "../../lib/api.ts";
import { requireFuse, run, shell, until } from "../fixtures/fuse.ts";
import { mountsBelow, testHome } from "../fixtures/home.ts";
import { ANN, makeHost } from "../fixtures/users.ts";

t.test("a persistent mount comes back as it was, after a restart and after a crash", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const [all, brief] = [await home.directory("all"), await home.directory("brief")];
  const flags = ["--agent", "scout", "--session", "s-1", "--owner", "12:34", "--posix-owner", "--dev"];
  await home.memfs("store", "create", "org");
  t.equal((await home.memfs("mount", "--create", "notes", "org:ro", all, "--persist", ...flags)).code, 0);
  t.equal((await home.memfs("mount", "notes", brief)).code, 0);
  await writeFile(`${all}/notes/a.md`, "one\n");
  const before = await home.json<Mount[]>("mounts");
  const kept = before.filter(({ persist }) => persist);
  const listed = (await home.memfs("mounts")).stdout.trimEnd().split("\n");
  t.match(listed[0], /\/brief +notes:rw +\S+$/);
  t.match(listed[1], /\/all +notes:rw org:ro +scout\/s-1 +persistent$/);
  const inode = (await shell('stat -c %i "$1/notes/a.md"', all)).stdout;

  t.equal((await home.memfs("daemon", "restart")).code, 0);
  t.strictSame(mountsBelow(home.place), [all], "only what was to come back, before anything is asked");
  t.strictSame(await home.json<Mount[]>("mounts"), kept, "id, session, owner, flags and stores are the same");
  t.equal(await readFile(`${all}/notes/a.md`, "utf8"), "one\n");
  t.equal((await shell('stat -c %i "$1/notes/a.md"', all)).stdout, inode);

  await appendFile(`${all}/notes/a.md`, "two\n");
  await home.kill();
  t.equal((await home.memfs("daemon", "start")).code, 0);
  await appendFile(`${all}/notes/a.md`, "three\n");
  t.equal(await readFile(`${all}/notes/a.md`, "utf8"), "one\ntwo\nthree\n");
  t.match((await shell('echo x > "$1/org/f"', all)).stderr, /Read-only file system/);
  const versions = await home.json<MemoryVersion[]>("log", "notes:/a.md");
  t.strictSame(
    versions.map(({ agent, created_by: by }) => [agent, by]),
    Array.from({ length: 3 }, () => ["scout", { type: "session_actor", session_id: "s-1" }]),
  );

  t.equal((await home.memfs("umount", all)).code, 0);
  t.equal((await home.memfs("daemon", "restart")).code, 0);
  t.strictSame(await home.json<Mount[]>("mounts"), [], "umount has forgotten it");
  t.equal(await readFile(home.home.mountsFile, "utf8"), "[]\n");
});

t.test("one that cannot come back is reported and kept until it can, or is unmounted", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const [a, b, c] = [await home.directory("a"), await home.directory("b"), await home.directory("c")];
  for (const place of [a, b, c]) {
    t.equal((await home.memfs("mount", "--create", `store-${place.at(-1)}`, place, "--persist")).code, 0);
  }
  t.equal((await home.memfs("store", "rm", "store-b", "--yes")).code, 75, "a store in use stays");
  await home.memfs("daemon", "stop");
  await rmdir(a);
  await writeFile(`${c}/in-the-way`, "");
  t.equal((await home.memfs("daemon", "start")).code, 0);
  t.strictSame(mountsBelow(home.place), [b], "the others come back");
  const gone = `${a} does not exist; make it with: mkdir -p ${a}`;
  t.match(await home.json<Mount[]>("mounts"), [
    { mountpoint: c, problem: `${c} is not empty; mount on an empty directory` },
    { mountpoint: b, problem: null },
    { mountpoint: a, problem: gone, persist: true },
  ]);
  t.match((await home.memfs("mounts")).stdout, new RegExp(`${a} .* not mounted: ${gone}\n`));
  t.match(await home.json<DaemonStatus>("daemon", "status"), { mounts: 1, absent_mountpoints: [a, c] });
  t.match((await home.memfs("daemon", "status")).stdout, /mounts +1, and 2 not there; see: memfs mounts/);
  t.match(await home.log(), /"level":"warn","message":"a mount could not be restored","mountpoint":"[^"]*\/a"/);
  t.equal((await home.memfs("cat", `${c}/in-the-way`)).code, 66, "a path there is in no mount");
  t.equal((await home.memfs("store", "rm", "store-a", "--yes")).code, 0, "its store may go");

  await mkdir(a);
  const refused = await home.memfs("mount", "--create", "other", a);
  t.equal(refused.code, 75, "its place is kept");
  t.match(refused.stderr, /is kept for a mount that is not there; .* memfs umount/);
  await rm(`${c}/in-the-way`);
  await home.kill();
  t.equal((await home.memfs("daemon", "start")).code, 0);
  t.strictSame(mountsBelow(home.place).sort(), [b, c], "what is possible again is there again");
  t.match(await home.json<Mount[]>("mounts"), [
    {},
    {},
    { mountpoint: a, problem: /^its store memstore_\w+ was deleted; / },
  ]);
  t.strictSame(await home.memfs("umount", a), { code: 0, stdout: "", stderr: "" });
  t.equal((await home.memfs("mount", "--create", "other", a)).code, 0);
  await home.memfs("daemon", "restart");
  t.strictSame(mountsBelow(home.place).sort(), [b, c]);
});

t.test("one that others unmount comes back with the next start: a host that shuts down does that", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", notes, "--persist");
  t.equal((await run("umount", [notes])).code, 0);
  await until(
    async () => (await home.json<Mount[]>("mounts"))[0]?.problem?.startsWith("somebody has unmounted it") ?? false,
  );
  t.equal((await home.memfs("store", "archive", "notes")).code, 0);
  await home.memfs("daemon", "restart");
  t.match(await home.json<Mount[]>("mounts"), [{ problem: /^its store notes is archived; / }]);
  t.strictSame(mountsBelow(home.place), []);
});

t.test("a user's mounts come back too", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  await user.shell("mkdir notes");
  t.equal((await user.memfs("mount", "--create", "notes", "notes", "--persist")).code, 0);
  await user.shell("echo one > notes/a.md");
  await user.kill();
  t.equal((await user.memfs("daemon", "start")).code, 0);
  t.match(await user.shell("cat notes/a.md; grep -c memfs: /proc/self/mounts"), { code: 0, stdout: "one\n1\n" });
});
