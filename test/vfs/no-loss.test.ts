/**
 * Several agents write the same files through mounts of their own, without looking whenever they do not care to. Every
 * line whose close was acknowledged is in a file that is there now, unless somebody who knew it took it out.
 */
import t, { type Test } from "tap";
import type { Store } from "../../lib/store/store.ts";
import type { LiveStores } from "../../lib/vfs/live-stores.ts";
import { budgetOf } from "../fixtures/budget.ts";
import { randomFrom } from "../fixtures/random.ts";
import { mountedFixture, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY, type OpenFile, TestMount } from "../fixtures/vfs.ts";

const STEPS = 60;
/** Above the largest there is. */
const FIRST_PID = 5_000_000;
const PATHS = ["/a.md", "/b.md", "/d/c.txt"];

/** A program: its mount, and the lines of each file as it last read or wrote them. */
interface Agent {
  readonly mount: TestMount;
  readonly known: Map<string, string[]>;
  /** Written and not closed: path, handle, and the lines it will have. */
  open: { readonly path: string; readonly file: OpenFile; readonly lines: string[] } | null;
}

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
const linesOf = (text: string): string[] => text.split("\n").slice(0, -1);

class World {
  readonly #store: Store;
  readonly random: () => number;
  readonly agents: Agent[];
  /** Lines that were acknowledged, and those that somebody took out. */
  readonly #written = new Set<string>();
  readonly #removed = new Set<string>();
  readonly steps: string[] = [];
  #count = 0;

