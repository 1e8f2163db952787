/** `memfs audit reads`, on real mounts. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import type { MemoryRead, MemoryStore, MemoryVersion } from "../../lib/api.ts";
import { mountedTest } from "../fixtures/drivers.ts";
import { shell, until } from "../fixtures/fuse.ts";
import { testHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";

mountedTest(t, "which sessions have read a version, and what a session had read before it wrote", async (t) => {
  const home = await testHome(t);
  const [one, two, frozen] = [await home.directory("one"), await home.directory("two"), await home.directory("frozen")];
  await home.json("mount", "--create", "notes", one, "--agent", "scout", "--session", "s-1");
  await home.json("mount", "notes", two, "--agent", "critic", "--session", "s-2");
  await home.json("mount", "notes:ro", frozen, "--agent", "reader", "--session", "s-3");
  for (const name of ["a.md", "b.md", "c.md"]) await writeFile(join(one, name), name);
  await readFile(join(two, "a.md"));
  t.equal((await shell('grep -r . "$1" > /dev/null', frozen)).code, 0);
  await writeFile(join(two, "d.md"), "after a.md");
  await readFile(join(two, "b.md"));

  const reads = (...args: string[]): Promise<MemoryRead[]> => home.json("audit", "reads", ...args);
  const names = async (...args: string[]): Promise<string[]> =>
    (await reads(...args)).map(({ session_id: session, path, n }) => `${session} ${path ?? ""}@${n}`).sort();
  t.strictSame(await names("notes", "--session", "s-2"), ["s-2 /a.md@1", "s-2 /b.md@1"]);
  t.strictSame(await names("notes", "--session", "s-3"), ["s-3 /a.md@1", "s-3 /b.md@1", "s-3 /c.md@1"]);
  t.strictSame(await names("notes:/a.md"), ["s-2 /a.md@1", "s-3 /a.md@1"]);
  t.strictSame(await names(`${one}/b.md@1`, "--session", "s-2"), ["s-2 /b.md@1"]);
  const [written] = await home.json<MemoryVersion[]>("log", "notes:/d.md");
  const id = written?.id ?? "";
  t.strictSame(await names("notes", "--before", id), ["s-2 /a.md@1"]);
  t.strictSame(await names(`notes@${id}`), [], "nobody has read it");
  t.match(await home.memfs("audit", "reads", "notes:/c.md"), {
    code: 0,
    stdout: /^\d{4}-\S+ \S+ {2}reader\/s-3 {2}memver_01\w{22} {2}\/c\.md@1\n$/,
  });
  t.equal((await home.memfs("log", "notes")).stdout.trimEnd().split("\n").length, 4, "reads are in no log");

  const refusals: [args: string[], code: number, said: RegExp][] = [
    [["notes", "--before", "3"], 64, /--before is "3"; give a version id/],
    [["notes", "--before", "memver_01AAAAAAAAAAAAAAAAAAAAAA"], 66, /no version memver_/],
    [["notes:/none"], 66, /no memory is or was at \/none/],
    [["none"], 66, /there is no store "none"/],
  ];
  for (const [args, code, said] of refusals)
    t.match(await home.memfs("audit", "reads", ...args), { code, stderr: said }, args.join(" "));
});

t.test("reads outlive a crash of the daemon a second later", async (t) => {
  const home = await testHome(t);
  const [one, two] = [await home.directory("one"), await home.directory("two")];
  await home.json("mount", "--create", "notes", one);
  const mounted = await home.memfs("mount", "notes", two, "--session", "s-2");
  if (mounted.code === 69) return t.pass("skipped: nothing can be mounted", { skip: mounted.stderr });
  await writeFile(join(one, "f"), "x");
  const seq = async (): Promise<number> =>
    (await home.json<MemoryStore>("store", "show", "notes")).usage?.head_seq ?? 0;
  const before = await seq();
  await readFile(join(two, "f"));
  await until(async () => (await seq()) > before);
  // What was recorded last is in the redo log with the next change, or after 20 ms.
  await writeFile(join(one, "g"), "y");
  await home.kill();
  const reads = await home.json<MemoryRead[]>("audit", "reads", "notes:/f");
  t.match(reads, [{ session_id: "s-2", path: "/f", n: 1 }]);
  t.equal((await home.memfs("audit", "verify", "notes")).code, 0);
  await home.memfs("daemon", "stop");
  t.strictSame(await problemsIn(home.home.dir), []);
});
