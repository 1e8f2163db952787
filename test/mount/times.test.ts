/** Times as `stat` shows them on real mounts, in every mount of the store and after a restart. */
import t from "tap";
import { eachDriver, nativeCannot } from "../fixtures/drivers.ts";
import { run } from "../fixtures/fuse.ts";
import { Trio } from "../fixtures/trio.ts";

const TIMES = `
f = one + "/f"
write(f, "content")
same = lambda: [[s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns] for s in (os.stat(p + "/f") for p in (one, two, frozen))]
for ns in (1, -1, -2_000_000_001, 4_102_444_800_123_456_789, 9_000_000_000_999_999_999, -8_000_000_000_000_000_001):
    os.utime(f, ns=(ns, ns + 5))
    assert os.stat(f).st_atime_ns == ns, (ns, os.stat(f))
    assert os.stat(f).st_mtime_ns == ns + 5
    assert same()[0] == same()[1] == same()[2]
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
class Timespec(ctypes.Structure):
    _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]
NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2
def utimens(atime, mtime):
    times = (Timespec * 2)(Timespec(*atime), Timespec(*mtime))
    assert libc.utimensat(-100, f.encode(), times, 0) == 0
before = os.stat(f)
utimens((0, OMIT), (77, 7))
after = os.stat(f)
assert after.st_atime_ns == before.st_atime_ns and after.st_mtime_ns == 77_000_000_007
assert after.st_ctime_ns > before.st_ctime_ns
utimens((55, 5), (0, OMIT))
assert os.stat(f).st_atime_ns == 55_000_000_005 and os.stat(f).st_mtime_ns == 77_000_000_007
before = time.time_ns()
utimens((0, NOW), (0, OMIT))
assert abs(os.stat(f).st_atime_ns - before) < 5e9 and os.stat(f).st_mtime_ns == 77_000_000_007
utimens((0, NOW), (0, NOW))
assert abs(os.stat(f).st_mtime_ns - before) < 5e9
ctime = os.stat(f).st_ctime_ns
utimens((0, OMIT), (0, OMIT))
assert os.stat(f).st_ctime_ns == ctime, "nothing to do is no change"
with open(f, "a") as file:
    os.utime(file.fileno(), (5, 6))
    assert os.stat(f).st_mtime == 6
assert os.stat(f).st_mtime == 6 and os.stat(two + "/f").st_mtime == 6
fails("EROFS", os.utime, frozen + "/f")
fails("EROFS", os.chmod, frozen + "/f", 0o600)
`;

/** Through the cache of two kernels: whoever asks sees what the last change left. */
const CHANGES = `
f = one + "/c"
write(f, "content")
os.mkdir(one + "/sub")
last = os.stat(f).st_ctime_ns
def moved(what):
    global last
    for place in one, two:
        found = [os.stat(os.path.join(place, name)) for name in ("c", "sub/c") if os.path.exists(os.path.join(place, name))]
        assert all(s.st_ctime_ns > last for s in found), (what, place)
    last = found[0].st_ctime_ns
write(f, "more"); moved("write")
os.truncate(f, 1); moved("truncate")
os.chmod(f, 0o600); moved("chmod")
os.utime(f); moved("utimes")
os.setxattr(f, "user.x", b"x"); moved("setxattr")
os.link(f, one + "/c2"); moved("link")
os.link(two + "/c", two + "/c3"); moved("link in the other mount")
os.unlink(one + "/c2"); moved("unlink")
os.unlink(two + "/c3"); moved("unlink in the other mount")
os.rename(f, one + "/sub/c"); moved("rename")
with open(one + "/sub/c", "r+b") as file:
    file.write(b"x"); file.flush()
    os.setxattr(one + "/sub/c", "user.y", b"y")
    changed = os.stat(one + "/sub/c").st_ctime_ns
assert os.stat(one + "/sub/c").st_ctime_ns == changed
`;

const READS = `
f = one + "/r"
write(f, "content")
written = os.stat(f)
assert written.st_atime_ns <= written.st_mtime_ns
read(frozen + "/r")
assert os.stat(f).st_atime_ns == written.st_atime_ns, "read-only"
fd = os.open(f, os.O_RDONLY | os.O_NOATIME)
os.read(fd, 3)
os.close(fd)
assert os.stat(f).st_atime_ns == written.st_atime_ns, "O_NOATIME"
write(f, "again")
read(f)
atime = os.stat(f).st_atime_ns
assert atime > os.stat(f).st_mtime_ns, "a read after a change"
read(f)
assert os.stat(f).st_atime_ns == atime, "and no other"
os.mkdir(one + "/rd")
os.listdir(one + "/rd")
assert os.stat(one + "/rd").st_atime_ns > os.stat(one + "/rd").st_mtime_ns
print(atime)
`;

async function birth(path: string): Promise<string> {
  return (await run("stat", ["-c", "%.9W", path])).stdout.trim();
}

await eachDriver(t, async (t) => {
  await t.test("times in mounts", async (t) => {
    const trio = await Trio.open(t);
    await t.test("times are kept to the nanosecond, before 1970 and after 2038", async (t) => {
      if (!nativeCannot(t, "nanoseconds")) await trio.python(t, TIMES);
    });
    await t.test("every change moves ctime, in every mount", (t) => trio.python(t, CHANGES));
    let atime = "";
    await t.test("reads move the access time as with relatime", async (t) => {
      const { code, stdout, stderr } = await trio.program(READS);
      t.strictSame({ code, stderr }, { code: 0, stderr: "" });
      atime = stdout.trim();
    });
    let born = "";
    await t.test("stat shows when a file was born, whatever happened to it since", async (t) => {
      if (nativeCannot(t, "birth")) return;
      const now = Date.now() / 1000;
      await trio.python(t, 'write(one + "/b", "x"); os.stat(two + "/b"); write(two + "/b", "y")');
      born = await birth(`${trio.one}/b`);
      t.ok(Math.abs(Number(born) - now) < 10, born);
      await trio.python(t, 'os.utime(one + "/b", (5, 5)); os.rename(one + "/b", one + "/b2"); os.mkdir(one + "/bd")');
      t.equal(await birth(`${trio.one}/b2`), born);
      t.equal(await birth(`${trio.two}/b2`), born);
      t.equal(await birth(`${trio.frozen}/b2`), born);
      t.ok(Number(await birth(`${trio.one}/bd`)) >= Number(born));
      t.ok(Number(await birth(trio.one)) > 0, "the root");
    });
    await t.test("they are there after a restart", async (t) => {
      await trio.restart();
      if (born !== "") t.equal(await birth(`${trio.one}/b2`), born);
      await trio.python(t, `assert os.stat(one + "/r").st_atime_ns == ${atime}`);
      if (born !== "") await trio.python(t, 'assert os.stat(one + "/b2").st_mtime == 5');
    });
    await trio.close(t);
  });
});
