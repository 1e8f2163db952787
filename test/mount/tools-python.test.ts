/** Python programs in a mount: many at once that append and save, mappings, temporary files, walks. */
import { join } from "node:path";
import t, { type Test } from "tap";
import { nativeCannot } from "../fixtures/drivers.ts";
import { python, sameAsPlain, toolTests, type ToolPlace, works } from "../fixtures/tool-mount.ts";

const SILENT = { code: 0, stdout: "", stderr: "" };
const WRITERS = 4;

/** `open(…, "a")` for each line, and one file that stays open; lines of up to 3 KiB. Arguments: directory, who. */
const APPENDER = `
import sys
directory, who = sys.argv[1:]
with open(directory + "/kept", "a") as kept:
    for i in range(60):
        line = f"{who} {i} " + who * (i * 50) + " end\\n"
        with open(directory + "/log", "a") as log:
            log.write(line)
        kept.write(line)
        kept.flush()`;

/** Every line of both files is whole and there once, and each writer's are in order. Arguments: directory, how many. */
const EVERY_LINE = `
import sys
directory, writers = sys.argv[1], int(sys.argv[2])
for name in "log", "kept":
    seen = {}
    for line in open(directory + "/" + name):
        who, i, body, end = line.split(" ")
        assert body == who * (int(i) * 50) and end == "end\\n", line
        assert int(i) == seen.get(who, -1) + 1, (name, who, i)
        seen[who] = int(i)
    assert seen == {str(who): 59 for who in range(writers)}, (name, seen)`;

async function appends(t: Test, { mounted, other }: ToolPlace): Promise<void> {
  const programs = Array.from({ length: WRITERS }, (_, n) =>
    python(t, APPENDER, n % 2 === 0 ? mounted : other, String(n)),
  );
  for (const { ended } of programs) t.strictSame(await ended, SILENT);
  for (const at of [mounted, other]) t.strictSame(await python(t, EVERY_LINE, at, String(WRITERS)).ended, SILENT, at);
}

/** Saves by a temporary file and `os.replace`. Arguments: directory, who. */
const SAVER = `
import os, sys, tempfile
directory, who = sys.argv[1:]
for i in range(40):
    with tempfile.NamedTemporaryFile("w", dir=directory, delete=False) as file:
        file.write(f"{who}-{i} " * 2000)
        file.flush()
        if i % 10 == 0:
            os.fsync(file.fileno())
    os.replace(file.name, directory + "/saved")`;

/** Reads until `stop` is there: the file is always there, and always one writer's whole save. Says how many it saw. */
const READER = `
import os, sys
directory = sys.argv[1]
seen = set()
while not os.path.exists(directory + "/stop"):
    with open(directory + "/saved") as file:
        words = file.read().split()
    assert len(words) == 2000 and len(set(words)) == 1, (len(words), set(words))
    seen.add(words[0])
print("many" if len(seen) > 10 else seen)`;

async function saves(t: Test, { mount, mounted, other }: ToolPlace): Promise<void> {
  if (nativeCannot(t, "replaced")) return;
  // Else what two sessions save at once is kept beside.
  await mount.home.json("store", "policy", "notes", "on_conflict=last_writer_wins");
  await works(t, `python3 -c 'print("first-0 " * 2000, end="", file=open("saved", "w"))'`, mounted);
  const readers = [mounted, other].map((at) => python(t, READER, at));
  const writers = Array.from({ length: WRITERS }, (_, n) => python(t, SAVER, n % 2 === 0 ? mounted : other, String(n)));
  for (const { ended } of writers) t.strictSame(await ended, SILENT);
  await works(t, ": > stop", mounted);
  for (const { ended } of readers) t.strictSame(await ended, { ...SILENT, stdout: "many\n" });
  t.equal(await works(t, "ls -A", other), "saved\nstop\n", "nothing is left of the temporary files");
  t.match(await works(t, "head -c 4 saved", other), /^\d-39$/, "the last save is one writer's last");
  await mount.home.json("store", "policy", "notes", "on_conflict=keep_both");
}