  constructor(store: Store, random: () => number, mounts: readonly TestMount[]) {
    this.#store = store;
    this.random = random;
    this.agents = mounts.map((mount) => ({ mount, known: new Map(), open: null }));
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.random() * items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  newLine(agent: Agent): string {
    this.#count += 1;
    return `line ${this.#count} of agent ${this.agents.indexOf(agent)}`;
  }

  /** What an agent makes of the lines it knows. */
  edit(agent: Agent, before: readonly string[]): string[] {
    const lines = [...before];
    const at = Math.floor(this.random() * (lines.length + 1));
    const kind = this.random();
    if (kind < 0.6 || lines.length === 0) lines.splice(at, 0, this.newLine(agent));
    else if (kind < 0.8) lines.splice(Math.min(at, lines.length - 1), 1, this.newLine(agent));
    else lines.splice(at, 1 + Math.floor(this.random() * 2));
    return lines;
  }

  /** A close was acknowledged. */
  acknowledge(before: readonly string[], after: readonly string[]): void {
    for (const line of after) this.#written.add(line);
    this.tookOut(before, after);
  }

  /**
   * Also one of two copies: a line that was appended without a look, and then written again in a text that did not know of
   * that, is there twice. When another agent takes out the other copy, both meant it.
   */
  tookOut(before: readonly string[], after: readonly string[]): void {
    const copies = (lines: readonly string[], line: string): number => lines.filter((one) => one === line).length;
    for (const line of before) if (copies(after, line) < copies(before, line)) this.#removed.add(line);
  }

  /** Lines of all versions: a text that is kept beside may be followed by another one of the same agent. */
  async #everIn(path: string): Promise<string[]> {
    const { items } = await this.#store.history.list({ path: Buffer.from(path), limit: 100 });
    return items.flatMap(({ id, sha256 }) => (sha256 === null ? [] : linesOf(this.#store.history.read(id).toString())));
  }

  /** Lines that are nowhere. */
  async lost(mount: TestMount): Promise<string[]> {
    const there = new Set<string>();
    for (const directory of ["/", "/d"]) {
      for (const name of await mount.list(directory)) {
        if (name === "d") continue;
        const path = `${directory === "/" ? "" : directory}/${name}`;
        for (const line of linesOf(await mount.read(path))) there.add(line);
        if (name.includes(".conflict-")) for (const line of await this.#everIn(path)) there.add(line);
      }
    }
    return [...this.#written].filter((line) => !this.#removed.has(line) && !there.has(line));
  }
}

async function present(mount: TestMount, path: string): Promise<string[] | null> {
  return (await mount.find(path)) === null ? null : linesOf(await mount.read(path));
}

/** Lines that a blind write of the path replaces: it is made from the head. */
async function before(agent: Agent, path: string, looker: TestMount): Promise<readonly string[]> {
  return agent.known.get(path) ?? (await present(looker, path)) ?? [];
}

type Action = (world: World, agent: Agent, path: string, looker: TestMount) => Promise<void>;

/** Saves the lines in one of the ways programs do. */
type Save = (mount: TestMount, path: string, text: string) => Promise<void>;

const SAVES: Readonly<Record<string, Save>> = {
  rewrite: (mount, path, text) => mount.write(path, text),
  "rename over": async (mount, path, text) => {
    const file = await mount.open("/.save.tmp", O_WRONLY | O_EXCL);
    await mount.put(file, text);
    await mount.close(file);
    await mount.rename("/.save.tmp", path);
  },
  "put aside, write": async (mount, path, text) => {
    if ((await mount.find(path)) !== null) await mount.rename(path, `${path}~`);
    await mount.write(path, text);
    if ((await mount.find(`${path}~`)) !== null) await mount.unlink(`${path}~`);
  },
};

const ACTIONS: Readonly<Record<string, Action>> = {
  read: async (_, agent, path) => {
    const lines = await present(agent.mount, path);
    if (lines === null) agent.known.delete(path);
    else agent.known.set(path, lines);
  },
  append: async (world, agent, path) => {
    const line = world.newLine(agent);
    await agent.mount.append(path, `${line}\n`);
    world.acknowledge([], [line]);
    const known = agent.known.get(path);
    if (known !== undefined) agent.known.set(path, [...known, line]);
  },
  "open and write": async (world, agent, path, looker) => {
    const old = await before(agent, path, looker);
    const lines = world.edit(agent, old);
    const file = await agent.mount.open(path, O_RDWR | O_TRUNC);
    await agent.mount.put(file, textOf(lines));
    agent.open = { path, file, lines };
    world.tookOut(old, lines);
    agent.known.set(path, lines);
  },
  unlink: async (world, agent, path, looker) => {
    const lines = await present(looker, path);
    if (lines === null) return;
    await agent.mount.unlink(path);
    world.acknowledge(lines, []);
    // What comes there next is another memory, which nobody knows.
    for (const { known } of world.agents) known.delete(path);
  },
  ...Object.fromEntries(
    Object.entries(SAVES).map(([name, save]): [string, Action] => [
      name,
      async (world, agent, path, looker) => {
        const old = await before(agent, path, looker);
        const lines = world.edit(agent, old);
        await save(agent.mount, path, textOf(lines));
        world.acknowledge(old, lines);
        agent.known.set(path, lines);
      },
    ]),
  ),
};

/** What an agent does with the file it has open. */
async function goOn(world: World, agent: Agent): Promise<void> {
  const { open } = agent;
  if (open === null) return;
  const kind = world.random();
  if (kind < 0.3) {
    await agent.mount.fsync(open.file);
    world.acknowledge([], open.lines);
  } else if (kind < 0.6) {
    const line = world.newLine(agent);
    await agent.mount.put(open.file, `${line}\n`, textOf(open.lines).length);
    open.lines.push(line);
  } else {
    await agent.mount.close(open.file);
    world.acknowledge([], open.lines);
    agent.open = null;
  }
}

async function play(t: Test, seed: number, steps = STEPS): Promise<string[]> {
  const fixture = await mountedFixture(t);
  const random = randomFrom(seed);
  await fixture.mount.mkdir("/d");
  const open = async (live: LiveStores, generation: number): Promise<TestMount[]> =>
    Promise.all(
      ["s-1", "s-2", "s-3", "looker"].map((session) =>
        TestMount.open(live, fixture.store.info.id, { session, agent: session, generation }),
      ),
    );
  const [looker, ...mounts] = (await open(fixture.live, 2)).reverse();
  if (looker === undefined) throw new Error("there is no mount");
  // Programs of their own.
  mounts.forEach((mount, index) => (mount.caller = { ...mount.caller, pid: FIRST_PID + index }));
  const world = new World(fixture.store, random, mounts);
  for (let step = 0; step < steps; step++) {
    const agent = world.pick(world.agents);
    const path = world.pick(PATHS);
    if (random() < 0.1) fixture.clock.pass(2);
    if (agent.open !== null) {
      world.steps.push(`${world.agents.indexOf(agent)} goes on with ${agent.open.path}`);
      await goOn(world, agent);
      continue;
    }
    const [name, action] = world.pick(Object.entries(ACTIONS));
    // A file that somebody has open goes with its name: what is written then is in no file.
    const busy = world.agents.some((other) => other.open !== null);
    if (busy && (name === "unlink" || name === "put aside, write" || name === "rename over")) continue;
    world.steps.push(`${world.agents.indexOf(agent)} ${name} ${path}`);
    await action(world, agent, path, looker);
  }
  for (const agent of world.agents) {
    while (agent.open !== null) await goOn(world, agent);
  }
  const lost = await world.lost(looker);
  const verified = await fixture.store.verify();
  return [...lost, ...(verified.problem === null ? [] : [verified.problem]), ...(lost.length > 0 ? world.steps : [])];
}

/** What is wrong after the fewest steps that it takes. */
async function shortest(t: Test, seed: number): Promise<string[]> {
  let problems = await play(t, seed);
  for (let steps = 1; problems.length > 0 && steps < STEPS; steps++) {
    const fewer = await play(t, seed, steps);
    if (fewer.length === 0) continue;
    problems = fewer;
    break;
  }
  return problems;
}

t.test("no line is lost, whoever writes over whom", async (t) => {
  const budget = budgetOf(t, { cases: 200 });
  let count = 0;
  for (; budget.left(count); count++) {
    const seed = budget.seed + count;
    await t.test(`MEMFS_TEST_SEED=${seed}`, { silent: true }, async (t) => {
      t.strictSame(await shortest(t, seed), []);
    });
  }
  t.comment(`${count} histories of ${STEPS} steps`);
});
