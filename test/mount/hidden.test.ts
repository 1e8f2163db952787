/** `.memfs` on real mounts, with the tools that agents use. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryStore, MemoryVersion } from "../../lib/api.ts";
import { eachDriver } from "../fixtures/drivers.ts";
import { shell } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";

let shared: { readonly home: TestHome; readonly one: string; readonly two: string; readonly reader: string } | null =
  null;

/** The daemon, two mounts that write a store, and one that reads it beside another store. */
function here(): NonNullable<typeof shared> {
  if (shared === null) throw new Error("nothing is mounted");
  return shared;
}

/** Runs a script in the first mount; `$2` is the second one, `$3` the read-only one. */
async function works(t: Test, script: string, ...args: readonly string[]): Promise<string> {
  const { one, two, reader } = here();
  const { code, stdout, stderr } = await shell(`cd "$1"; ${script}`, one, two, reader, ...args);
  t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

async function outside(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mo-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

async function unlisted(t: Test): Promise<void> {
  const script = `
    mkdir a; echo needle > a/f; ls -la | grep -c memfs || true; ls -a | sort | tr '\\n' ' '
    grep -r needle .; find . | sort | tr '\\n' ' '; tar cf - . | tar tf - | sort | tr '\\n' ' '; stat -c %h .`;
  t.equal(await works(t, script), "0\n. .. a ./a/f:needle\n. ./a ./a/f ./ ./a/ ./a/f 3\n");
}

async function status(t: Test): Promise<void> {
  const head = (await here().home.json<MemoryStore>("store", "show", "notes")).usage?.head_seq;
  const read = async (where: string): Promise<Record<string, unknown>> =>
    JSON.parse(await works(t, `cat "${where}/.memfs/status"`)) as Record<string, unknown>;
  t.match(await read("."), { store: "notes", access: "rw", agent: "scout", session_id: "s-1", head_sequence: head });
  t.match(await read("$3/notes"), { store: "notes", access: "ro", agent: "reader", session_id: "s-3" });
  t.match(await read("$3/second"), { store: "second", access: "rw" });
}

async function compared(t: Test): Promise<void> {
  const script = `
    mkdir h; printf 'one\\n' > h/f; printf 'one\\ntwo\\n' > h/f
    diff .memfs/history/h/f/0001-* h/f || true
    cmp .memfs/history/h/f/0002-* h/f; ls .memfs/history/h/f
    touch -d @1500000000 h/f; cp .memfs/history/h/f/0001-created-scout h/f; cat h/f; ls .memfs/history/h/f | tail -1
    rm h/f; ls .memfs/history/h; cat .memfs/history/h/f/0001-*; ls .memfs/history/h/f | tail -1; ls -A h; rmdir h
    cat .memfs/history/h/f/0002-*`;
  const modified = "0001-created-scout\n0002-modified-scout\n";
  t.equal(
    await works(t, script),
    `1a2\n> two\n${modified}one\n0003-modified-scout\none\n0004-deleted-scout\none\ntwo\n`,
  );
}

async function snapshot(t: Test): Promise<void> {
  const directory = await outside(t);
  const make = `
    mkdir -p s/sub/deep s/empty; for i in $(seq 60); do echo "content $i" > s/sub/$i; done
    head -c 3000000 /dev/urandom > s/big; ln -s sub/1 s/link; printf '' > s/none; printf 'x' > "s/a name"
    chmod 750 s/sub/2 s/empty; touch -d @1500000000.5 s/sub/3; cp -a s "$4/then"`;
  await works(t, make, directory);
  const seq = (await here().home.json<MemoryStore>("store", "show", "notes")).usage?.head_seq;
  const change = `
    rm -r s/sub/deep s/empty s/sub/1 s/link; mv s/sub s/moved; echo other > s/moved/2; : > s/big; mkdir s/new; rm s/none
    cp -r ".memfs/at/$5/s" "$4/copy"; diff -r "$4/then" "$4/copy"; readlink "$4/copy/link"; diff -r "$4/then" ".memfs/at/$5/s"
    cd ".memfs/at/$5/s"; stat -c '%A %s %Y' sub/2 empty sub/3 none; find . -type f | wc -l; pwd -P | grep -c "at/$5/s"
    cmp big "$4/then/big"; tail -c 100 big | cmp - "$4/then/big" -i 0:2999900`;
  const lines = (await works(t, change, directory, String(seq))).split("\n");
  t.equal(lines[0], "sub/1");
  t.match(lines[1], /^-rwxr-x--- 10 /);
  t.match(lines[2], /^drwxr-x--- 0 /);
  t.equal(lines[3], "-rw-r--r-- 10 1500000000");
  t.match(lines[4], /^-rw-r--r-- 0 /);
  t.equal(lines[5], "63");
  t.equal(lines[6], "1");
}

async function moments(t: Test): Promise<void> {
  await works(t, "echo then > when");
  const [version] = await here().home.json<MemoryVersion[]>("log", "notes:/when");
  await works(t, "echo now > when");
  const script = `
    cat ".memfs/at/$4/when" ".memfs/at/$5/when"; ls .memfs/at | wc -l
    for none in 0 99999999 1999-01-01T00:00:00Z 2h\\ ago nonsense; do test ! -e ".memfs/at/$none" || echo "$none"; done
    cat ".memfs/at/0s ago/when"`;
  const out = await works(t, script, version?.id ?? "", version?.created_at ?? "");
  t.equal(out, "then\nthen\n0\nnow\n");
}

const SIZES = `
import os, sys
for name in ["status", "log", "errors", "README", "history/size/0001-created-scout"]:
    path = os.path.join(sys.argv[1], ".memfs", name)
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        assert os.fstat(file.fileno()).st_size == size, name
        data = file.read()
        assert len(data) == size, (name, len(data), size)
        file.seek(-10, 2)
        assert file.read() == data[-10:], name`;

async function sizes(t: Test): Promise<void> {
  const script = `
    seq 100000 > size; (echo refused > .memfs/status) 2> /dev/null || true
    for f in .memfs/status .memfs/log .memfs/errors .memfs/README .memfs/history/size/0001-*; do
      test "$(wc -c < $f)" = "$(stat -c %s $f)"; test "$(cat $f | wc -c)" = "$(stat -c %s $f)"
      test "$(tail -n 1 $f)" = "$(cat $f | tail -n 1)"
    done
    cmp size .memfs/history/size/0001-created-scout; tail -c 7 .memfs/history/size/0001-created-scout
    if command -v python3 > /dev/null; then python3 -c "$4" "$1"; fi`;
  t.equal(await works(t, script, SIZES), "100000\n");
}

async function atOnce(t: Test): Promise<void> {
  const script = `
    for i in $(seq 50); do
      echo $i > "$2/live"; head -n 1 .memfs/log | grep -q "/live@$i  other/" || { echo "log $i"; exit 1; }
      test "$(ls .memfs/history/live | wc -l)" = $i || { echo "history $i"; exit 1; }
      cat .memfs/history/live/000$i-* .memfs/history/live/00$i-* 2> /dev/null | grep -qx $i || { echo "bytes $i"; exit 1; }
    done`;
  t.equal(await works(t, script), "");
}

async function readOnly(t: Test): Promise<void> {
  const script = `
    echo x > ro; cd .memfs
    for try in 'echo x > status' 'echo x >> log' ': > new' 'mkdir d' 'ln -s a b' 'rm status' 'rmdir at' 'touch README' \\
      'chmod 600 log' 'mv status ..' 'mv ../ro .' 'ln ../ro here' 'ln history/ro/0001-created-scout ../out' 'mkfifo p' \\
      'truncate -s 0 log' 'rm -r history/ro' 'rmdir ../.memfs' 'mv ../.memfs ../other' 'mv ../a ../.memfs' \\
      'cp ../ro at/1/' 'dd if=/dev/zero of=status count=1 conv=notrunc' 'mkdir ../.memfs' 'ln -sfn a ../.memfs'; do
      if sh -c "$try" > /dev/null 2> "$4/why"; then echo "$try works"; fi
      grep -q 'Read-only file system\\|File exists\\|Directory not empty\\|overwrite' "$4/why" || { echo "$try"; cat "$4/why"; }
    done; cd ..; ls -A; cat ro
    cat "$3/notes/.memfs/log" > /dev/null; cp .memfs/README copy; cmp copy .memfs/README; rm copy`;
  const before = await works(t, "ls -A");
  t.equal(await works(t, script, await outside(t)), `${before}ro\nx\n`.split("\n").sort().join("\n").trim() + "\n");
}

async function reasons(t: Test): Promise<void> {
  const { home } = here();
  t.equal((await home.memfs("store", "policy", "notes", "max_memory_bytes=4K")).code, 0);
  const script = `
    if head -c 8000 /dev/zero > big 2> /dev/null; then echo works; fi
    if mkdir "$3/notes/d" 2> /dev/null; then echo works; fi
    test ! -e nothing; cat .memfs/errors; cat "$3/notes/.memfs/errors"`;
  const lines = (await works(t, script)).trimEnd().split("\n");
  t.equal((await home.memfs("store", "policy", "notes", "max_memory_bytes=10M")).code, 0);
  t.match(JSON.parse(lines[0] ?? ""), {
    operation: "write",
    path: "/big",
    errno: "EFBIG",
    reason: /at most 4096 bytes/,
  });
  t.match(JSON.parse(lines.at(-1) ?? ""), { operation: "mkdir", path: "/d", errno: "EROFS", reason: /read-only/ });
  t.notMatch(lines.join("\n"), /ENOENT|nothing/);
}

async function many(t: Test): Promise<void> {
  const script = `
    mkdir many; for i in $(seq 1500); do echo $i > many/v; done; for i in $(seq 1200); do : > many/$i; done
    ls .memfs/history/many/v | wc -l; ls .memfs/history/many | wc -l; cat .memfs/history/many/v/0777-*
    wc -l < .memfs/log; rm -r many; find .memfs/history/many/v/ -type f | wc -l`;
  t.equal(await works(t, script), "1500\n1201\n777\n500\n1501\n");
  const head = (await here().home.json<MemoryStore>("store", "show", "notes")).usage?.head_seq ?? 0;
  t.equal(await works(t, 'ls ".memfs/at/$4/many" | wc -l', String(head - 1202)), "1201\n", "before rm");
}

await eachDriver(t, async (t) => {
  await t.test("the hidden directory on real mounts", async (t) => {
    const home = await testHome(t);
    const [one, two, reader] = [
      await home.directory("one"),
      await home.directory("two"),
      await home.directory("reader"),
    ];
    shared = { home, one, two, reader };
    const mount = async (...args: readonly string[]): Promise<void> => {
      t.strictSame((await home.memfs("mount", ...args)).stderr, "");
    };
    await mount("--create", "notes", one, "--agent", "scout", "--session", "s-1");
    await mount("notes", two, "--agent", "other", "--session", "s-2");
    await mount("--create", "notes:ro", "second", reader, "--agent", "reader", "--session", "s-3");
    await t.test("what walks the store does not fall into it", unlisted);
    await t.test("status is JSON about this mount of this store", status);
    await t.test("past versions are compared and brought back with ordinary tools", compared);
    await t.test("a copy of a moment is what was copied then", snapshot);
    await t.test("moments are numbers, versions and times", moments);
    await t.test("sizes are true for all who ask or read to the end", sizes);
    await t.test("what another mount wrote is there at once", atOnce);
    await t.test("everything there is read-only", readOnly);
    await t.test("the reason behind an errno can be read", reasons);
    await t.test("many versions, many files, and what is left of them", many);
    t.equal((await home.memfs("daemon", "stop")).code, 0);
    t.strictSame(await problemsIn(home.home.dir), []);
    t.notMatch(await home.log(), /"level":"error"/);
  });
});
