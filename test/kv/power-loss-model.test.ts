/**
 * Random histories of the key-value store, ended by `kill -9` or power loss at any moment and begun again, with disks that fail:
 * what is found is always the state after some of the commits, in order, and after all that were synced.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import type { Test } from "tap";
import { Batch } from "../../lib/kv/batch.ts";
import { MemfsError } from "../../lib/errors.ts";
import type { Kv } from "../../lib/kv/kv.ts";
import { openLevelKv } from "../../lib/kv/level.ts";
import { silentLog } from "../../lib/log.ts";
import { budgetOf } from "../fixtures/budget.ts";
import { rememberingLog, scratchDir } from "../fixtures/kv.ts";
import {
  commit,
  type Commit,
  difference,
  DOOMED,
  doomedIn,
  doomKey,
  everything,
  goneAfter,
  modelSealer,
  newest,
  openSpace,
  separated,
  SPACES,
  stateAfter,
} from "../fixtures/kv-model.ts";
import { nothingDurable, PowerDisk } from "../fixtures/lossy-disk.ts";
import { randomFrom } from "../fixtures/random.ts";
import { value } from "../fixtures/value-files.ts";

/** Small, so that files are changed often. */
const ROTATE = { rotateSize: 6000, valueRotateSize: 20_000 };
const LIVES = 4;
/** Images that are taken in a life, and how likely at a moment. */
const IMAGES = 3;
const LIKELY = 0.03;

type Durable = ReturnType<PowerDisk["image"]>;

/** A home as a crash left it. */
interface Image {
  readonly dir: string;
  readonly durable: Durable;
  readonly power: boolean;
  /** The moment it was taken. */
  readonly at: string;
  /** All commits that may be there, and how many must be. */
  commits: readonly Commit[];
  low: number;
  /** How many must be there after power loss, too. */
  synced: number;
}

class History {
  readonly #random: () => number;
  readonly #faults: boolean;
  readonly #makeDir: () => string;
  /** Acknowledged, or at last one that is being made. */
  #commits: Commit[] = [];
  #acknowledged = 0;
  #synced = 0;
  #opening = false;
  #failing = false;
  #destroying = new Set<number>();
  #images: Image[] = [];
  #values = 0;
  /** How many commits are wide: when many are, LevelDB gets them in several batches. */
  #wide = 0;
  crashes = 0;

  constructor(seed: number, faults: boolean, makeDir: () => string) {
    this.#random = randomFrom(seed);
    this.#faults = faults;
    this.#makeDir = makeDir;
  }

