/** `memfs run`: a command with stores mounted for as long as it runs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import type { MemoryVersion, Mount } from "../../lib/api.ts";
import { requireFuse, until } from "../fixtures/fuse.ts";
import { MEMFS } from "../fixtures/build.ts";
import { environment, mountsBelow, testHome } from "../fixtures/home.ts";
import { ANN, makeHost } from "../fixtures/users.ts";

t.test("the command finds its memory, its session and its name; its exit code is passed on", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const env = { TMPDIR: home.place };
  const script = 'echo one > "$MEMFS_MOUNT/a.md"; echo "$MEMFS_MOUNT $MEMFS_SESSION $MEMFS_AGENT $1"; exit 7';
  const words = ["--create", "notes", "--agent", "scout", "--", "sh", "-c", script, "sh", "--create"];
  const outcome = await home.memfsWith({ env }, "run", ...words);
  t.match(outcome, { code: 7, stderr: "" });
  const [place = "", session, ...rest] = outcome.stdout.trimEnd().split(" ");
  t.match(place, new RegExp(`^${home.place}/memfs-run-\\w+/memory$`));
  t.strictSame(rest, ["scout", "--create"], "what is behind -- belongs to the command");
  const versions = await home.json<MemoryVersion[]>("log", "notes:/a.md");
  t.match(versions, [{ agent: "scout", created_by: { session_id: session } }]);
  t.strictSame(await home.json<Mount[]>("mounts"), []);
  t.strictSame(await readdir(home.place), [], "the temporary directory is gone");
});

t.test("several stores, in directories that are given, are one session", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  await home.directory("a");
  await home.directory("b");
  await home.memfs("store", "create", "notes");
  await home.memfs("store", "create", "org");
  const script = 'echo one > a/f; touch b/f || echo "$MEMFS_MOUNT"; ls "$MEMFS_MOUNT"; exec "$0" "$1" mounts --json';
  const given = ["--mount", "notes=a", "--mount", "org:ro=b", "--session", "s-1"];
  const outcome = await home.memfs("run", ...given, "--", "sh", "-c", script, process.execPath, MEMFS);
  t.match(outcome, { code: 0, stderr: /Read-only file system/ });
  const [first, second, ...json] = outcome.stdout.split("\n");
  t.strictSame([first, second], [`${home.place}/a`, "f"], "the first is MEMFS_MOUNT");
  const mounts = JSON.parse(json.join("\n")) as Mount[];
  t.strictSame(
    mounts.map(({ session_id: session }) => session),
    ["s-1", "s-1"],
  );
  t.strictSame(mountsBelow(home.place), []);
  t.equal((await home.memfs("cat", "notes:/f")).stdout, "one\n");
});

t.test("what cannot be run leaves nothing behind", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  await home.memfs("store", "create", "notes");
  await writeFile(join(home.place, "plain"), "");
  const run = (...words: string[]) => home.memfsWith({ env: { TMPDIR: home.place } }, "run", ...words);
  const refusals: readonly [string[], number, RegExp][] = [
    [["notes", "--", "no-such-command"], 127, /^memfs: there is no command no-such-command; check its name\n$/],
    [["notes", "--", `${home.place}/plain`], 126, /^memfs: \S+plain cannot be run \(EACCES\); check it\n$/],
    [["notes"], 64, /^memfs: run needs a command behind --; see: memfs run --help\n$/],
    [["--", "true"], 64, /^memfs: run needs a store; name one before --, or use --mount\n$/],
    [["--mount", "notes", "--", "true"], 64, /^memfs: --mount is "notes"; write SPEC=DIRECTORY\n$/],
    [["--mount", "notes:rx=a", "--", "true"], 64, /is no SPEC; /],
    [["--mount", "notes=nowhere", "--", "true"], 66, /does not exist; /],
    [["notes", "--mount", "notes=nowhere", "--", "touch", "ran"], 66, /does not exist; /],
    [["missing", "--", "touch", "ran"], 66, /there is no store "missing"; /],
  ];
  for (const [words, code, says] of refusals) {
    const outcome = await run(...words);
    t.equal(outcome.code, code, words.join(" "));
    t.match(outcome.stderr, says);
  }
  t.strictSame(await readdir(home.place), ["plain"]);
  t.strictSame(mountsBelow(home.place), []);
});

t.test("signals reach the command, and everything is committed and unmounted after it", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const trap =
    'trap "echo got; exit 3" INT; exec 3>"$MEMFS_MOUNT/f"; printf draft >&3; echo ready; while :; do sleep 0.1; done';
  const ends: readonly [NodeJS.Signals, string, number][] = [
    ["SIGINT", trap, 3],
    ["SIGTERM", "echo ready; exec sleep 60", 128 + 15],
  ];
  for (const [signal, script, code] of ends) {
    const child = spawn(process.execPath, [MEMFS, "run", "--create", "notes", "--", "sh", "-c", script], {
      cwd: home.place,
      env: { ...environment(), MEMFS_HOME: home.home.dir, TMPDIR: home.place },
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.teardown(() => child.kill("SIGKILL"));
    let said = "";
    child.stdout.on("data", (text: Buffer) => (said += text.toString()));
    await until(() => said.includes("ready"), 60);
    child.kill(signal);
    t.strictSame(await once(child, "close"), [code, null], signal);
    if (signal === "SIGINT") t.match(said, /got/);
  }
  t.equal((await home.memfs("cat", "notes:/f")).stdout, "draft");
  t.strictSame(await readdir(home.place), []);
});

t.test("a process that the command leaves behind does not keep the mount", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const script =
    'cd "$MEMFS_MOUNT"; (exec 3>left; printf draft >&3; exec sleep 60) >/dev/null 2>&1 & echo $!; sleep 0.3; exit 0';
  const env = { TMPDIR: home.place };
  const outcome = await home.memfsWith({ env }, "run", "--create", "notes", "--", "sh", "-c", script);
  const pid = Number(outcome.stdout);
  t.teardown(() => process.kill(pid, "SIGKILL"));
  t.equal(outcome.code, 0);
  t.match(
    outcome.stderr,
    /^memfs: \S+ is used by sleep \(pid \d+, working directory\); it is taken away from there, [^\n]*\n$/,
  );
  t.strictSame(await home.json<Mount[]>("mounts"), []);
  t.equal((await home.memfs("cat", "notes:/left")).stdout, "draft");
  t.strictSame(await readdir(home.place), []);
});

t.test("a command that ends the daemon ends with its own exit code all the same", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  await home.memfs("store", "create", "notes");
  const script = 'echo one > "$MEMFS_MOUNT/f"; kill -9 "$(cat "$MEMFS_HOME/daemon.lock")"; exit 5';
  const env = { TMPDIR: home.place };
  const outcome = await home.memfsWith({ env }, "run", "notes", "--", "sh", "-c", script);
  t.strictSame(outcome, { code: 5, stdout: "", stderr: "" });
  t.equal((await home.memfs("cat", "notes:/f")).stdout, "one\n");
  t.strictSame(mountsBelow(home.place), []);
  t.strictSame(await readdir(home.place), []);
});

t.test("an ordinary user runs commands with memory too, which no other user can enter", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  const script = 'stat -c "%U %a" "$MEMFS_MOUNT/.."; echo one > "$MEMFS_MOUNT/f"';
  t.match(await user.memfs("run", "--create", "notes", "--", "sh", "-c", script), {
    code: 0,
    stdout: "ann 700\n",
    stderr: "",
  });
  t.match(await user.memfs("cat", "notes:/f"), { stdout: "one\n" });
});
