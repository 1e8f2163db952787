import { mkdir, readdir, writeFile } from "node:fs/promises";
import t, { type Test } from "tap";
import type { MemoryStore, Mount } from "../../lib/api.ts";
import { requireFuse } from "../fixtures/fuse.ts";
import { testHome, mountsBelow, type TestHome } from "../fixtures/home.ts";

interface Refusal {
  readonly args: readonly string[];
  readonly code: number;
  readonly says: RegExp;
}

/** Each must end with its exit code and exactly one line that says what is wrong and what to do. */
async function refuses(t: Test, home: TestHome, refusals: readonly Refusal[]): Promise<void> {
  for (const { args, code, says } of refusals) {
    const name = `memfs ${args.join(" ")}`;
    const outcome = await home.memfs(...args);
    t.equal(outcome.code, code, `${name}: exit code`);
    t.match(outcome.stderr, /^memfs: [^\n]+; [^\n]+\n$/, `${name}: one line, what is wrong; what to do`);
    t.match(outcome.stderr, says, `${name}: reason`);
    t.equal(outcome.stdout, "", `${name}: nothing on stdout`);
  }
}

t.test("wrong calls are refused without starting a daemon", async (t) => {
  const home = await testHome(t);
  await refuses(t, home, [
    { args: [], code: 64, says: /no command is given/ },
    { args: ["frobnicate"], code: 64, says: /unknown command 'frobnicate'/ },
    { args: ["store"], code: 64, says: /no command is given; see: memfs store --help/ },
    { args: ["mount"], code: 64, says: /missing required argument/ },
    { args: ["mount", "notes"], code: 64, says: /needs a store and a directory/ },
    {
      args: ["mount", "notes:rx", "d"],
      code: 64,
      says: /"notes:rx" is no SPEC; write STORE, STORE:ro, STORE:rw or STORE@WHEN/,
    },
    { args: ["mount", ":ro", "d"], code: 64, says: /":ro" is no SPEC/ },
    { args: ["ls", "notes", "--nope"], code: 64, says: /unknown option '--nope'/ },
    { args: ["rollback", "notes:/a"], code: 64, says: /--to/ },
    { args: ["rollback", "notes:/a", "--to", "someday"], code: 64, says: /"someday" is no version/ },
    { args: ["rollback", "notes:/a", "--to", "0"], code: 64, says: /"0" is no version/ },
    { args: ["log", "notes", "-n", "none"], code: 64, says: /-n is none/ },
    { args: ["log", "notes", "--since", "soon"], code: 64, says: /--since is "soon"/ },
    { args: ["log", "notes", "--operation", "moved"], code: 64, says: /--operation is moved/ },
    {
      args: ["store", "policy", "notes", "max_memories=many", "color=red"],
      code: 64,
      says: /max_memories needs .*"color" is no policy key|"color" is no policy key/,
    },
    { args: ["store", "policy", "notes", "max_memories=many"], code: 64, says: /max_memories needs a number/ },
    { args: ["audit", "verify", "--head", "abc"], code: 64, says: /--head is no hash/ },
    { args: ["daemon", "status"], code: 69, says: /no daemon runs for .*; start it with: memfs daemon start/ },
    { args: ["daemon", "stop"], code: 69, says: /no daemon runs/ },
  ]);
  t.strictSame(await readdir(home.home.dir).catch(() => []), [], "no home was made");
});

t.test("help and version need no daemon either", async (t) => {
  const home = await testHome(t);
  t.strictSame(await home.memfs("--version"), { code: 0, stdout: "0.1.0\n", stderr: "" });
  const commands = [[], ["store", "create"], ["mount"], ["umount"], ["mounts"], ["ls"], ["cat"], ["log"], ["show"]];
  const more = [["rollback"], ["audit", "verify"], ["prompt"], ["daemon", "status"], ["store", "policy"]];
  for (const command of [...commands, ...more]) {
    const { code, stdout } = await home.memfs(...command, "--help");
    t.equal(code, 0);
    t.match(stdout, /Examples?:\n {2}\$ memfs /, `memfs ${command.join(" ")} --help has an example`);
    if (command.length > 0) t.match(stdout, /--json/);
  }
  t.strictSame(await readdir(home.home.dir).catch(() => []), [], "no home was made");
});

