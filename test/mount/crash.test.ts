/** A daemon that is killed at any moment loses nothing of which the close had returned. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { mountedTest } from "../fixtures/drivers.ts";
import { until } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { randomFrom } from "../fixtures/random.ts";
import { problemsIn } from "../fixtures/sound.ts";

const ROUNDS = 5;
const WRITER = join(import.meta.dirname, "../fixtures/crash-writer.mjs");

/** Starts a writer. What it has printed is what the mount has taken. */
function startWriter(t: Test, directory: string, name: string) {
  const child = spawn(process.execPath, [WRITER, directory, name]);
  t.teardown(() => child.kill("SIGKILL"));
  const ended = once(child, "close");
  let output = "";
  let errors = "";
  child.stdout.on("data", (text: Buffer) => (output += text.toString()));
  child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
  return { name, ended, lines: () => output.split("\n").slice(0, -1), errors: () => errors };
}

type Writer = ReturnType<typeof startWriter>;

/** What was acknowledged to the writer and is not there, or there and torn. */
async function lost(directory: string, { name, lines }: Writer): Promise<string[]> {
  const acknowledged = lines().filter((line) => line.startsWith("line "));
  const log = await readFile(join(directory, name), "utf8").catch(() => "");
  const wrong = acknowledged.filter((line, index) => log.split("\n")[index] !== line);
  const extra = log.split("\n").slice(acknowledged.length, -1);
  // The last one may have been taken without the writer having learnt of it.
  if (extra.length > 1 || !(log === "" || log.endsWith("\n"))) wrong.push(`after them: ${JSON.stringify(extra)}`);
  for (const line of lines()) {
    if (!line.startsWith("file ")) continue;
    const n = Number(line.slice(5));
    const content = await readFile(join(directory, `${name}.${n}`), "utf8").catch((error: unknown) => String(error));
    if (content !== `${line}\n`.repeat(1 + (n % 1000))) wrong.push(`${name}.${n}: ${content.slice(0, 80)}`);
  }
  return wrong;
}

async function round(t: Test, home: TestHome, { mountpoint, moment }: { mountpoint: string; moment: number }) {
  const names = [`a${moment}`, `b${moment}`];
  const writers = names.map((name) => startWriter(t, mountpoint, name));
  const taken = (): number => writers.reduce((sum, { lines }) => sum + lines().length, 0);
  await until(() => taken() >= moment, 30);
  await home.kill();
  for (const writer of writers) await writer.ended;
  t.strictSame(writers.map(({ errors }) => errors()), ["", ""], "the writers saw nothing but the mount die"); // prettier-ignore
  const mounted = await home.memfs("mount", "notes", mountpoint);
  t.strictSame({ code: mounted.code, stderr: mounted.stderr }, { code: 0, stderr: "" });
  for (const writer of writers) t.strictSame(await lost(mountpoint, writer), [], `${taken()} were taken`);
}

mountedTest(t, "killed at a random moment, again and again", async (t) => {
  const seed = Number(process.env["MEMFS_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.comment(`MEMFS_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const home = await testHome(t);
  const mountpoint = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", "notes");
  for (let count = 0; count < ROUNDS; count++) {
    await round(t, home, { mountpoint, moment: 1 + Math.floor(random() ** 2 * 1500) });
    const audit = await home.memfs("audit", "verify", "notes");
    t.match(audit, { code: 0, stdout: /^notes: ok, / }, audit.stdout + audit.stderr);
  }
  t.equal((await home.memfs("daemon", "stop")).code, 0);
  t.strictSame(await problemsIn(home.home.dir), []);
});
