import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Test } from "tap";
import t from "tap";
import { eachDriver } from "../fixtures/drivers.ts";
import { run, shell, until } from "../fixtures/fuse.ts";
import { MemoryMounts } from "../fixtures/memory-mounts.ts";

/** Two mounts of one tree. */
async function twoMounts(t: Test): Promise<[string, string]> {
  const mounts = new MemoryMounts(t);
  return [(await mounts.mount()).directory, (await mounts.mount()).directory];
}

async function closeToOpen(t: Test): Promise<void> {
  const directories = await twoMounts(t);
  const client = join(import.meta.dirname, "../fixtures/coherence-client.ts");
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${String(seed)}`);
  const clients = [0, 1, 2].map((index) => {
    const values = [String(seed + index), "2500", `client${String(index)}`, ...directories];
    return run(process.execPath, ["--import=tsx", client, ...values]);
  });
  for (const outcome of await Promise.all(clients)) t.strictSame(outcome, { code: 0, stdout: "", stderr: "" });
}

async function rootListing(t: Test): Promise<void> {
  const directories = await twoMounts(t);
  const script = `
    for i in $(seq 200); do
      : > "$1/f$i"; n=0; for name in "$2"/*; do n=$((n + 1)); done
      test $n = $i || { echo "$n of $i"; exit 1; }
    done
    for i in $(seq 200); do rm "$2/f$i"; test ! -e "$1/f$i"; done; ls "$1"
    stat -c %h "$2"; mkdir "$1/d"; stat -c %h "$2"`;
  t.strictSame(await shell(script, ...directories), { code: 0, stdout: "2\n3\n", stderr: "" });
}

/** Prints what the file begins with whenever that has changed. */
const WATCH = `
  const { openSync, readSync } = require("node:fs");
  const fd = openSync(process.argv[1], "r");
  let last = "";
  setInterval(() => {
    const bytes = Buffer.alloc(8);
    const now = bytes.toString("latin1", 0, readSync(fd, bytes, 0, 8, 0));
    if (now !== last) process.stdout.write((last = now));
  }, 5);`;

async function openReader(t: Test): Promise<void> {
  const [one, other] = await twoMounts(t);
  await shell('echo 0000000 > "$1/f"', one);
  const reader = spawn(process.execPath, ["-e", WATCH, join(other, "f")]);
  t.teardown(() => reader.kill("SIGKILL"));
  let seen = "";
  reader.stdout.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  for (let round = 0; round < 20; round += 1) {
    const text = `${String(round).padStart(7, "0")}\n`;
    if (round > 0) await shell('printf %s "$2" > "$1/f"', one, text);
    await until(() => seen.endsWith(text));
  }
  t.pass("each time, at its next reads");
  reader.kill();
  await once(reader, "exit");
}

async function appends(t: Test): Promise<void> {
  const directories = await twoMounts(t);
  const line = "x".repeat(60);
  const writers = directories.flatMap((directory) =>
    [1, 2].map(() => shell('for i in $(seq 500); do echo "$2" >> "$1/log"; done', directory, line)),
  );
  for (const outcome of await Promise.all(writers)) t.equal(outcome.code, 0);
  for (const directory of directories) {
    t.equal((await shell('grep -cx "$2" "$1/log"; wc -l < "$1/log"', directory, line)).stdout, "2000\n2000\n");
  }
}

await eachDriver(t, async (t) => {
  await t.test("what one mount closed the other opens, never anything older", closeToOpen);
  await t.test("names made and removed in the root of one mount are listed so by the other", rootListing);
  await t.test("a reader that has the file open sees the new content", openReader);
  await t.test("appends through two mounts lose and tear no line", appends);
});
