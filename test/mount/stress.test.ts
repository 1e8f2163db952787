/** Two mounts of one store under load from several processes. */
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import t, { type Test } from "tap";
import { mountedTest } from "../fixtures/drivers.ts";
import { run, shell } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";

async function twoMounts(t: Test): Promise<{ home: TestHome; mounts: [string, string] }> {
  const home = await testHome(t);
  const mounts: [string, string] = [await home.directory("one"), await home.directory("two")];
  t.equal((await home.memfs("mount", "--create", "notes", "one", "--session", "s-1")).code, 0);
  t.equal((await home.memfs("store", "policy", "notes", "on_conflict=last_writer_wins")).code, 0);
  t.equal((await home.memfs("mount", "notes", "two", "--session", "s-2")).code, 0);
  return { home, mounts };
}

async function sound(t: Test, home: TestHome): Promise<void> {
  t.match(await home.memfs("audit", "verify"), { code: 0, stdout: /^notes: ok, / });
  t.equal((await home.memfs("daemon", "stop")).code, 0);
  t.strictSame(await problemsIn(home.home.dir), []);
  t.notMatch(await home.log(), /"level":"error"/, "nothing went wrong unseen");
}

mountedTest(t, "what one mount closed the other opens: names, sizes and contents, thousands of times", async (t) => {
  const { home, mounts } = await twoMounts(t);
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const client = join(import.meta.dirname, "../fixtures/coherence-client.ts");
  const clients = [0, 1, 2].map((index) =>
    run(process.execPath, ["--import=tsx", client, `${seed + index}`, "1500", `client${index}`, ...mounts]),
  );
  for (const outcome of await Promise.all(clients)) t.strictSame(outcome, { code: 0, stdout: "", stderr: "" });
  await sound(t, home);
});

mountedTest(t, "lines that four processes append through two mounts are all there, whole and in order", async (t) => {
  const { home, mounts } = await twoMounts(t);
  const each = 250;
  const script = 'i=0; while [ $i -lt "$3" ]; do echo "$2 $i ----------------------" >> "$1/log"; i=$((i + 1)); done';
  const writers = mounts.flatMap((mount, side) =>
    [0, 1].map((index) => shell(script, mount, `${side}${index}`, `${each}`)),
  );
  for (const outcome of await Promise.all(writers)) t.strictSame(outcome, { code: 0, stdout: "", stderr: "" });
  for (const mount of mounts) {
    const lines = (await readFile(join(mount, "log"), "utf8")).split("\n").slice(0, -1);
    t.equal(lines.length, 4 * each);
    for (const writer of ["00", "01", "10", "11"]) {
      const own = lines.filter((line) => line.startsWith(`${writer} `));
      const wanted = Array.from({ length: each }, (_, index) => `${writer} ${index} ----------------------`);
      t.strictSame(own, wanted, "in the order in which they were written");
    }
  }
  const log = await home.memfs("log", "notes:/log", "-n", "100000");
  const versions = log.stdout.split("\n").length - 1;
  // Two processes of one mount share its draft: a close may commit what the other has just written, too.
  t.ok(versions > 2 * each && versions <= 4 * each, `${versions} versions of ${4 * each} lines`);
  await sound(t, home);
});

mountedTest(t, "a rollback is seen at once through two mounts that have the file in their caches", async (t) => {
  const { home, mounts } = await twoMounts(t);
  const contents = ["one\n", `${"two ".repeat(20_000)}\n`, "3\n"];
  for (const content of contents) await shell('printf %s "$2" > "$1/f"', mounts[0], content);
  for (let turn = 0; turn < 6; turn++) {
    const n = 1 + (turn % 3);
    for (const mount of mounts) await readFile(join(mount, "f"));
    t.match(await home.memfs("rollback", "notes:/f", "--to", `${n}`), { code: 0 });
    for (const mount of mounts) {
      t.equal(await readFile(join(mount, "f"), "utf8"), contents[n - 1], `turn ${turn}`);
      t.equal((await shell('stat -c %s "$1/f"', mount)).stdout, `${contents[n - 1]?.length}\n`);
    }
  }
  await sound(t, home);
});
