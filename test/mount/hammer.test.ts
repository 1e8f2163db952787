/**
 * Many processes on many mounts of one store: each checks what it sees while all of them write, and at the end the store
 * must be what their acknowledged changes make together. Then the same with the daemon killed in the middle.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { MemoryVersion } from "../../lib/api.ts";
import { type Budget, budgetOf } from "../fixtures/budget.ts";
import { requireFuse, shell, until } from "../fixtures/fuse.ts";
import { Claims, FIRST_DOCUMENT } from "../fixtures/hammer-claims.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";

const WORKER = join(import.meta.dirname, "../fixtures/hammer-worker.py");
const WORKERS = 8;

/** A daemon with four mounts of the store, by four sessions; the last one holds another store, too. */
class Place {
  readonly home: TestHome;

  constructor(home: TestHome) {
    this.home = home;
  }

  get mounts(): string[] {
    return ["one", "two", "three", "four/notes"].map((name) => join(this.home.place, name));
  }

  async directories(): Promise<void> {
    for (const name of ["one", "two", "three", "four"]) await this.home.directory(name);
  }

  async mount(): Promise<void> {
    for (const name of ["one", "two", "three"]) {
      await this.home.json("mount", "--create", "notes", name, "--session", `s-${name}`);
    }
    // So the last close is what is there, whatever its program had read before.
    await this.home.json("store", "policy", "notes", "on_conflict=last_writer_wins");
    await this.home.json("mount", "--create", "notes", "other", "four", "--session", "s-four");
  }

  /** A directory for one round of work, and one outside of the mounts. */
  async prepare(round: string): Promise<string> {
    const scratch = join(this.home.place, `outside-${round}`);
    mkdirSync(scratch);
    const script = 'mkdir "$1" && printf %s "$2" > "$1/doc0" && printf %s "$2" > "$1/doc1"';
    const { code, stderr } = await shell(script, join(this.mounts[0] ?? "", round), FIRST_DOCUMENT);
    if (code !== 0) throw new Error(stderr);
    return scratch;
  }
}

interface Round {
  readonly name: string;
  readonly seed: number;
  readonly seconds: number;
}

/** Starts the workers; what they print is collected until all have ended. */
function startWorkers(t: Test, place: Place, { round, scratch }: { round: Round; scratch: string }) {
  const claims = new Claims();
  const mounts = place.mounts.map((mount) => join(mount, round.name));
  const ended = Array.from({ length: WORKERS }, (_, worker) => {
    const args = [WORKER, round.seed, round.seconds, worker, WORKERS, scratch, ...mounts];
    const child = spawn("python3", args.map(String), { stdio: ["ignore", "pipe", "pipe"] });
    t.teardown(() => child.kill("SIGKILL"));
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) claims.add(line);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => claims.problems.push(text));
    return once(child, "close");
  });
  return { claims, ended: Promise.all(ended) };
}

/** What is wrong with the store after a round. */
async function judge(place: Place, { claims, round, crashed }: { claims: Claims; round: Round; crashed: boolean }) {
  const problems = [...claims.problems];
  for (const mount of place.mounts) {
    for (const problem of claims.check(join(mount, round.name), crashed)) problems.push(`${mount}: ${problem}`);
  }
  for (const [number, { least, most }] of claims.saves(crashed).entries()) {
    const path = `notes:/${round.name}/doc${number}`;
    const versions = (await place.home.json<MemoryVersion[]>("log", path, "-n", "100000")).length;
    if (versions < least || versions > most) problems.push(`${path}: ${versions} versions, not ${least} to ${most}`);
  }
  return problems;
}

async function audited(t: Test, home: TestHome): Promise<void> {
  const { code, stdout, stderr } = await home.memfs("audit", "verify", "notes");
  t.strictSame({ code, stderr }, { code: 0, stderr: "" }, stdout);
}

/** The rounds in which the daemon is killed once a random number of changes was acknowledged. */
async function crashes(t: Test, place: Place, budget: Budget): Promise<number> {
  let rounds = 0;
  for (; budget.left(rounds) || rounds === 0; rounds += 1) {
    const round = { name: `crash${rounds}`, seed: budget.seed + 1 + rounds, seconds: 60 };
    const scratch = await place.prepare(round.name);
    const { claims, ended } = startWorkers(t, place, { round, scratch });
    const moment = 20 + Math.floor(budget.random() ** 2 * 1500);
    await until(() => claims.count >= moment || claims.problems.length > 0, 60);
    await place.home.kill();
    await ended;
    rmSync(scratch, { recursive: true });
    await place.mount();
    const problems = await judge(place, { claims, round, crashed: true });
    t.strictSame(problems.slice(0, 20), [], `killed after ${claims.count} changes, seed ${round.seed}`);
    if (problems.length > 0) break;
  }
  return rounds;
}

t.test("eight processes on four mounts of one store, and the daemon killed under them", async (t) => {
  if (!requireFuse(t)) return;
  const budget = budgetOf(t, { cases: 2 });
  const home = await testHome(t);
  const place = new Place(home);
  await place.directories();
  await place.mount();

  const round = { name: "steady", seed: budget.seed, seconds: (budget.seconds ?? 15) * 0.4 };
  const scratch = await place.prepare(round.name);
  const { claims, ended } = startWorkers(t, place, { round, scratch });
  await ended;
  const problems = await judge(place, { claims, round, crashed: false });
  t.strictSame(problems.slice(0, 20), [], `${claims.count} changes were acknowledged`);
  t.comment(claims.summary);
  t.ok(claims.count > 100, `${claims.count} changes`);
  await audited(t, home);
  t.notMatch(await home.log(), /"level":"error"/, "nothing went wrong unseen");

  const rounds = await crashes(t, place, budget);
  t.comment(`${rounds} rounds with a crash`);
  await audited(t, home);
  await home.memfs("daemon", "stop");
  t.strictSame(await problemsIn(home.home.dir), []);
  t.notOk(existsSync(home.socket), "the daemon has ended");
});
