/** How real programs save files: each is one version of the same memory. Outside /tmp, where vim would make no backup. */
import { mkdtemp, rmdir } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryVersion } from "../../lib/api.ts";
import { mountedTest, nativeCannot } from "../fixtures/drivers.ts";
import { shell } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";

/** Saves `$1/f`, which holds "old"; afterwards it holds "new". */
interface Save {
  readonly tool: string;
  readonly script: string;
  /** The memory goes on because it is the same process that removes and writes. */
  readonly sameProcess?: boolean;
  /** What else is a memory afterwards. */
  readonly others?: readonly string[];
  /** What is left beside the file, scratch and others. */
  readonly left?: readonly string[];
}

const vim = (options: string): string =>
  `cd "$1" && vim -u NONE -i NONE -N -es -c 'set nomore ${options}' -c '%s/old/new/' -c wq f </dev/null >/dev/null 2>&1; grep -q new f`;

const SAVES: Readonly<Record<string, Save>> = {
  "vim, default settings": { tool: "vim", script: vim("") },
  "vim, backupcopy=no": { tool: "vim", script: vim("backupcopy=no writebackup") },
  "vim, backupcopy=yes": { tool: "vim", script: vim("backupcopy=yes writebackup") },
  "vim, backupcopy=auto": { tool: "vim", script: vim("backupcopy=auto writebackup") },
  "vim, backup kept": { tool: "vim", script: vim("backup backupcopy=no"), left: ["f~"] },
  "emacs, its calls": {
    tool: "python3",
    script: `cd "$1" && python3 -c '
import os
os.rename("f", "f~")
fd = os.open("f", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
os.write(fd, b"new\\n")
os.fsync(fd)
os.close(fd)'`,
    left: ["f~"],
  },
  "sed -i": { tool: "sed", script: 'sed -i s/old/new/ "$1/f"' },
  "sed -i.bak": {
    sameProcess: true,
    tool: "sed",
    script: 'sed -i.bak s/old/new/ "$1/f"',
    others: ["f.bak"],
    left: ["f.bak"],
  },
  "perl -i": { tool: "perl", script: 'perl -i -pe s/old/new/ "$1/f"' },
  "perl -i.orig": {
    tool: "perl",
    script: 'perl -i.orig -pe s/old/new/ "$1/f"',
    others: ["f.orig"],
    left: ["f.orig"],
  },
  "cp --remove-destination": {
    sameProcess: true,
    tool: "cp",
    script: 'echo new > "$2/f" && cp --remove-destination "$2/f" "$1/f"',
  },
  "tar over what is there": {
    sameProcess: true,
    tool: "tar",
    script: 'echo new > "$2/f" && tar -C "$2" -cf "$2/f.tar" f && tar -C "$1" -xf "$2/f.tar"',
  },
  rsync: { tool: "rsync", script: 'echo new > "$2/f" && rsync -a --ignore-times "$2/f" "$1/f"' },
  "an atomic save of Python": {
    tool: "python3",
    script: `cd "$1" && python3 -c '
import os, tempfile
fd, temporary = tempfile.mkstemp(dir=".")
os.write(fd, b"new\\n")
os.close(fd)
os.replace(temporary, "f")'`,
  },
  "a program that syncs every write": {
    tool: "python3",
    script: `cd "$1" && python3 -c '
import os
fd = os.open("f", os.O_WRONLY | os.O_TRUNC)
for byte in b"new\\n":
    os.write(fd, bytes([byte]))
    os.fsync(fd)
os.close(fd)'`,
  },
  "dd oflag=sync": { tool: "dd", script: 'echo new > "$2/f" && dd if="$2/f" of="$1/f" bs=1 oflag=sync status=none' },
  "an agent's tool": {
    tool: "node",
    script: `cd "$1" && node -e '
const fs = require("fs");
const temporary = ".tmp-" + process.pid + "-" + crypto.randomUUID();
fs.writeFileSync(temporary, "new\\n");
fs.renameSync(temporary, "f");'`,
  },
};

interface Place {
  readonly home: TestHome;
  readonly mount: string;
  /** A directory on the disk. */
  readonly disk: string;
  /** Paths of all that programs have saved so far. */
  readonly memories: string[];
}

