/** Stores mounted as they were, on real mounts. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryStore, MemoryVersion, Mount } from "../../lib/api.ts";
import { currentDriver, mountedTest } from "../fixtures/drivers.ts";
import { run, shell } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { journalKinds, problemsIn } from "../fixtures/sound.ts";

const SOME = `
  cd "$1"; mkdir -p sub/deep empty; for i in $(seq 60); do echo "content $i" > sub/$i; done
  head -c 3000000 /dev/urandom > big; ln -s sub/1 link; printf '' > none; printf 'x' > "a name"; echo run > s.sh
  chmod 750 s.sh; touch -d @1500000000.5 sub/2; cp -a . "$2"`;
const CHANGES = `
  cd "$1"; rm -r sub/1 none; mv sub moved; echo more >> big; ln -sf nowhere link; mkdir new; echo n > new/n
  chmod 600 s.sh; rmdir empty; echo other > "a name"`;

async function works(t: Test, script: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await shell(script, ...args);
  t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

async function outside(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mp-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

async function headSeq(home: TestHome): Promise<number> {
  return (await home.json<MemoryStore>("store", "show", "notes")).usage?.head_seq ?? 0;
}

mountedTest(t, "a mount of the past is what was there, for ever, and refuses changes", async (t) => {
  const home = await testHome(t);
  const [live, past, other] = [await home.directory("live"), await home.directory("past"), await home.directory("o")];
  const copy = await outside(t);
  await home.json("mount", "--create", "notes", live, "--agent", "scout");
  await works(t, SOME, live, copy);
  const [newest] = await home.json<MemoryVersion[]>("log", "notes", "-n", "1");
  const seq = await headSeq(home);
  const mounted = await home.json<Mount>("mount", `notes@#${seq}`, past, "--session", "s-9");
  t.match(mounted, { session_id: "s-9", stores: [{ name: "notes", access: "ro", directory: null, at: { seq, when: `#${seq}` } }] }); // prettier-ignore
  const same = `diff -r --no-dereference "$1" "$2"; cd "$2"; for f in big s.sh link "a name" sub/2; do stat -c "%n %a %s %Y" "$f"; done; stat -c "%n %a" sub empty`;
  const [before, expected] = [await works(t, same, copy, past), await works(t, same, copy, copy)];
  t.equal(before, expected);
  const inode = await works(t, 'stat -c %i "$1/big" "$2/big"', past, live);
  t.equal(inode.split("\n")[0], inode.split("\n")[1], "the numbers are the store's");

  await works(t, CHANGES, live);
  t.equal(await works(t, same, copy, past), expected, "after everything has changed");
  await home.json("mount", `notes@${newest?.id ?? ""}`, other);
  await works(t, 'diff -r --no-dereference "$1" "$2"', past, other);

  const tries = ["echo x > new", "rm big", "mkdir d", "touch big", "mv big b", "chmod 1 s.sh", "echo x >> big"];
  const refused = await shell(`cd "$1"; for one; do [ "$one" = "$1" ] || sh -c "$one" || :; done`, past, ...tries);
  t.equal(refused.stderr.match(/Read-only file system/g)?.length, 7);
  t.match(await works(t, 'findmnt -n -o OPTIONS "$1"', past), /^ro,/);
  t.match(
    await works(t, 'getfattr --absolute-names --only-values -n user.memfs.version "$1/big"', past),
    /^memver_01\w{22}$/,
  );
  t.match((await home.memfs("mounts")).stdout, new RegExp(`/past +notes@#${seq} \\(\\d{4}-\\d\\d-\\d\\d `));
  t.equal((await home.memfs("cat", `${past}/a name`)).stdout, "x", "a path in it means the version there");
  t.equal((await home.memfs("cat", `${live}/a name`)).stdout, "other\n");
  const listed = (await home.memfs("ls", past)).stdout;
  t.ok(/ sub\/\n/.test(listed) && !listed.includes("moved"), listed);
  const differs = await home.memfs("diff", past);
  t.match(differs, { code: 1, stdout: /^-x$/m }, "then and now");
  t.match((await home.memfs("show", `${past}/a name`)).stdout, /Memory: +\/a name@1 /);
  t.match((await home.memfs("prompt", past)).stdout, /as it was at .*read-only/);
  await home.memfs("daemon", "stop");
  t.strictSame(await problemsIn(home.home.dir), []);
  t.notOk((await journalKinds(home.home.dir)).includes("write.denied"));
});

mountedTest(
  t,
  "past and present stand side by side, come back as they were, and outlive the store's archiving",
  async (t) => {
    const home = await testHome(t);
    const [live, both] = [await home.directory("live"), await home.directory("both")];
    await home.json("mount", "--create", "notes", live);
    await works(t, 'echo one > "$1/f"', live);
    const seq = await headSeq(home);
    await works(t, 'echo two > "$1/f"', live);
    const mounted = await home.json<Mount>("mount", "notes:rw", `notes@#${seq}`, both, "--persist");
    t.strictSame(mounted.stores.map(({ directory, at }) => [directory, at?.seq]), [["notes", undefined], [`notes@${seq}`, seq]]); // prettier-ignore
    const look = 'cd "$1"; ls; head "notes/f" "notes@$2/f"';
    const seen = `notes\nnotes@${seq}\n==> notes/f <==\ntwo\n\n==> notes@${seq}/f <==\none\n`;
    t.equal(await works(t, look, both, String(seq)), seen);

    await home.kill();
    t.equal((await home.memfs("daemon", "start")).code, 0);
    t.equal(await works(t, look, both, String(seq)), seen, "after a crash");
    t.strictSame((await home.json<Mount[]>("mounts"))[0]?.stores, mounted.stores);
    await home.memfs("umount", both);

    t.equal((await home.memfs("store", "archive", "notes")).code, 0);
    const before = await headSeq(home);
    t.match((await home.memfs("mount", "notes", both)).stderr, /archived; .*mounted as it was: notes@WHEN/);
    await home.json("mount", `notes@#${seq}`, both);
    t.equal(await readFile(join(both, "f"), "utf8"), "one\n");
    t.equal((await home.memfs("umount", both)).code, 0);
    t.equal(await headSeq(home), before, "an archived store takes no entries");
    const driver = currentDriver() === "native" ? ["--driver", "native"] : [];
    const command = await home.memfs("run", ...driver, `notes@#${seq}`, "--", "sh", "-c", 'cat "$MEMFS_MOUNT/f"');
    t.strictSame(command, { code: 0, stdout: "one\n", stderr: "" });
  },
);

t.test("a moment that is none is refused, and nothing is mounted", async (t) => {
  const home = await testHome(t);
  const place = await home.directory("place");
  t.equal((await home.memfs("store", "create", "notes")).code, 0);
  const refusals: [spec: string, code: number, said: RegExp][] = [
    ["notes@#4711", 66, /the store notes has no moment #4711; its journal goes from #1 \(.*\) to now/],
    ["notes@#0", 66, /no moment #0/],
    ["notes@memver_01abc", 66, /no moment memver_01abc/],
    ["notes@2001-01-01T00:00:00Z", 66, /no moment 2001-01-01T00:00:00\.000000Z/],
    ["notes@2999-01-01 10:00", 66, /no moment 2999-/],
    ["notes@9 weeks ago", 66, /no moment/],
    ["notes@#1:rw", 64, /the past cannot be written to; write notes@#1/],
    ["none@#1", 66, /there is no store "none", so it has no past/],
  ];
  for (const [spec, code, said] of refusals) {
    const outcome = await home.memfs("mount", "--create", spec, place);
    t.match({ code: outcome.code, stderr: outcome.stderr }, { code, stderr: said }, spec);
  }
  t.match(await home.memfs("mount", "notes@tomorrow", place), { code: 66, stderr: /"tomorrow" is no moment of notes; give a time, one like "2h ago"/ }); // prettier-ignore
  t.match(await home.memfs("mount", "notes@#1", "notes@#1", place), { code: 64, stderr: /twice at #1/ });
  t.strictSame(await home.json<Mount[]>("mounts"), []);
  t.equal((await run("mountpoint", ["-q", place])).code === 0, false);
});
