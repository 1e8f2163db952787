/** Kinds of nodes and their names on real mounts: links, pipes, sockets, nameless files, exchanges. */
import t, { type Test } from "tap";
import type { MemoryVersion } from "../../lib/api.ts";
import { eachDriver, nativeCannot } from "../fixtures/drivers.ts";
import { Trio } from "../fixtures/trio.ts";

/** renameat2(2) and O_TMPFILE as Python does not have them. */
const CALLS = `
import ctypes, socket, subprocess, threading
libc = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
def renameat2(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")
def linkat(fd, path):
    if libc.linkat(-100, f"/proc/self/fd/{fd}".encode(), -100, path.encode(), 0x400) != 0:
        raise OSError(ctypes.get_errno(), "linkat")
`;

const LINKS = `
a, b = one + "/a", one + "/b"
write(a, "content")
os.link(a, b)
os.mkdir(two + "/ld")
os.link(two + "/a", two + "/ld/c")
inode = os.stat(a).st_ino
for place in one, two, frozen:
    for name in "a", "b", "ld/c":
        s = os.stat(place + "/" + name)
        assert s.st_nlink == 3 and s.st_ino == inode, (place, name, s)
with open(b, "a") as file:
    file.write(" more")
assert read(two + "/ld/c") == "content more" and os.stat(a).st_size == 12
os.rename(a, b)
assert os.path.exists(a) and os.path.exists(b), "two names of one file"
os.unlink(two + "/b")
assert os.stat(a).st_nlink == 2
os.rename(a, one + "/a2")
os.unlink(one + "/a2")
assert os.stat(two + "/ld/c").st_nlink == 1 and read(one + "/ld/c") == "content more"
fails("EPERM", os.link, one + "/ld", one + "/le")
fails("EEXIST", os.link, one + "/ld/c", one + "/ld/c")
fails("EROFS", os.link, frozen + "/ld/c", frozen + "/x")
fails("EXDEV", os.link, one + "/ld/c", two + "/x")
os.symlink("ld", one + "/ls")
os.link(one + "/ls", one + "/ls2", follow_symlinks=False)
assert os.lstat(two + "/ls2").st_nlink == 2 and os.readlink(two + "/ls2") == "ld"
os.link(one + "/ld/c", one + "/kept")
for count in range(2, 1000):
    os.link(one + "/kept", f"{one}/ld/{count}")
fails("EMLINK", os.link, one + "/kept", one + "/ld/more")
assert os.stat(two + "/kept").st_nlink == 1000
for count in range(2, 1000):
    os.unlink(f"{one}/ld/{count}")
`;

const PIPES = `
fifo = one + "/fifo"
os.mkfifo(fifo, 0o640)
for place in one, two, frozen:
    assert stat.S_ISFIFO(os.stat(place + "/fifo").st_mode) and os.stat(place + "/fifo").st_mode & 0o777 == 0o640
reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
with open(fifo, "w") as file:
    file.write("through the pipe")
assert reader.communicate()[0] == b"through the pipe"
assert os.stat(fifo).st_size == 0
address = one + "/socket"
server = socket.socket(socket.AF_UNIX)
server.bind(address)
server.listen()
assert stat.S_ISSOCK(os.stat(two + "/socket").st_mode)
script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'hello')"
client = subprocess.Popen([sys.executable, "-c", script, address])
connection, _ = server.accept()
assert connection.recv(100) == b"hello"
assert client.wait() == 0
fails("EADDRINUSE", socket.socket(socket.AF_UNIX).bind, address)
os.rename(fifo, one + "/fifo2")
os.chmod(one + "/fifo2", 0o600)
fails("EPERM", os.mknod, one + "/null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
fails("EPERM", os.mknod, one + "/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
fails("EROFS", os.mkfifo, frozen + "/x")
`;

const PIPES_LATER = `
for place in one, two:
    s = os.stat(place + "/fifo2")
    assert stat.S_ISFIFO(s.st_mode) and s.st_mode & 0o777 == 0o600
    assert stat.S_ISSOCK(os.stat(place + "/socket").st_mode)
fails("ECONNREFUSED", socket.socket(socket.AF_UNIX).connect, one + "/socket")
assert os.stat(one + "/kept").st_nlink == 2 and read(one + "/kept") == "content more"
assert os.stat(two + "/ld/c").st_ino == os.stat(one + "/kept").st_ino
os.unlink(one + "/fifo2")
os.unlink(one + "/socket")
`;

const NAMELESS = `
fd = os.open(one, os.O_TMPFILE | os.O_RDWR, 0o640)
assert os.fstat(fd).st_nlink == 0
before = os.listdir(one)
os.write(fd, b"whole")
assert os.pread(fd, 100, 0) == b"whole"
os.fsync(fd)
assert os.listdir(one) == before
linkat(fd, one + "/named")
assert os.fstat(fd).st_nlink == 1
assert read(two + "/named") == "whole" and os.stat(two + "/named").st_mode & 0o777 == 0o640
os.write(fd, b" and more")
os.close(fd)
assert read(two + "/named") == "whole and more"
fd = os.open(one, os.O_TMPFILE | os.O_WRONLY)
fails("EEXIST", linkat, fd, one + "/named")
fails("EXDEV", linkat, fd, two + "/other")
os.write(fd, b"gone")
os.close(fd)
fd = os.open(one, os.O_TMPFILE | os.O_WRONLY | os.O_EXCL)
fails("ENOENT", linkat, fd, one + "/excluded")
os.close(fd)
fails("EROFS", os.open, frozen, os.O_TMPFILE | os.O_RDWR)
write(one + "/removed", "x")
fd = os.open(one + "/removed", os.O_RDWR)
os.unlink(one + "/removed")
fails("ENOENT", linkat, fd, one + "/again")
os.close(fd)
`;