async function log({ home }: Place, path: string): Promise<MemoryVersion[]> {
  return (await home.json<MemoryVersion[]>("log", `notes:/${path}`, "-n", "100")).reverse();
}

const operations = (versions: readonly MemoryVersion[]): string[] => versions.map(({ operation }) => operation);

async function saves(t: Test, place: Place, { name, save }: { name: string; save: Save }): Promise<void> {
  if (save.sameProcess === true && nativeCannot(t, "same_process")) return;
  if ((await shell('command -v "$1"', save.tool)).code !== 0) {
    t.pass(`skipped: no ${save.tool}`, { skip: `${save.tool} is not installed` });
    return;
  }
  const directory = name.replace(/[^a-z0-9]+/g, "-");
  const at = join(place.mount, directory);
  const made = await shell('mkdir "$1" && echo old > "$1/f"', at);
  t.strictSame(made, { code: 0, stdout: "", stderr: "" });
  const [created] = await log(place, `${directory}/f`);
  const { code, stderr } = await shell(save.script, at, place.disk);
  t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  const after = await shell('cat "$1/f"; ls -A "$1"', at);
  t.equal(after.stdout, ["new", "f", ...(save.left ?? []), ""].join("\n"));
  const versions = await log(place, `${directory}/f`);
  t.strictSame(operations(versions), ["created", "modified"]);
  t.equal(versions[1]?.memory_id, created?.memory_id, "the memory is the same");
  for (const other of save.others ?? [])
    t.strictSame(operations(await log(place, `${directory}/${other}`)), ["created"]);
  for (const one of ["f", ...(save.others ?? [])]) place.memories.push(`/${directory}/${one}`);
}

async function checkout(t: Test, place: Place): Promise<void> {
  if (nativeCannot(t, "same_process")) return;
  const at = join(place.mount, "repository");
  const git = 'git -c user.name=t -c user.email=t@t -c init.defaultBranch=main -C "$1"';
  const made = await shell(
    `mkdir "$1" && ${git} init -q && echo old > "$1/f" && ${git} add f && ${git} commit -qm one &&
     ${git} checkout -qb other && echo new > "$1/f" && ${git} commit -qam two`,
    at,
  );
  t.strictSame({ code: made.code, stderr: made.stderr }, { code: 0, stderr: "" });
  const before = await log(place, "repository/f");
  t.strictSame(operations(before), ["created", "modified"]);
  const { code, stderr } = await shell(`${git} checkout -q main && cat "$1/f"`, at);
  t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  const versions = await log(place, "repository/f");
  t.strictSame(operations(versions), ["created", "modified", "modified"]);
  t.equal(new Set(versions.map((version) => version.memory_id)).size, 1);
  place.memories.push("/repository/f");
}

async function again(t: Test, place: Place): Promise<void> {
  await shell('echo 1 > "$1/again"; rm "$1/again"; echo 2 > "$1/again"', place.mount);
  t.strictSame(operations(await log(place, "again")).sort(), ["created", "created", "deleted"]);
  place.memories.push("/again");
}

/** Temporary files, backups and what is in `.git` were scratch from beginning to end. */
async function nothingElse(t: Test, { home, memories }: Place): Promise<void> {
  const all = await home.json<MemoryVersion[]>("log", "notes", "-n", "10000");
  t.strictSame([...new Set(all.map(({ path }) => path))].sort(), [...memories].sort());
}

async function placeFor(t: Test): Promise<Place> {
  const home = await testHome(t);
  const mount = await mkdtemp("/var/tmp/memfs-saves-");
  t.teardown(() => rmdir(mount));
  const disk = await home.directory("disk");
  t.equal((await home.memfs("mount", "--create", "notes", mount)).code, 0);
  return { home, mount, disk, memories: [] };
}

mountedTest(t, "programs save files", async (t) => {
  const place = await placeFor(t);
  for (const [name, save] of Object.entries(SAVES)) {
    await t.test(name, (t) => saves(t, place, { name, save }));
  }
  await t.test("git checkout", (t) => checkout(t, place));
  await t.test("rm and echo are a deletion and a new memory", (t) => again(t, place));
  await t.test("nothing else was ever a memory", (t) => nothingElse(t, place));
  t.equal((await place.home.memfs("daemon", "stop")).code, 0);
  t.strictSame(await problemsIn(place.home.home.dir), []);
});
