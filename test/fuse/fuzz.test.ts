/** Whatever bytes come from the kernel's side: one answer each, well-formed, and nothing left behind. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t, { type Test } from "tap";
import { type Budget, budgetOf } from "../fixtures/budget.ts";
import { Dice } from "../fixtures/fuzz-dice.ts";
import { say } from "../fixtures/fuzz-grammar.ts";
import { mutate } from "../fixtures/fuzz-mutations.ts";
import { describe, FuzzWorld, type Step } from "../fixtures/fuzz-world.ts";
import { scratchDir } from "../fixtures/kv.ts";
import { randomFrom } from "../fixtures/random.ts";

const STEPS_PER_CASE = 300;
const LONG_RUN = 100_000;

/** The next request of a case: well-formed, or spoilt. */
function next(world: FuzzWorld, dice: Dice, spoilt: number): Step {
  const mount = dice.below(world.connections.length);
  const { kernel } = world.connection(mount);
  const bytes = say({ dice, kernel }, world.unique());
  return { mount, bytes: dice.chance(spoilt) ? mutate(bytes, dice) : bytes, rest: dice.chance(0.3) };
}

interface Result {
  readonly steps: readonly Step[];
  readonly problems: readonly string[];
}

/** One case from the first request to the last. */
async function play(dir: string, seed: number): Promise<Result> {
  const dice = new Dice(randomFrom(seed));
  const world = await FuzzWorld.make(dir);
  const spoilt = dice.pick([0, 0.1, 0.4, 0.9]);
  const steps: Step[] = [];
  for (let count = 0; count < STEPS_PER_CASE; count += 1) {
    const step = next(world, dice, spoilt);
    steps.push(step);
    const problems = await world.apply(step);
    if (problems.length > 0) return { steps, problems };
  }
  return { steps, problems: await world.finish() };
}

async function replay(dir: string, steps: readonly Step[]): Promise<readonly string[]> {
  const world = await FuzzWorld.make(dir);
  for (const step of steps) {
    const problems = await world.apply(step);
    if (problems.length > 0) return problems;
  }
  return world.finish();
}

/** What kind of failure it is: shrinking must not slip from one into another. */
const kindOf = (problems: readonly string[]): string =>
  (problems[0] ?? "").replaceAll(/mem_\w+|\d+/g, "N").slice(0, 60);

/** The steps without those that the failure does not need. */
async function shrink(dir: string, { steps, problems }: Result): Promise<readonly Step[]> {
  const kind = kindOf(problems);
  let left = steps;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = left.length - size; at > -size; at -= size) {
      const fewer = [...left.slice(0, Math.max(0, at)), ...left.slice(Math.max(0, at + size))];
      if (kindOf(await replay(dir, fewer)) === kind) left = fewer;
    }
  }
  return left;
}

async function report(t: Test, dir: string, result: Result): Promise<void> {
  const shortest = await shrink(dir, result);
  const problems = await replay(dir, shortest);
  for (const step of shortest) t.comment(describe(step));
  t.strictSame(problems, [], `after ${shortest.length} requests`);
}

/** Plays cases until the budget is used up or three of them failed. Case N of seed S is the case of seed S + N. */
async function campaign(t: Test, dir: string, budget: Budget): Promise<void> {
  let failed = 0;
  let count = 0;
  let requests = 0;
  for (; budget.left(count) && failed < 3; count += 1) {
    const result = await play(dir, budget.seed + count);
    requests += result.steps.length;
    if (result.problems.length === 0) continue;
    failed += 1;
    t.comment(`MEMFS_TEST_SEED=${budget.seed + count}: ${result.problems.join("; ")}`);
    await report(t, dir, result);
  }
  t.equal(failed, 0, `${count} cases, ${requests} requests`);
}

t.test("any requests, whole or spoilt, on four mounts of two stores", async (t) => {
  const budget = budgetOf(t, { cases: 300 });
  await campaign(t, scratchDir(t), budget);
});

function heap(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

t.test("a hundred thousand requests leave nothing in memory but what is stored", async (t) => {
  const { seed } = budgetOf(t, { cases: 1 });
  const dice = new Dice(randomFrom(seed));
  const world = await FuzzWorld.make(scratchDir(t));
  const before = heap();
  for (let count = 0; count < LONG_RUN; count += 1) {
    const problems = await world.apply(next(world, dice, 0.1));
    if (problems.length > 0) return t.strictSame(problems, [], `request ${count}`);
  }
  t.strictSame(await world.finish(), []);
  const [grown, stored] = [heap() - before, await world.storedBytes()];
  t.comment(`heap grew by ${grown} bytes, ${stored} are stored`);
  t.ok(grown < 2 * stored + 64 * 2 ** 20, `${grown} bytes more on the heap, ${stored} stored`);
});