const EXCHANGES = `
write(one + "/x", "first"); write(one + "/y", "second")
os.mkdir(one + "/dx"); os.mkdir(one + "/dy"); os.mkdir(one + "/dy/sub")
write(one + "/dx/f", "in dx"); write(one + "/dy/sub/g", "in dy")
for place in two, frozen:
    os.listdir(place); os.listdir(place + "/dx"); read(place + "/x")
renameat2(one + "/x", one + "/y", EXCHANGE)
for place in one, two, frozen:
    assert read(place + "/x") == "second" and read(place + "/y") == "first"
renameat2(two + "/dx", two + "/dy/sub", EXCHANGE)
for place in one, two, frozen:
    assert read(place + "/dx/g") == "in dy" and read(place + "/dy/sub/f") == "in dx"
renameat2(one + "/x", one + "/dx", EXCHANGE)
for place in one, two, frozen:
    assert read(place + "/dx") == "second" and os.listdir(place + "/x") == ["g"]
    assert os.stat(place + "/dy").st_nlink == 3
fails("EINVAL", renameat2, one + "/dy", one + "/dy/sub", EXCHANGE)
fails("EINVAL", renameat2, one + "/dy/sub", one + "/dy", EXCHANGE)
fails("ENOENT", renameat2, one + "/dx", one + "/none", EXCHANGE)
fails("EINVAL", renameat2, one + "/dx", one + "/y", EXCHANGE | NOREPLACE)
fails("EINVAL", renameat2, one + "/dx", one + "/white", WHITEOUT)
fails("EEXIST", renameat2, one + "/dx", one + "/y", NOREPLACE)
fails("EROFS", renameat2, frozen + "/dx", frozen + "/y", EXCHANGE)
fails("EXDEV", renameat2, one + "/dx", two + "/y", EXCHANGE)
`;

const OPENING = `
write(one + "/plain", "x")
os.symlink("plain", one + "/to-plain"); os.mkdir(one + "/directory"); os.symlink("directory", one + "/to-directory")
os.symlink("loop", one + "/loop"); os.symlink("nowhere", one + "/dangling")
fails("ENOTDIR", os.open, one + "/plain", os.O_DIRECTORY)
fails("ELOOP", os.open, one + "/to-plain", os.O_NOFOLLOW)
fails("ENOTDIR", os.open, one + "/to-directory", os.O_DIRECTORY | os.O_NOFOLLOW)
fails("ELOOP", os.open, one + "/loop", 0)
fails("EEXIST", os.open, one + "/plain", os.O_CREAT | os.O_EXCL)
fails("EEXIST", os.open, two + "/dangling", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
fails("EISDIR", os.open, one + "/directory", os.O_WRONLY)
fails("EISDIR", os.open, one + "/directory", os.O_CREAT)
fails("ENOTDIR", os.open, one + "/plain/x", 0)
fails("ENOENT", os.open, one + "/absent", 0)
fails("EBADF", os.read, os.open(one + "/plain", os.O_PATH), 1)
os.close(os.open(one + "/to-directory", os.O_DIRECTORY))
os.close(os.open(one + "/dangling", os.O_CREAT | os.O_WRONLY))
assert os.path.exists(two + "/nowhere")
fd = os.open(one + "/plain", os.O_WRONLY | os.O_TRUNC)
assert os.stat(two + "/plain").st_size == 1 and os.fstat(fd).st_size == 0
os.close(fd)
assert read(two + "/plain") == "" and os.stat(two + "/plain").st_size == 0
`;

await eachDriver(t, async (t) => {
  await t.test("nodes and names in mounts", async (t) => {
    const trio = await Trio.open(t);
    const python = (script: string) => (t: Test) => trio.python(t, CALLS + script);
    await t.test("a file with several names is one file in every mount", python(LINKS));
    await t.test("pipes and sockets connect processes, devices are refused", python(PIPES));
    await t.test("a file opened with O_TMPFILE has no name until it is linked", async (t) => {
      if (!nativeCannot(t, "nameless")) await trio.python(t, CALLS + NAMELESS);
    });
    await t.test("files and directories are exchanged in every mount at once", async (t) => {
      if (!nativeCannot(t, "rename_flags")) await trio.python(t, CALLS + EXCHANGES);
    });
    await t.test("flags of open mean what they mean anywhere", python(OPENING));
    await t.test("the history tells of it", async (t) => {
      if (nativeCannot(t, "rename_flags")) return;
      const history = async (path: string): Promise<string[]> =>
        (await trio.home.json<MemoryVersion[]>("log", `notes:${path}`))
          .map((v) => `${v.operation} ${v.path}`)
          .reverse();
      t.strictSame(await history("/dx"), ["created /y", "modified /x", "modified /dx"]);
      t.strictSame(await history("/named"), ["created /named", "modified /named"]);
    });
    await t.test("all of it is there after a restart, and after a crash", async (t) => {
      await trio.restart();
      await trio.crash();
      await trio.python(t, CALLS + PIPES_LATER);
    });
    await trio.close(t);
  });
});
