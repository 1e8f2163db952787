/** What people and agents run in a directory does what it does anywhere, and the history says what was meant. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryStore, MemoryVersion } from "../../lib/api.ts";
import { eachDriver, nativeCannot } from "../fixtures/drivers.ts";
import { run, shell } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";
import { hasCommands } from "../fixtures/tool-mount.ts";

let shared: { home: TestHome; notes: string } | null = null;

/** One daemon for all tools, each in a directory of its own. */
async function place(name: string): Promise<string> {
  if (shared === null) throw new Error("nothing is mounted");
  const outcome = await shell('mkdir "$1/$2"', shared.notes, name);
  if (outcome.code !== 0) throw new Error(outcome.stderr);
  return join(shared.notes, name);
}

/** Operations and paths of a memory's versions, the oldest first. */
async function history(path: string): Promise<string[]> {
  const versions = await shared?.home.json<MemoryVersion[]>("log", `notes:/${path}`, "-n", "1000");
  return (versions ?? []).map(({ operation, path: at, n }) => `${n} ${operation} ${at}`).reverse();
}

async function works(t: Test, script: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await shell(script, ...args);
  t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

/** How many memories the store holds. */
async function memories(): Promise<number> {
  const store = await shared?.home.json<MemoryStore>("store", "show", "notes");
  return store?.usage?.memories ?? -1;
}

function has(t: Test, tool: string): Promise<boolean> {
  return hasCommands(t, [tool]);
}

async function redirections(t: Test): Promise<void> {
  const directory = await place("sh");
  for (const shellName of ["sh", "bash"]) {
    if (!(await has(t, shellName))) continue;
    const go = async (script: string): Promise<void> => {
      const { code, stderr } = await run(shellName, ["-c", script, shellName, join(directory, shellName)]);
      t.strictSame({ code, stderr }, { code: 0, stderr: "" });
    };
    await go('echo one > "$1"');
    t.strictSame(await history(`sh/${shellName}`), [`1 created /sh/${shellName}`], `echo > in ${shellName}`);
    await go('echo two > "$1"');
    await go('echo three >> "$1"');
    await go('{ echo four; cat /dev/null; echo five; } > "$1"');
    t.equal((await history(`sh/${shellName}`)).length, 4, "one version for each redirection");
  }
}

async function sed(t: Test): Promise<void> {
  const directory = await place("sed");
  await works(t, 'printf "one\\ntwo\\n" > "$1/f"; sed -i s/one/1/ "$1/f"', directory);
  t.equal(await works(t, 'cat "$1/f"; ls -A "$1"', directory), "1\ntwo\nf\n");
  t.strictSame(await history("sed/f"), ["1 created /sed/f", "2 modified /sed/f"]);
}

const ATOMIC_SAVE = `
import os, sys, tempfile
path = sys.argv[1]
fd, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
with os.fdopen(fd, "w") as file:
    file.write("saved\\n")
    file.flush()
    os.fsync(file.fileno())
os.replace(temporary, path)
assert open(path).read() == "saved\\n"
assert os.listdir(os.path.dirname(path)) == ["f"]`;

async function atomicSave(t: Test): Promise<void> {
  if (!(await has(t, "python3"))) return;
  const directory = await place("py");
  await works(t, 'echo first > "$1/f"; python3 -c "$2" "$1/f"', directory, ATOMIC_SAVE);
  t.strictSame(await history("py/f"), ["1 created /py/f", "2 modified /py/f"], "the temporary file is not in it");
}

const MAPPED = `
import mmap, os, sys
path = sys.argv[1]
wanted = bytes(range(256)) * 1000
with open(path, "wb") as file:
    file.write(wanted)
with open(path, "rb") as file:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[:] == wanted
        assert view[100_000] == wanted[100_000]
with open(path, "r+b") as file:
    with mmap.mmap(file.fileno(), 0) as view:
        view[5:8] = b"new"
        view.flush()
assert open(path, "rb").read() == wanted[:5] + b"new" + wanted[8:]`;

async function mapped(t: Test): Promise<void> {
  if (nativeCannot(t, "map_shared") || !(await has(t, "python3"))) return;
  const directory = await place("mmap");
  await works(t, 'python3 -c "$2" "$1/f"', directory, MAPPED);
  const stored = await shared?.home.memfs("cat", "notes:/mmap/f");
  t.match(stored?.stdout.slice(5, 8), "new", "what was written through the mapping is stored");
}

async function git(t: Test): Promise<void> {
  if (!(await has(t, "git"))) return;
  const directory = await place("git");
  const script = `
    cd "$1"; export HOME="$1" GIT_CONFIG_NOSYSTEM=1
    git init -q -b main; git config user.name n; git config user.email e@example.com
    echo one > f; mkdir d; for i in $(seq 30); do echo $i > d/$i; done
    git add .; git commit -qm first
    git checkout -qb side; echo two > f; rm d/7; git mv d/8 moved; git commit -qam second
    git checkout -q main; cat f; cat d/7
    git merge -q side; cat f; test ! -e d/7; cat moved
    git status --porcelain; git fsck --strict 2>&1; git gc -q; git log --oneline | wc -l; git status --porcelain`;
  t.equal(await works(t, script, directory), "one\n7\ntwo\n8\n2\n");
}

async function archives(t: Test): Promise<void> {
  const directory = await place("tar");
  const outside = await mkdtemp(join(tmpdir(), "mt-"));
  t.teardown(() => rm(outside, { recursive: true }));
  const script = `
    cd "$2"; mkdir -p tree/sub/deep; for i in $(seq 200); do echo "content $i" > tree/sub/$i; done
    head -c 300000 /dev/urandom > tree/big; ln -s sub/1 tree/link; ln tree/big tree/sub/hard; : > tree/empty
    chmod 640 tree/sub/5; touch -d @1600000000.123456789 tree/sub/6 tree/sub
    tar --format=posix -cf t.tar tree; tar xf t.tar -C "$1"; diff -r tree "$1/tree"
    cp -a "$1/tree" "$1/copy"; diff -r tree "$1/copy"
    for copy in tree copy; do (cd "$1/$copy"; stat -c '%n %A %h %y' sub sub/5 sub/6 link sub/hard; readlink link); done
    rm -r "$1/copy"; ls "$1"`;
  const lines = (await works(t, script, directory, outside)).trimEnd().split("\n");
  t.strictSame(lines.slice(0, 6), lines.slice(6, 12), "cp -a keeps modes, times and links");
  t.match(lines[1], /^sub\/5 -rw-r----- 1 /);
  t.match(lines[4], /^sub\/hard .* 2 /);
  t.equal(lines[12], "tree");
}

/** tar sets the modification time alone, to the nanosecond. */
async function archivedTimes(t: Test): Promise<void> {
  if (nativeCannot(t, "one_time")) return;
  const directory = await place("times");
  const script = `
    cd "$1"; echo x > f; touch -d @1600000000.123456789 f; tar --format=posix -cf t.tar f; rm f; tar xf t.tar
    stat -c %.9Y f; mkdir copy; cp -a f copy; stat -c %.9Y copy/f`;
  t.equal(await works(t, script, directory), "1600000000.123456789\n1600000000.123456789\n");
}

async function removing(t: Test): Promise<void> {
  const directory = await place("many");
  const before = await memories();
  await works(
    t,
    'mkdir "$1/d" "$1/d/e"; for i in $(seq 1000); do echo $i > "$1/d/$i"; echo $i > "$1/d/e/$i"; done',
    directory,
  );
  t.equal(await works(t, 'ls "$1/d" | wc -l; find "$1" -type f | wc -l', directory), "1001\n2000\n");
  t.equal((await memories()) - before, 2000);
  await works(t, 'rm -rf "$1/d"; test ! -e "$1/d"; rmdir "$1"', directory);
  t.equal(await memories(), before);
  t.strictSame(await history("many/d/e/7"), ["1 created /many/d/e/7", "2 deleted /many/d/e/7"]);
}

await eachDriver(t, async (t) => {
  await t.test("tools in a mount", async (t) => {
    const home = await testHome(t);
    shared = { home, notes: await home.directory("notes") };
    t.equal((await home.memfs("mount", "--create", "notes", "notes")).code, 0);
    await t.test("a redirection of a shell is exactly one version", redirections);
    await t.test("sed -i is one version of the file", sed);
    await t.test("an atomic save by a temporary file is one version of the file", atomicSave);
    await t.test("mapped files are read, and written", mapped);
    await t.test("git works in a mount", git);
    await t.test("tar and cp -a bring everything along", archives);
    await t.test("tar and cp -a keep times", archivedTimes);
    await t.test("2,000 files are made and removed", removing);
    t.equal((await home.memfs("daemon", "stop")).code, 0);
    t.strictSame(await problemsIn(home.home.dir), []);
    t.notMatch(await home.log(), /"level":"error"/);
  });
});
