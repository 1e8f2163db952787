/** What only the native driver has: its own ways, and its limits as `docs/drivers.md` tells them. */

import { join } from "node:path";
import { realpath } from "node:fs/promises";
import t, { type Test } from "tap";
import type { MemoryVersion, Mount } from "../../lib/api.ts";
import { eachDriver, currentDriver } from "../fixtures/drivers.ts";
import { run, shell } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { MemoryMounts } from "../fixtures/memory-mounts.ts";
import { problemsIn } from "../fixtures/sound.ts";

/** One store in a mount of each driver. */
interface Pair {
  readonly home: TestHome;
  readonly native: string;
  readonly kernel: string;
}

async function pair(t: Test): Promise<Pair> {
  const home = await testHome(t);
  const [native, kernel] = [await home.directory("native"), await home.directory("kernel")];
  const mounts: Mount[] = [
    await home.json<Mount>("mount", "--create", "--driver", "native", "notes", native, "--session", "s-n"),
    await home.json<Mount>("mount", "--driver", "kernel", "notes", kernel, "--session", "s-k"),
  ];
  t.strictSame(
    mounts.map(({ driver }) => driver),
    ["native", "kernel"],
  );
  return { home, native, kernel };
}

/** Runs Python with the arguments in `sys.argv[1:]`; the test fails with what it says. */
async function python(t: Test, script: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run("python3", ["-c", script, ...args]);
  t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

async function closeToOpen(t: Test, { home, native, kernel }: Pair): Promise<void> {
  // So the last close is what is there, whatever its program had read before.
  t.equal((await home.memfs("store", "policy", "notes", "on_conflict=last_writer_wins")).code, 0);
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const client = join(import.meta.dirname, "../fixtures/coherence-client.ts");
  const clients = [0, 1].map((index) =>
    run(process.execPath, ["--import=tsx", client, `${seed + index}`, "400", `client${index}`, native, kernel]),
  );
  for (const outcome of await Promise.all(clients)) t.strictSame(outcome, { code: 0, stdout: "", stderr: "" });
}

const APPEND = `
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for index in range(300):
    line = f"{sys.argv[2]} {index} {'-' * 60}\\n".encode()
    assert os.write(fd, line) == len(line)
os.close(fd)`;

/** Two processes in the native mount share its draft; the third is in the kernel mount. */
async function appends(t: Test, { native, kernel }: Pair): Promise<void> {
  const places = [native, native, kernel];
  await Promise.all(places.map((place, index) => python(t, APPEND, join(place, "log"), `${index}`)));
  const lines = (await shell('cat "$1/log"', native)).stdout.split("\n").slice(0, -1);
  for (const index of places.keys()) {
    const wanted = Array.from({ length: 300 }, (_, at) => `${index} ${at} ${"-".repeat(60)}`);
    t.strictSame(
      lines.filter((line) => line.startsWith(`${index} `)),
      wanted,
      "whole, in order, none lost",
    );
  }
  t.equal(lines.length, 900);
}

const FCNTL = `
import fcntl, os, sys
path = sys.argv[1]
one = os.open(path, os.O_WRONLY | os.O_CREAT)
fcntl.fcntl(one, fcntl.F_SETFL, os.O_APPEND)
two = os.open(path, os.O_WRONLY | os.O_APPEND)
for fd in (one, two, one, two):
    os.write(fd, b"x")
assert os.stat(path).st_size == 4`;

const REMOVED = `
import errno, os, sys
directory = sys.argv[1]
os.chdir(directory)
def names():
    return sorted(os.listdir("."))
with open("gone", "w") as file:
    file.write("content")
file = open("gone")
os.unlink("gone")
assert not os.path.exists("gone")
assert names() == [], names()
assert file.read() == "content"
info = os.fstat(file.fileno())
assert (info.st_size, info.st_nlink) == (7, 0), info
with open("gone", "x") as again:
    again.write("new")
os.fchmod(file.fileno(), 0o600)
file.close()
assert open("gone").read() == "new"
with open("other", "w") as other:
    other.write("replacement")
file = open("gone")
os.replace("other", "gone")
assert names() == ["gone"], names()
assert file.read() == "new"
assert open("gone").read() == "replacement"
file.close()
assert names() == ["gone"], names()
os.mkdir("d"); open("d/f", "w").close()
file = open("d/f")
os.unlink("d/f")
os.mkdir("e")
for call, *values in [(os.rmdir, "d"), (os.rename, "e", "d")]:
    try:
        call(*values)
    except OSError as error:
        assert error.errno == errno.EBUSY, error
    else:
        raise AssertionError(call)
os.rename("d", "moved")
assert file.read() == ""
assert os.listdir("moved") == []
file.close()
os.rmdir("moved"); os.rmdir("e")`;

/** Replaces a file that is always open, while another mount looks for it. */
const REPLACE = `
import os, sys, threading
one, other = sys.argv[1], sys.argv[2]
with open(one, "w") as file:
    file.write("0")
held = open(one)
over = threading.Event()
failures = []
def look():
    while not over.is_set():
        try:
            os.stat(other)
        except OSError as error:
            failures.append(repr(error))
watcher = threading.Thread(target=look)
watcher.start()
for turn in range(200):
    with open(one + ".new", "w") as file:
        file.write(str(turn))
    os.replace(one + ".new", one)
    held.close()
    held = open(one)
    assert held.read() == str(turn)
over.set()
watcher.join()
assert failures == [], failures`;

async function replaced(t: Test, { home, native, kernel }: Pair): Promise<void> {
  await python(t, REPLACE, join(native, "state"), join(kernel, "state"));
  const versions = await home.json<MemoryVersion[]>("log", "notes:/state", "-n", "1000");
  t.strictSame(new Set(versions.map(({ memory_id }) => memory_id)).size, 1, "all of it is one memory's history");
}

async function elsewhere(t: Test, { native, kernel }: Pair): Promise<void> {
  const script = `
import os, sys
native, kernel = sys.argv[1:]
with open(native + "/e", "w") as file:
    file.write("content")
file = open(native + "/e", "r+")
os.unlink(kernel + "/e")
assert not os.path.exists(native + "/e")
assert os.pread(file.fileno(), 100, 0) == b"content"
os.pwrite(file.fileno(), b"C", 0)
try:
    os.fstat(file.fileno())
except FileNotFoundError:
    print("by path")
assert os.pread(file.fileno(), 100, 0) == b"Content"
file.close()`;
  t.equal(await python(t, script, native, kernel), "by path\n");
}

const LIMITS = `
import ctypes, errno, mmap, os, sys
os.chdir(sys.argv[1])
with open("m", "w") as file:
    file.write("content")
os.utime("m", ns=(5_000_000_007, 7_123_456_789))
assert os.stat("m").st_mtime_ns == 7_123_000_000
assert os.stat("m").st_atime_ns == 5_000_000_000
libc = ctypes.CDLL(None, use_errno=True)
UTIME_OMIT = (1 << 30) - 2
times = (ctypes.c_long * 4)(0, UTIME_OMIT, 99, 0)
assert libc.utimensat(-100, b"m", times, 0) == 0
assert os.stat("m").st_mtime_ns == 7_123_000_000
assert libc.renameat2(-100, b"m", -100, b"n", 1) == -1 and ctypes.get_errno() == errno.EINVAL
with open("m", "r+") as file:
    assert mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)[:] == b"content"
    for protection in (mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE):
        try:
            mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=protection)
        except OSError as error:
            assert error.errno == errno.ENODEV
        else:
            raise AssertionError("it was mapped")
name = b"\\xff\\x80 \\xc3\\xa9"
with open(name, "w") as file:
    file.write("bytes")
assert name in os.listdir(b".")
os.symlink(name, b"link\\xfe")
assert os.readlink(b"link\\xfe") == name
assert open(b"link\\xfe").read() == "bytes"
os.setxattr("m", "user.é", b"v")
assert "user.é" in os.listxattr("m") and os.getxattr("m", "user.é") == b"v"
try:
    os.setxattr("m", b"user.\\xff", b"v")
except OSError as error:
    assert error.errno == errno.EINVAL
os.link("m", "hard")
assert os.stat("m").st_ino == os.stat("hard").st_ino and os.stat("m").st_nlink == 2
entries = {entry.name: entry.inode() for entry in os.scandir(".")}
assert entries["m"] == os.stat("m").st_ino`;

async function limits(t: Test, { home, native, kernel }: Pair): Promise<void> {
  await python(t, LIMITS, native);
  const same = await shell('cd "$1"; ls -b', kernel);
  t.match(same.stdout, /^\\377\\200\\ \\303\\251$|^\\377\\200\\ é$/m, "the other driver lists the same bytes");
  const [newest] = await home.json<MemoryVersion[]>("log", "notes:/m");
  t.equal(newest?.process, null, "nobody knows which process wrote");
  const refused = await home.memfs("mount", "--driver", "native", "--posix-owner", "notes", await home.directory("p"));
  t.match(refused, { stderr: /not told who asks.*use the kernel driver/ });
  t.match(await home.memfs("mount", "--driver", "cuse", "notes", "p"), { code: 64, stderr: /no driver cuse/ });
}

async function refusals(t: Test, { home }: Pair): Promise<void> {
  const frozen = await home.directory("frozen");
  t.equal((await home.memfs("mount", "--driver", "native", "notes:ro", frozen)).code, 0);
  const script = `
import errno, os, sys
os.chdir(sys.argv[1])
held = open("m")
def refused(call, *values):
    try:
        call(*values)
    except OSError as error:
        assert error.errno == errno.EROFS, (call, error)
    else:
        raise AssertionError(call)
for call, *values in [(os.unlink, "m"), (os.rename, "log", "m"), (os.rename, "m", "x"), (os.mkdir, "x"), (os.chmod, "m", 0o600),
        (os.truncate, "m", 0), (os.open, "m", os.O_WRONLY), (os.open, "x", os.O_CREAT), (os.link, "m", "x"),
        (os.symlink, "m", "x"), (os.setxattr, "m", "user.x", b""), (os.utime, "m"), (os.mkfifo, "x")]:
    refused(call, *values)
assert held.read() == "content"`;
  await python(t, script, frozen);
}

async function faults(t: Test): Promise<void> {
  if (currentDriver() !== "native") return;
  const mounts = new MemoryMounts(t);
  const { directory, view } = await mounts.mount();
  await shell('echo content > "$1/f"', directory);
  view.read = () => {
    throw new Error("a bug");
  };
  view.onFsync = () => Promise.reject(new Error("a later bug"));
  t.match((await shell('cat "$1/f"', directory)).stderr, /Input\/output error/);
  const synced = await run("dd", ["if=/dev/zero", `of=${join(directory, "g")}`, "bs=1", "count=1", "conv=fsync"]);
  t.match(synced.stderr, /Input\/output error/);
  t.equal((await shell('stat -c %s "$1/f"', directory)).stdout, "8\n", "it serves on");
  t.match(mounts.complaints.splice(0).join("\n"), /a bug[^]*a later bug/, "and the log says what happened");
}

async function slow(t: Test): Promise<void> {
  if (currentDriver() !== "native") return;
  const { directory, view } = await new MemoryMounts(t).mount();
  // The package itself would answer ETIMEDOUT after 15 s.
  view.onFsync = () => new Promise((resolve) => setTimeout(resolve, 16_000));
  const synced = await run("dd", ["if=/dev/zero", `of=${join(directory, "f")}`, "bs=1", "count=1", "conv=fsync"]);
  t.equal(synced.code, 0);
}

/** In a mount namespace in which the library cannot be read. */
async function missing(t: Test): Promise<void> {
  if (currentDriver() !== "native") return;
  const { stdout } = await run("ldconfig", ["-p"]);
  const library = await realpath(/libfuse\.so\.2 .*=> (\S+)/.exec(stdout)?.[1] ?? "/missing");
  const addon = new URL("../../daemon/fuse/native/addon.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(addon)}).then(({ loadAddon }) => loadAddon()).catch((e) => console.log(e.code, e.message))`;
  const words = ["unshare", "-m", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', library, process.execPath];
  const outcome = await run("env", [...words, "--import=tsx", "-e", script]);
  t.match(outcome.stdout, /^fuse_unavailable libfuse\.so\.2 cannot be loaded; install libfuse 2/);
}

await eachDriver(t, async (t) => {
  if (currentDriver() !== "native") return;
  await t.test("beside a mount of the kernel driver", async (t) => {
    const both = await pair(t);
    await t.test("what one driver's mount closed the other's opens", (t) => closeToOpen(t, both));
    await t.test("appends lose and tear no line", (t) => appends(t, both));
    await t.test("append mode that is set later counts", async (t) => {
      await python(t, FCNTL, join(both.native, "flags"));
    });
    await t.test("open files that are removed or replaced live on, and nothing hidden shows", async (t) => {
      await python(t, REMOVED, await subdirectory(both.native, "removed"));
    });
    await t.test("a replaced file is never absent elsewhere, and stays one memory", (t) => replaced(t, both));
    await t.test("a file removed by another mount is read on, by path it is gone", (t) => elsewhere(t, both));
    await t.test("the limits are as documented", (t) => limits(t, both));
    await t.test("a read-only mount refuses every change, also of open files", (t) => refusals(t, both));
    t.equal((await both.home.memfs("daemon", "stop")).code, 0);
    t.strictSame(await problemsIn(both.home.home.dir), []);
    t.notMatch(await both.home.log(), /"level":"error"/);
  });
  await t.test("nothing that goes wrong in an operation ends the process", faults);
  await t.test("an answer may take longer than 15 seconds", slow);
  await t.test("without the library a mount is refused with what to install", missing);
});

async function subdirectory(place: string, name: string): Promise<string> {
  await shell('mkdir "$1"', join(place, name));
  return join(place, name);
}
