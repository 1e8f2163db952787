/** Extended attributes on real mounts: what Python and the tools that copy them see, in two mounts, after a restart. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryVersion } from "../../lib/api.ts";
import { eachDriver } from "../fixtures/drivers.ts";
import { run, shell } from "../fixtures/fuse.ts";
import { Trio } from "../fixtures/trio.ts";

const ATTRIBUTES = `
f, d = one + "/f", one + "/d"
write(f, "content")
os.mkdir(d)
os.symlink("f", one + "/link")
os.mkfifo(one + "/fifo")
for path in f, d:
    os.setxattr(path, "user.x", b"\\0\\xff value")
    assert os.getxattr(path, "user.x") == b"\\0\\xff value"
    os.setxattr(path, "user.empty", b"")
    fails("EEXIST", os.setxattr, path, "user.x", b"", os.XATTR_CREATE)
    fails("ENODATA", os.setxattr, path, "user.y", b"", os.XATTR_REPLACE)
    fails("ENODATA", os.getxattr, path, "user.y")
    fails("ENODATA", os.removexattr, path, "user.y")
    fails("EOPNOTSUPP", os.setxattr, path, "trusted.x", b"")
    fails("EOPNOTSUPP", os.getxattr, path, "system.posix_acl_access")
    fails("EOPNOTSUPP", os.setxattr, path, "security.x", b"")
    fails("ENODATA", os.getxattr, path, "security.capability")
    fails("E2BIG", os.setxattr, path, "user.big", b"x" * 65537)
    fails("ERANGE", os.setxattr, path, "user." + "n" * 251, b"")
    os.setxattr(path, "user.big", b"x" * 65536)
    fails("ENOSPC", os.setxattr, path, "user.big2", b"x" * 65536)
    assert len(os.getxattr(path, "user.big")) == 65536
    os.removexattr(path, "user.big")
fails("EPERM", os.setxattr, one + "/link", "user.x", b"", follow_symlinks=False)
fails("EPERM", os.setxattr, one + "/fifo", "user.x", b"")
fails("EROFS", os.setxattr, frozen + "/f", "user.x", b"")
fails("EROFS", os.removexattr, frozen + "/f", "user.x")
shown = ["user.memfs." + name for name in ("agent", "id", "session", "sha256", "version")]
for place in two, frozen:
    assert os.getxattr(place + "/f", "user.x") == b"\\0\\xff value"
    assert sorted(os.listxattr(place + "/f")) == sorted(["user.x", "user.empty"] + shown)
    assert sorted(os.listxattr(place + "/d")) == ["user.empty", "user.x"]
ctime = os.stat(two + "/f").st_ctime_ns
os.setxattr(f, "user.x", b"changed")
assert os.getxattr(two + "/f", "user.x") == b"changed"
assert os.stat(two + "/f").st_ctime_ns > ctime
assert os.stat(f).st_ctime_ns == os.stat(two + "/f").st_ctime_ns
fd = os.open(f, os.O_RDWR)
os.setxattr(fd, "user.fd", b"by descriptor")
assert os.getxattr(fd, "user.fd") == b"by descriptor"
os.unlink(f)
assert os.getxattr(fd, "user.fd") == b"by descriptor"
os.close(fd)
`;

async function shown(t: Test, { home, one, two }: Trio): Promise<void> {
  await shell('echo hello > "$1/shown"; setfattr -n user.x -v mine "$1/shown"', one);
  const { stdout } = await run("getfattr", ["-d", "--absolute-names", join(two, "shown")]);
  const [head] = await home.json<MemoryVersion[]>("log", "notes:/shown");
  const actor = head?.created_by as { session_id: string };
  t.strictSame(stdout.trim().split("\n").slice(1), [
    'user.memfs.agent="scout"',
    `user.memfs.id="${head?.memory_id}"`,
    `user.memfs.session="${actor.session_id}"`,
    'user.memfs.sha256="5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"',
    `user.memfs.version="${head?.id}"`,
    'user.x="mine"',
  ]);
}

async function notes(t: Test, { home, one }: Trio): Promise<void> {
  const script = `
    echo one > "$1/noted"; setfattr -n user.memfs.note -v "because" "$1/noted"; echo two > "$1/noted"
    setfattr -n user.memfs.note -v "by sed" "$1/noted"; sed -i s/two/three/ "$1/noted"; echo four > "$1/noted"`;
  t.match(await shell(script, one), { code: 0, stderr: "" });
  const versions = await home.json<MemoryVersion[]>("log", "notes:/noted");
  t.strictSame(versions.map(({ note }) => note).reverse(), [null, "because", "by sed", null]);
  const long = `${"why ".repeat(20)}\nand more`;
  t.match(await shell('setfattr -n user.memfs.note -v "$2" "$1/noted"; echo five > "$1/noted"', one, long), {
    code: 0,
  });
  const log = (await home.memfs("log", "notes:/noted")).stdout.trimEnd().split("\n");
  t.match(log[0], /@5 {2}\S+ +\S+ {2}"(why ){15}…"$/, "its beginning");
  t.match(log[1], /@4 {2}\S+ +\S+$/, "none");
  t.match(log[2], /@3 {2}\S+ +\S+ {2}"by sed"$/);
  t.ok((await home.memfs("show", "notes:/noted")).stdout.includes(`Note:    ${long.replace("\n", "\n         ")}\n`));
}

/** Attributes come along into a mount, out of it, and from one mount to another, and no tool complains. */
const COPIES = `
  mkdir "$1/c" "$3/out"; cd "$1/c"; echo text > f; mkdir d; echo text > d/g
  setfattr -n user.x -v mine f; setfattr -n user.d -v dir d
  mine() { getfattr --absolute-names -d -m '^user[.](x|d)$' "$@"; }
  cp -a f same; cp -a f "$3/out/f"; cp -a "$3/out/f" back; cp --preserve=xattr f strict; cp --preserve=xattr f strict
  for copy in same "$3/out/f" back strict; do test "$(getfattr --absolute-names --only-values -n user.x "$copy")" = mine; done
  rsync -aX d f "$3/out/r/"; rsync -aX "$3/out/r/" r/; rsync -aX r/ r2/; rsync -aX "$3/out/r/" r/
  rsync -aX --delete r/ r2/
  test "$(getfattr --absolute-names --only-values -n user.x r2/f)" = mine; test "$(getfattr --absolute-names --only-values -n user.d r2/d)" = dir
  echo bare > "$3/out/bare"; cp -a f bare; rsync -aX "$3/out/bare" bare; mine bare
  mv f "$3/out/moved"; mv "$3/out/moved" f; test "$(getfattr --absolute-names --only-values -n user.x f)" = mine
  tar --xattrs --format=posix -cf "$3/out/t.tar" f d; mkdir t; tar --xattrs -xf "$3/out/t.tar" -C t
  test "$(getfattr --absolute-names --only-values -n user.x t/f)" = mine
  id=$(getfattr --absolute-names --only-values -n user.memfs.id f); test "$id" != "$(getfattr --absolute-names --only-values -n user.memfs.id same)"
  test "$id" = "$(getfattr --absolute-names --only-values -n user.memfs.id "$2/c/f")"
`;

async function copies(t: Test, { one, two }: Trio): Promise<void> {
  const outside = await mkdtemp(join(tmpdir(), "mx-"));
  t.teardown(() => rm(outside, { recursive: true }));
  t.strictSame(await shell(COPIES, one, two, outside), { code: 0, stdout: "", stderr: "" });
}

await eachDriver(t, async (t) => {
  await t.test("extended attributes in mounts", async (t) => {
    const trio = await Trio.open(t);
    await t.test("attributes are set, read, listed and removed as on any file system", (t) =>
      trio.python(t, ATTRIBUTES),
    );
    await t.test("getfattr shows the memory and its head version", (t) => shown(t, trio));
    await t.test("a note set as an attribute goes with the next version", (t) => notes(t, trio));
    await t.test("cp, rsync, mv and tar bring attributes along without a complaint", (t) => copies(t, trio));
    const kept = 'assert os.getxattr(one + "/shown", "user.x") == b"mine"';
    await t.test("attributes are there after a restart", async (t) => {
      await trio.restart();
      await trio.python(t, kept);
      await trio.crash();
      await trio.python(t, kept);
    });
    await trio.close(t);
  });
});