t.test("what is not there is exit code 66, with the way to find or make it", async (t) => {
  const home = await testHome(t);
  await home.memfs("store", "create", "notes");
  await refuses(t, home, [
    { args: ["ls", "nope"], code: 66, says: /no store "nope"; see: memfs store list/ },
    { args: ["log", "notes:/nope.md"], code: 66, says: /no memory is or was at \/nope\.md; look/ },
    { args: ["show", "notes:/nope.md@1"], code: 66, says: /\/nope\.md/ },
    { args: ["cat", "notes:/nope.md"], code: 66, says: /\/nope\.md/ },
    { args: ["rollback", "notes:/nope.md", "--to", "1"], code: 66, says: /\/nope\.md/ },
    { args: ["cat", "./nope.md"], code: 66, says: /in no memfs mount/ },
    { args: ["umount", "."], code: 66, says: /nothing of memfs is mounted at/ },
    { args: ["prompt", "."], code: 66, says: /nothing of memfs is mounted at/ },
    { args: ["store", "rm", "notes"], code: 64, says: /add --yes/ },
    { args: ["cat", "notes"], code: 64, says: /is a store; name a memory/ },
  ]);
  t.equal((await home.memfs("store", "create", "notes")).code, 0, "names need not be unique");
  const [newer, older] = await home.json<MemoryStore[]>("store", "list");
  await refuses(t, home, [
    { args: ["ls", "notes"], code: 66, says: new RegExp(`several stores .*${newer?.id}, ${older?.id}`) },
  ]);
  t.equal((await home.memfs("ls", older?.id ?? "")).code, 0, "the id tells them apart");
});

t.test("a mount that cannot be made leaves nothing behind", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const free = await home.directory("free");
  const taken = await home.directory("taken");
  const full = await home.directory("full");
  await writeFile(`${full}/x`, "");
  await writeFile(`${home.place}/file`, "");
  await home.memfs("store", "create", "notes");
  await home.memfs("store", "create", "old");
  await home.memfs("store", "archive", "old");
  t.equal((await home.memfs("mount", "notes", "taken")).code, 0);
  await mkdir(`${taken}/inner`);
  await mkdir(`${home.home.dir}/inner`);

  await refuses(t, home, [
    {
      args: ["mount", "nope", "free"],
      code: 66,
      says: /no store "nope"; create it with: memfs store create nope, or add --create/,
    },
    { args: ["mount", "notes", "nope", "free"], code: 66, says: /no store "nope"/ },
    { args: ["mount", "notes", "notes:ro", "free"], code: 64, says: /given twice/ },
    { args: ["mount", "old", "free"], code: 77, says: /archived/ },
    { args: ["mount", "notes", "missing"], code: 66, says: /missing does not exist; make it with: mkdir -p/ },
    { args: ["mount", "notes", "file"], code: 73, says: /file is not a directory/ },
    { args: ["mount", "notes", "full"], code: 73, says: /full is not empty/ },
    { args: ["mount", "notes", "taken"], code: 75, says: /already mounted; unmount it first with: memfs umount/ },
    { args: ["mount", "notes", "taken/inner"], code: 73, says: /inside the memfs mount/ },
    { args: ["mount", "notes", home.home.dir], code: 73, says: /is the home of memfs/ },
    { args: ["mount", "notes", `${home.home.dir}/inner`], code: 73, says: /is inside the home of memfs/ },
    { args: ["mount", "notes", `${home.home.dir}/..`], code: 73, says: /contains the home of memfs/ },
    { args: ["mount", "notes", "free", "--session", ""], code: 64, says: /session/ },
    { args: ["mount", "notes", "free", "--agent", "a\nb"], code: 64, says: /the agent must be 1 to 255 bytes/ },
    { args: ["mount", "fresh", "full", "--create"], code: 73, says: /not empty/ },
    { args: ["store", "rm", "notes", "--yes"], code: 75, says: /is mounted at .*; unmount it first/ },
  ]);
  t.strictSame(mountsBelow(home.place), [taken], "only the good mount is there");
  t.strictSame(
    (await home.json<Mount[]>("mounts")).map(({ mountpoint }) => mountpoint),
    [taken],
  );
  t.strictSame(
    (await home.json<MemoryStore[]>("store", "list")).map(({ name }) => name),
    ["notes"],
    "no store was made",
  );
  t.strictSame(await readdir(free), []);
});