  /** @throws Error that says what is wrong */
  async play(): Promise<void> {
    let image: Image = {
      dir: this.#makeDir(),
      durable: nothingDurable(),
      power: true,
      at: "nowhere",
      commits: [],
      low: 0,
      synced: 0,
    };
    for (let life = 0; life < LIVES; life++) {
      await this.#live(image);
      rmSync(image.dir, { recursive: true, force: true });
      this.crashes += this.#images.length;
      const next = this.#images[this.#below(this.#images.length)];
      for (const other of this.#images) if (other !== next) await this.#check(other);
      if (next === undefined) return;
      image = next;
    }
    await this.#check(image);
  }

  /** From a start in the image to a close, with images taken in between. */
  async #live(image: Image): Promise<void> {
    this.#images = [];
    const { dir, durable } = image;
    const power = new PowerDisk({
      ...{ dir, durable, random: this.#random },
      moment: (what) => this.#moment(power, what),
      fault: (call) => (this.#failing && this.#random() < 0.2 ? this.#errorOf(call) : null),
    });
    const onPoint = (point: string): void => {
      if (point === "applied") power.levelSynced();
      this.#moment(power, point);
    };
    const options = { ...ROTATE, dir, disk: power.disk, onPoint, sealerOf: modelSealer, log: silentLog };
    this.#commits = [...image.commits];
    this.#acknowledged = this.#commits.length;
    this.#synced = image.synced;
    this.#opening = true;
    this.#wide = this.#random() < 0.3 ? 0.6 : 0.05;
    this.#destroying.clear();
    if (this.#random() < 0.15) await this.#liveWithoutKey(options);
    const kv = await this.#open(options);
    try {
      const found = await this.#settle(kv, image);
      this.#commits.length = found;
      this.#acknowledged = found;
      // What power loss has left is on the disk.
      this.#synced = image.power ? found : image.synced;
      for (const early of this.#images) {
        early.commits = early.commits.slice(0, found);
        early.low = early.power ? this.#synced : found;
        early.synced = this.#synced;
      }
      this.#opening = false;
      await this.#work(kv);
      // Else it is closed with whatever has not been applied, and on a disk that fails.
      if (!this.#faults || this.#random() < 0.5) {
        this.#failing = false;
        await this.#settled(kv);
      }
    } finally {
      await kv.close();
      this.#failing = false;
    }
    const low = this.#acknowledged;
    await this.#check({ ...image, power: false, at: "closed", commits: [...this.#commits], low });
  }

  async #liveWithoutKey(options: Parameters<typeof openLevelKv>[0]): Promise<void> {
    const without = 2 + this.#below(3);
    const sealerOf = (space: number) => (space === without ? null : modelSealer(space));
    const kv = await openLevelKv({ ...options, sealerOf });
    if (this.#random() < 0.7) await kv.drain();
    await kv.close();
  }

  /** With a disk that fails, if this history has that, until it is open. */
  async #open(options: Parameters<typeof openLevelKv>[0]): Promise<Kv> {
    this.#failing = this.#faults && this.#random() < 0.3;
    try {
      return await openLevelKv(options);
    } catch (error) {
      if (!this.#failing || !isDiskError(error)) throw error;
      this.#failing = false;
      return await openLevelKv(options);
    } finally {
      this.#failing = false;
    }
  }

  /** What was found in an image: how many commits. */
  async #settle(kv: Kv, image: Image): Promise<number> {
    const doomed = doomedIn(await everything(kv, [1]));
    const spaces = SPACES.filter((space) => !doomed.includes(space));
    const found = await everything(kv, spaces);
    const count = newest(found);
    const how = `${image.power ? "power was lost" : "killed"} ${image.at}`;
    if (count < image.low || count > image.commits.length)
      throw new Error(`${how}: ${count} commits are there, of ${image.low} to ${image.commits.length}`);
    const wrong = difference(found, this.#stateAfter(image.commits, count, spaces));
    if (wrong !== null) throw new Error(`${how}: after ${count} of ${image.commits.length} commits ${wrong}`);
    for (const space of doomed) this.#destroying.add(space);
    return count;
  }

  #stateAfter(commits: readonly Commit[], count: number, spaces: readonly number[]): Map<string, string> {
    const gone = goneAfter(commits, count);
    return stateAfter(commits, count, spaces.filter((space) => !gone.includes(space))); // prettier-ignore
  }

  async #work(kv: Kv): Promise<void> {
    const waiting: Promise<unknown>[] = [];
    for (let left = 5 + this.#below(30); left > 0; left--) {
      this.#failing = this.#faults && this.#random() < 0.5;
      const task = this.#act(kv).catch((error: unknown) => {
        if (!isDiskError(error)) throw error;
      });
      // At once, or beside others.
      if (this.#random() < 0.5) await task;
      else waiting.push(task.catch((error: unknown) => error));
      if (this.#random() < 0.2) await nextTurn();
    }
    for (const result of await Promise.all(waiting)) if (result instanceof Error) throw result;
  }

  async #act(kv: Kv): Promise<void> {
    const choice = this.#random();
    if (choice < 0.55) return this.#commitTo(kv, this.#space(), this.#changes());
    if (choice < 0.7) return this.#append(kv, this.#space());
    if (choice < 0.85) return this.#sync(kv);
    if (choice < 0.95) {
      const before = this.#acknowledged;
      await kv.drain();
      this.#synced = Math.max(this.#synced, Math.min(before, this.#acknowledged));
      return;
    }
    if (choice < 0.97) return this.#destroy(kv, DOOMED[this.#below(DOOMED.length)] ?? 3);
    const space = this.#space();
    if (space === null) return;
    // What cannot be recorded waits on, and would be in a commit that comes later.
    if (this.#faults) return;
    // What is deferred is in the next commit.
    const changes = this.#changes();
    openSpace(kv, space).defer(
      Batch.from([...changes].slice(0, 1).map(([key, text]) => [key, text === null ? null : Buffer.from(text)])),
    );
    return this.#commitTo(kv, space, changes);
  }

  /** One that is not being destroyed. */
  #space(): number | null {
    const free = SPACES.filter((space) => !this.#destroying.has(space) && !goneAfter(this.#commits, this.#commits.length).includes(space)); // prettier-ignore
    return free[this.#below(free.length)] ?? null;
  }

  #changes(): Map<string, string | null> {
    const changes = new Map<string, string | null>();
    const wide = this.#random() < this.#wide;
    const first = 700 * this.#below(3);
    for (let left = wide ? 700 : 1 + this.#below(4); left > 0; left--) {
      const number = this.#below(8);
      if (wide) changes.set(`w${first + left}`, `wide ${this.#commits.length}`);
      else if (this.#random() < 0.4) changes.set(`v${number}`, this.#random() < 0.3 ? null : separated(number));
      else changes.set(`k${number}`, this.#random() < 0.2 ? null : "small ".repeat(this.#below(120)));
    }
    return changes;
  }

  async #commitTo(kv: Kv, space: number | null, changes: Map<string, string | null>): Promise<void> {
    if (space === null) return;
    const made = { space, changes: new Map([...changes, ["n", String(this.#commits.length + 1)]]) };
    this.#commits.push(made);
    const syncs = this.#random() < 0.1;
    try {
      commit(openSpace(kv, space), made, syncs);
      this.#acknowledged = this.#commits.length;
    } catch (error) {
      this.#commits.pop();
      throw error;
    }
    if (syncs) await this.#sync(kv);
  }

  async #append(kv: Kv, space: number | null): Promise<void> {
    if (space === null) return;
    const made = Array.from({ length: 1 + this.#below(3) }, () => ({ number: ++this.#values, length: 1 + this.#below(this.#random() < 0.2 ? 30_000 : 3000) })); // prettier-ignore
    const places = await openSpace(kv, space).append(made.map(({ number, length }) => value(number, length)));
    if (this.#destroying.has(space)) return;
    const changes = made.map((what, index) => [`p${what.number}`, JSON.stringify({ ...what, place: places[index] })] as const); // prettier-ignore
    await this.#commitTo(kv, space, new Map(changes));
  }

  async #sync(kv: Kv): Promise<void> {
    const before = this.#acknowledged;
    await kv.sync();
    this.#synced = Math.max(this.#synced, before);
  }

  /** As the catalogue does it. */
  async #destroy(kv: Kv, space: number): Promise<void> {
    if (this.#destroying.has(space) || goneAfter(this.#commits, this.#commits.length).includes(space)) return;
    this.#destroying.add(space);
    try {
      await this.#commitTo(kv, 1, new Map([[doomKey(space), "doomed"]]));
    } catch (error) {
      // Told that it was not made, or that it was and is not synced.
      if (!this.#isDoomed(space)) this.#destroying.delete(space);
      throw error;
    }
    await this.#sync(kv);
    await this.#finish(kv, space);
  }

  #isDoomed(space: number): boolean {
    return doomedIn(stateAfter(this.#commits, this.#commits.length, [1])).includes(space);
  }

  async #finish(kv: Kv, space: number): Promise<void> {
    this.#destroying.add(space);
    await openSpace(kv, space).destroy();
    await this.#commitTo(kv, 1, new Map([[doomKey(space), "gone"]]));
  }

  /** The disk is well again: everything is there, can be changed, and gets to LevelDB. */
  async #settled(kv: Kv): Promise<void> {
    await this.#commitTo(kv, 1, new Map([["k0", "more"]]));
    await kv.drain();
    await this.#sync(kv);
    const count = this.#commits.length;
    const spaces = SPACES.filter((space) => !this.#destroying.has(space));
    const wrong = difference(await everything(kv, spaces), this.#stateAfter(this.#commits, count, spaces));
    if (wrong !== null) throw new Error(`at the end of a life ${wrong}`);
  }

  /** A moment at which a crash may be. */
  #moment(power: PowerDisk, at: string): void {
    const likely = at === "batch" ? 10 * LIKELY : LIKELY;
    if (this.#images.length >= IMAGES || this.#random() >= likely) return;
    const [dir, isPower] = [this.#makeDir(), this.#random() < 0.7];
    const durable = power.image(dir, isPower);
    const low = isPower || this.#opening ? this.#synced : this.#acknowledged;
    this.#images.push({
      dir,
      durable,
      power: isPower,
      at: `${this.#opening ? "opening: " : ""}${at}`,
      commits: [...this.#commits],
      low,
      synced: this.#synced,
    });
  }

  /** What an image must have, and that it goes on. */
  async #check(image: Image): Promise<void> {
    this.#destroying.clear();
    const log = rememberingLog();
    const options = { ...ROTATE, dir: image.dir, sealerOf: modelSealer, log };
    const kv = await openLevelKv(options);
    try {
      const count = await this.#settle(kv, image);
      this.#commits = image.commits.slice(0, count);
      for (const space of doomedIn(await everything(kv, [1]))) await this.#finish(kv, space);
      await this.#settled(kv);
    } finally {
      await kv.close();
    }
    const again = await openLevelKv(options);
    try {
      const wrong = difference(await everything(again, SPACES), this.#stateAfter(this.#commits, this.#commits.length, SPACES)); // prettier-ignore
      if (wrong !== null) throw new Error(`at the next start ${wrong}`);
    } finally {
      await again.close();
    }
    rmSync(image.dir, { recursive: true, force: true });
  }

  #errorOf(call: string): string {
    return call === "write" ? (this.#random() < 0.7 ? "ENOSPC" : "EIO") : "EIO";
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
}

/** In memory, where there is such a disk: LevelDB syncs a lot. */
function fastDir(t: Test): string {
  if (!existsSync("/dev/shm")) return scratchDir(t);
  const dir = mkdtempSync("/dev/shm/mf-");
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function isDiskError(error: unknown): boolean {
  return error instanceof MemfsError && ["no_space", "io", "closed"].includes(error.code);
}

for (const faults of [false, true]) {
  t.test(faults ? "with disks that fail and crashes" : "crashes at any moment", async (t) => {
    const budget = budgetOf(t, { cases: 15 });
    let [played, crashes] = [0, 0];
    for (; budget.left(played); played++) {
      const history = new History(budget.seed + played, faults, () => fastDir(t));
      try {
        await history.play();
      } catch (error) {
        t.fail(
          `MEMFS_TEST_SEED=${budget.seed + played}: ${error instanceof Error ? (error.stack ?? "") : String(error)}`,
        );
        return;
      }
      crashes += history.crashes;
    }
    t.pass(`${played} histories, ${crashes} crashes`);
  });
}