const MAPPED = `
import mmap, multiprocessing, os, struct
def bump(n):
    with open("shared", "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        for i in range(500):
            at = (i * 4 + n) * 8
            view[at:at + 8] = struct.pack("q", n * 1000 + i)
        view.flush()
with open("shared", "wb") as file:
    file.truncate(16000)
children = [multiprocessing.Process(target=bump, args=(n,)) for n in range(4)]
[child.start() for child in children]
[child.join() for child in children]
numbers = struct.unpack("2000q", open("shared", "rb").read())
assert all(numbers[i * 4 + n] == n * 1000 + i for i in range(500) for n in range(4))
with open("private", "w+b") as file:
    file.write(b"a" * 10000)
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as view:
        view[:5] = b"bbbbb"
    with mmap.mmap(file.fileno(), 0) as view:
        assert view.find(b"b") == -1
        view.move(5000, 0, 10)
        view[9999] = 122
        os.pwrite(file.fileno(), b"pwrite", 100)
        assert view[100:106] == b"pwrite"
        view[200:204] = b"view"
        assert os.pread(file.fileno(), 4, 200) == b"view"
    os.ftruncate(file.fileno(), 20000)
    with mmap.mmap(file.fileno(), 0) as view:
        view[19999] = 90
assert os.path.getsize("private") == 20000`;

const FILES = `
import filecmp, fcntl, glob, json, os, pathlib, pickle, shelve, shutil, stat, sys, tempfile, zipfile
root = pathlib.Path(".")
for i in range(120):
    path = root / f"d{i % 6}" / f"e{i % 4}" / f"{i}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"note {i} äöü\\n" * (i + 1))
print(len(list(root.rglob("*.md"))), len(glob.glob("**/1*.md", recursive=True)), sum(1 for _ in os.walk(".")))
print(sorted(str(p) for p in root.rglob("*7.md")), sum(p.stat().st_size for p in root.rglob("*") if p.is_file()))
print(sorted(entry.name for entry in os.scandir("d0") if entry.is_dir()))
with tempfile.TemporaryDirectory(dir=".") as directory, tempfile.TemporaryFile(dir=".") as file, tempfile.SpooledTemporaryFile(max_size=5, dir=".") as spool:
    file.write(b"gone" * 100); file.seek(0); print(len(file.read()))
    spool.write(b"longer than five"); spool.seek(0); print(spool.read())
    shutil.copytree("d1", directory + "/d1"); print(filecmp.dircmp("d1", directory + "/d1").diff_files)
json.dump({"a": [1, 2]}, open("j", "w")); print(json.load(open("j")))
pickle.dump(list(range(1000)), open("p", "wb")); print(sum(pickle.load(open("p", "rb"))))
shutil.make_archive("packed", "zip", "d2"); print(len(zipfile.ZipFile("packed.zip").namelist())); os.remove("packed.zip")
os.symlink("d3", "link"); print(os.path.realpath("link").endswith("/d3"), (root / "link" / "e1").exists()); shutil.move("d4", "moved"); shutil.rmtree("d5")
d = os.open("d0", os.O_DIRECTORY); f = os.open("new", os.O_CREAT | os.O_EXCL | os.O_RDWR, dir_fd=d); os.fsync(d)
os.writev(f, [b"one", b"two"]); print(os.preadv(f, [bytearray(4)], 1), os.lseek(f, 0, os.SEEK_CUR)); os.unlink("new", dir_fd=d); print(os.fstat(f).st_nlink, os.pread(f, 9, 0)); os.close(f)
with open("r+", "w+") as file:
    file.write("0123456789"); file.seek(3); file.write("x"); file.seek(0); print(file.read()); file.truncate(4); file.seek(0); print(file.read())
os.replace("j", "p"); print(open("p").read(), os.path.exists("j"))
for call, args in ((os.rmdir, ["d0"]), (os.mkdir, ["d0"]), (os.unlink, ["d0"]), (os.listdir, ["p"]), (open, ["p/x"]), (open, ["n" * 256]), (os.rename, ["d0", "d0/e0/x"]), (os.rename, ["p", "d0"]), (os.readlink, ["p"])):
    try: call(*args); print("no error")
    except OSError as error: print(call.__name__, error.errno)`;

async function files(t: Test, place: ToolPlace): Promise<void> {
  await sameAsPlain(t, place, 'python3 -c "$2"', FILES);
}

async function mappings(t: Test, place: ToolPlace): Promise<void> {
  if (nativeCannot(t, "map_shared")) return;
  await sameAsPlain(t, place, 'python3 -c "$2"', MAPPED);
  t.equal(
    await works(t, 'cmp shared "$2"', place.other, join(place.plain, "shared")),
    "",
    "the other mount has it too",
  );
}

const needs = ["python3"];
await toolTests(t, {
  "many processes append whole lines through two mounts": { needs, body: appends },
  "many processes save by replacing, and readers see one whole save": { needs, body: saves },
  "mappings, shared by processes and private": { needs, body: mappings },
  "pathlib, tempfile, shutil and the calls below them": { needs, body: files },
});
