/**
 * Power is cut at a random moment while programs write through a mount, on a real ext4: what was synced is there, and the rest
 * is as it was at some moment of the past, whole.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fdatasyncSync, openSync, closeSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { budgetOf } from "../fixtures/budget.ts";
import { requireFuse } from "../fixtures/fuse.ts";
import { mountsBelow, TestHome } from "../fixtures/home.ts";
import { requireBuild } from "../fixtures/build.ts";
import { PowerDisk } from "../fixtures/power-disk.ts";
import { PowerWork, type State, writerOf } from "../fixtures/power-work.ts";
import { contentsOf } from "../fixtures/sound.ts";

const WRITER = join(import.meta.dirname, "../fixtures/power-writer.mjs");
/** Milliseconds between two cuts, at most. */
const PAUSE = 400;
/** Cuts after which it is looked at what each has left: that takes longer than they do. */
const CUTS = 8;

/** A program that does one operation after the other, and says how far it is. */
function startWriter(t: Test, directory: string, work: PowerWork) {
  const child = spawn(process.execPath, [WRITER, directory], { stdio: ["pipe", "pipe", "inherit"] });
  t.teardown(() => child.kill("SIGKILL"));
  const progress = { done: 0, synced: 0, ending: false };
  const give = (): void => {
    if (progress.ending) child.stdin.end();
    else child.stdin.write(`${JSON.stringify(work.next())}\n`);
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [n = "0", synced] = line.split(" ");
    progress.done = Number(n);
    if (synced !== undefined) progress.synced = progress.done;
    give();
  });
  give();
  return { progress, ended: once(child, "close") };
}

/** Makes the disk take one of the home's files early: it is free to choose the order of what nobody syncs. */
function syncOne(home: string, random: () => number): void {
  const wanted = random() < 0.5 ? /^db.*\.log$/ : /\.(log|data|ldb)$/;
  const names = readdirSync(home, { recursive: true, encoding: "utf8" }).filter((name) => wanted.test(name));
  const name = names[Math.floor(random() * names.length)];
  if (name === undefined) return;
  try {
    const fd = openSync(join(home, name), "r");
    fdatasyncSync(fd);
    closeSync(fd);
  } catch (error) {
    // The daemon has removed it meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function stateOf(files: ReadonlyMap<string, Buffer>): State {
  return new Map([...files].map(([name, bytes]) => [name, writerOf(bytes) ?? `torn: ${bytes.length} bytes`]));
}

/** At least so many operations, whose effect nothing may take, were done before this cut. */
interface Cut {
  readonly number: number;
  readonly synced: number;
}

async function look(t: Test, disk: PowerDisk, { cut, work, place }: { cut: Cut; work: PowerWork; place: string }) {
  const home = join(await disk.after(cut.number), place);
  const { files, problems } = await contentsOf(home);
  const state = stateOf(files);
  const found = work.find(state, cut.synced);
  t.ok(found >= 0, `cut ${cut.number}: ${cut.synced} operations were synced, ${found} are there, whole`);
  if (found < 0) t.comment(JSON.stringify([...state]));
  t.strictSame(problems, [], "the store is sound");
  await disk.forget(cut.number);
}

t.test("power is cut at a random moment, again and again", async (t) => {
  if (!requireFuse(t)) return;
  const budget = budgetOf(t, { cases: CUTS });
  requireBuild();
  const disk = await PowerDisk.make(t);
  const directory = join(disk.root, "t");
  const home = new TestHome(directory);
  t.teardown(() => home.dispose(directory));
  await mkdir(home.place, { recursive: true });
  const notes = await home.directory("notes");
  t.equal((await home.memfs("mount", "--create", "notes", "notes")).code, 0);
  // A home is made with its first daemon: that it is there is not what is tested.
  await home.memfs("daemon", "stop");
  t.equal((await home.memfs("mount", "notes", "notes")).code, 0);
  const work = new PowerWork(budget.random);
  const { progress, ended } = startWriter(t, notes, work);
  const cutNow = async (): Promise<Cut> => {
    await sleep(budget.random() * PAUSE);
    for (let count = Math.floor(budget.random() * 3); count > 0; count--) syncOne(home.home.dir, budget.random);
    const { synced } = progress;
    return { number: await disk.cut(), synced };
  };
  for (let played = 0; budget.left(played); played += CUTS) {
    const cuts: Cut[] = [];
    while (cuts.length < CUTS) cuts.push(await cutNow());
    for (const cut of cuts) await look(t, disk, { cut, work, place: join("t", "h") });
  }
  progress.ending = true;
  await ended;
  t.comment(`${progress.done} operations`);
  t.equal((await home.memfs("daemon", "stop")).code, 0);
  t.strictSame(mountsBelow(home.place), []);
  t.equal(
    work.find(stateOf((await contentsOf(home.home.dir)).files), progress.done),
    progress.done,
    "without a cut all is there",
  );
});
