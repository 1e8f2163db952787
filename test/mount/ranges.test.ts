/** Ranges, holes and large files on real mounts. */
import t from "tap";
import { eachDriver, nativeCannot } from "../fixtures/drivers.ts";
import { Trio } from "../fixtures/trio.ts";

const RANGES = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
KEEP, PUNCH, COLLAPSE, ZERO = 1, 2, 8, 16
def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
fd = os.open(one + "/f", os.O_RDWR | os.O_CREAT)
os.write(fd, b"x" * 20000)
fallocate(fd, 0, 0, 30000)
assert os.fstat(fd).st_size == 30000
fallocate(fd, KEEP, 0, 50000)
assert os.fstat(fd).st_size == 30000
assert os.pread(fd, 10, 6000) == b"x" * 10
fallocate(fd, PUNCH | KEEP, 4096, 8192)
assert os.pread(fd, 8194, 4095) == b"x" + bytes(8192) + b"x"
assert os.lseek(fd, 0, os.SEEK_HOLE) == 4096 and os.lseek(fd, 4096, os.SEEK_DATA) == 12288
fallocate(fd, ZERO, 29000, 2000)
assert os.fstat(fd).st_size == 31000
fails("EOPNOTSUPP", fallocate, fd, COLLAPSE, 0, 4096)
fails("EFBIG", fallocate, fd, 0, 0, 11 << 20)
fails("ENXIO", os.lseek, fd, 31000, os.SEEK_DATA)
os.close(fd)
assert read(two + "/f") == read(one + "/f") and len(read(two + "/f")) == 31000
fd = os.open(frozen + "/f", os.O_RDONLY)
assert os.lseek(fd, 0, os.SEEK_HOLE) == 4096
`;

const COPIES = `
write(one + "/f", "x" * 20000)
os.truncate(one + "/f", 31000)
to = os.open(one + "/copy", os.O_WRONLY | os.O_CREAT)
source = os.open(one + "/f", os.O_RDONLY)
assert os.copy_file_range(source, to, 1 << 30) == 31000
assert os.copy_file_range(source, to, 100, 0, 40000) == 100
os.close(to)
assert read(two + "/copy") == read(one + "/f") + chr(0) * 9000 + "x" * 100
fd = os.open(one + "/f", os.O_RDWR)
os.posix_fallocate(fd, 0, 40000)
assert os.fstat(fd).st_size == 40000 and os.pread(fd, 100, 0) == b"x" * 100
fails("ENXIO", os.lseek, fd, 40000, os.SEEK_DATA)
os.close(fd)
fails("EINVAL", os.copy_file_range, *[os.open(one + "/f", os.O_RDWR)] * 2, 100, 0, 50)
`;

const LARGE = `
import hashlib, random
MIB = 1 << 20
random.seed(7)
blocks = [random.randbytes(MIB) for _ in range(8)]
digest = hashlib.sha256()
with open(one + "/large", "wb", buffering=0) as file:
    for index in range(40):
        block = blocks[index % 8][8:] + index.to_bytes(8, "big")
        file.write(block); digest.update(block)
def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
assert sha256(two + "/large") == digest.hexdigest(), "read from the other mount"
expected = bytearray(open(two + "/large", "rb").read())
fd = os.open(one + "/large", os.O_RDWR)
for _ in range(2000):
    offset = random.randrange(0, 40 * MIB - 5000); part = random.randbytes(random.randrange(1, 5000))
    os.pwrite(fd, part, offset); expected[offset:offset + len(part)] = part
os.truncate(fd, 39 * MIB + 5); expected = expected[:39 * MIB + 5]
assert os.pread(fd, 100000, 5 * MIB) == expected[5 * MIB:5 * MIB + 100000]
os.close(fd)
assert sha256(two + "/large") == hashlib.sha256(expected).hexdigest()
write(one + "/expected", hashlib.sha256(expected).hexdigest())
with open(one + "/large", "ab") as file:
    file.write(b"end")
assert os.stat(two + "/large").st_size == 39 * MIB + 8
with open(one + "/hole", "wb") as file:
    file.truncate(500 * MIB)
assert os.stat(two + "/hole").st_size == 500 * MIB
hole = os.open(two + "/hole", os.O_RDONLY)
if native:
    assert os.lseek(hole, 0, os.SEEK_DATA) == 0, "the kernel takes it for data"
else:
    fails("ENXIO", os.lseek, hole, 0, os.SEEK_DATA)
`;

const AFTER_CRASH = `
import hashlib
with open(one + "/large", "rb") as file:
    assert hashlib.sha256(file.read()[:-3]).hexdigest() == read(one + "/expected")
`;

/** Left open with bytes that were never committed, when the daemon dies. */
const UNFINISHED = `
fd = os.open(one + "/large", os.O_RDWR)
for index in range(100):
    os.pwrite(fd, b"lost" * 1000, index * 300000)
new = os.open(one + "/new", os.O_WRONLY | os.O_CREAT)
for index in range(20):
    os.write(new, os.urandom(1 << 20))
import signal
os.kill(int(sys.argv[4]), signal.SIGKILL)
try:
    os.write(new, b"x")
    assert False, "nobody took it"
except OSError as error:
    assert error.errno in (errno.ENOTCONN, errno.ECONNABORTED), error
`;

await eachDriver(t, async (t) => {
  await t.test("ranges of files in mounts", async (t) => {
    const trio = await Trio.open(t);
    await t.test("fallocate(2) and holes", async (t) => {
      if (!nativeCannot(t, "fallocate")) await trio.python(t, RANGES);
    });
    await t.test("copies of ranges", (t) => trio.python(t, COPIES));
    await trio.close(t);
  });

  await t.test("large files in mounts, also when the daemon dies while one is written", async (t) => {
    const trio = await Trio.open(t);
    const policy = ["max_memory_bytes=600M", "max_live_bytes=5G", "max_history_bytes=5G"];
    t.equal((await trio.home.memfs("store", "policy", "notes", ...policy)).code, 0);
    await trio.python(t, LARGE);
    await trio.python(t, UNFINISHED.replace("sys.argv[4]", String(trio.home.pid())));
    await trio.crash();
    await trio.python(t, AFTER_CRASH);
    await trio.close(t);
  });
});
