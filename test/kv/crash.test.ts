/** `kill -9` at named points: every acknowledged commit is there after the next start, whole, and nothing else is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { Place } from "../../lib/kv/kv.ts";
import type { Point } from "../../lib/kv/points.ts";
import { contents, openIn, rememberingLog, scratchDir, sealerOf } from "../fixtures/kv.ts";

const CHILD = fileURLToPath(new URL("../fixtures/kv-crash.ts", import.meta.url));

/** Runs the child until it kills itself; the number it acknowledged last. */
async function acknowledged(dir: string, point: Point, nth: number): Promise<{ last: number; signal: unknown }> {
  const child = spawn(process.execPath, ["--import=tsx", CHILD, dir, point, String(nth)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("latin1").on("data", (data: string) => (text += data));
  const [, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { last: Number(text.trim().split("\n").at(-1) ?? 0), signal };
}

const CASES: readonly (readonly [Point, number])[] = [
  ["appended", 1],
  ["appended", 333],
  ["batch", 3],
  ["applied", 3],
  ["unlink", 1],
  ["unlink", 4],
  ["rotated", 2],
  ["rotated", 7],
  ["erased", 1],
  ["values", 2],
  ["values", 15],
];

for (const [point, nth] of CASES) {
  t.test(`killed at "${point}", time ${nth}`, async (t) => {
    const dir = scratchDir(t);
    const { last, signal } = await acknowledged(dir, point, nth);
    t.equal(signal, "SIGKILL");
    const log = rememberingLog();
    const kv = await openIn(t, dir, { log });
    const found = new Map(await contents(kv.space(2, sealerOf(2))));
    const there = Number(found.get("last") ?? 0);
    // The commit in hand may have reached the log without its caller learning of it.
    t.ok(there === last || there === last + 1, `${last} acknowledged, ${there} there`);
    t.equal(found.size, there === 0 ? 0 : there + 1 + (there % 2));
    for (let i = 1; i <= there; i++) {
      if (found.get(`k${i}`) !== `value ${i}`) return t.fail(`commit ${i} is lost`);
    }
    t.equal(found.get("gone"), there % 2 === 0 ? undefined : "odd", "no part of a commit");
    t.strictSame(log.lines, [], "a kill tears nothing");
    const large = kv.space(4, sealerOf(4));
    const places = await contents(large);
    t.ok(places.length >= Math.floor(last / 20), `places of ${places.length} pairs of values`);
    for (const [key, text] of places) {
      const [first, second] = JSON.parse(text) as Place[];
      if (first === undefined || second === undefined) return t.fail(`${key} has no places`);
      const fill = `${Number(key.slice(1))}.`;
      const right =
        large.read(first).equals(Buffer.alloc(3000, fill)) && large.read(second).equals(Buffer.alloc(100, fill));
      if (!right) return t.fail(`the values of ${key} are something else`);
    }
    const doomed = kv.space(3, sealerOf(3));
    if (point === "erased") {
      await doomed.destroy();
      await kv.close();
      const again = await openIn(t, dir);
      t.strictSame(await contents(again.space(3, sealerOf(3))), [], "destroying it again finishes the work");
    } else if (point !== "appended" || nth > 1) {
      t.strictSame(await contents(doomed), [["a", "1"], ["b", "2"]]); // prettier-ignore
    }
  });
}
