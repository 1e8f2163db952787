/** Listings on real mounts: what is there throughout is given once, whatever comes and goes. */
import t from "tap";
import { eachDriver } from "../fixtures/drivers.ts";
import { Trio } from "../fixtures/trio.ts";

/** Directory streams as Python does not have them. */
const STREAMS = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_ulong), ("off", ctypes.c_long), ("reclen", ctypes.c_ushort), ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(Dirent)
libc.telldir.restype = ctypes.c_long
for call in libc.readdir, libc.telldir, libc.closedir, libc.rewinddir:
    call.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
def following(stream):
    entry = libc.readdir(stream)
    return entry.contents.name.decode() if entry else None
`;

const FILL = `
big = one + "/big"
os.mkdir(big)
for index in range(10000):
    os.close(os.open(f"{big}/{index}", os.O_CREAT | os.O_WRONLY))
`;

/** Entries are made in the other mount and removed in the first one meanwhile. Positions can be sought afterwards. */
const WALK = `
place, other = (one, two) if sys.argv[4] == "one" else (two, one)
kept = set(str(index) for index in range(10000) if index % 3 != 0)
stream = libc.opendir((place + "/big").encode())
seen, positions = [], []
while True:
    if len(seen) % 97 == 0:
        positions.append((libc.telldir(stream), len(seen)))
    name = following(stream)
    if name is None:
        break
    seen.append(name)
    turn = len(seen)
    if turn % 20 == 0 and turn < 12000:
        os.close(os.open(f"{other}/big/new-{place[-3:]}-{turn}", os.O_CREAT | os.O_WRONLY))
        gone = f"{one}/big/{turn // 20 * 3 % 9999}"
        if os.path.exists(gone):
            os.unlink(gone)
assert len(seen) == len(set(seen)), "twice"
assert kept <= set(seen), "missed"
# The first position is the start: with libfuse 2 reading from there ends the others.
for position, index in positions[1 if native else 0::7]:
    libc.seekdir(stream, position)
    wanted = [name for name in seen[index:] if name in kept][:20]
    found = []
    while len(found) < len(wanted):
        name = following(stream)
        assert name is not None, (position, index, "the stream ends too early")
        if name in kept:
            found.append(name)
    assert found == wanted, (position, index)
os.stat(place + "/big")
libc.rewinddir(stream)
again = set(iter(lambda: following(stream), None))
now = set(os.listdir(other + "/big")) | {".", ".."}
assert again == now, ("a rewound stream sees what is there now", sorted(again - now)[:9], sorted(now - again)[:9])
libc.closedir(stream)
`;

await eachDriver(t, async (t) => {
  await t.test("a listing of 10,000 entries is stable while entries come and go", async (t) => {
    const trio = await Trio.open(t);
    await trio.python(t, FILL);
    await trio.python(t, STREAMS + WALK, "one");
    await trio.python(t, STREAMS + WALK, "two");
    await trio.close(t);
  });
});
