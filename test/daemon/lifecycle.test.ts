import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import type { DaemonStatus, MemoryStore, MemoryVersion, Mount } from "../../lib/api.ts";
import { requireFuse, run, shell, until } from "../fixtures/fuse.ts";
import { isAlive, mountsBelow, testHome } from "../fixtures/home.ts";

t.test("of many starters at once one daemon survives, and all are served", async (t) => {
  const home = await testHome(t);
  const outcomes = await Promise.all([..."abcdefgh"].map((name) => home.memfs("store", "create", name)));
  for (const { code, stderr } of outcomes) t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  const stores = await home.json<MemoryStore[]>("store", "list");
  t.strictSame(stores.map(({ name }) => name).sort(), [..."abcdefgh"], "nothing was lost");
  const serving = (await home.log()).split("\n").filter((line) => line.includes('"serving"'));
  t.equal(serving.length, 1, "one daemon served");
  const status = await home.json<DaemonStatus>("daemon", "status");
  t.match(status, {
    pid: home.pid(),
    version: "0.1.0",
    home: home.home.dir,
    stores: 8,
    mounts: 0,
    supervisor_pid: null,
  });
});

t.test("the home and what is secret in it are the owner's alone", async (t) => {
  const home = await testHome(t);
  await home.memfs("daemon", "start");
  const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;
  t.equal(await mode(home.home.dir), 0o700);
  t.equal(await mode(home.socket), 0o600);
  t.equal(await mode(home.home.logFile), 0o600);
  t.equal(await mode(home.home.lockFile), 0o600);
});

t.test("the socket serves nobody but its owner and root, whatever its mode", async (t) => {
  if (process.getuid?.() !== 0) return void t.pass("skipped: not root", { skip: "needs root to be somebody else" });
  const home = await testHome(t);
  await home.memfs("daemon", "start");
  for (const path of [home.home.dir, join(home.home.dir, "..")]) await chmod(path, 0o755);
  await chmod(home.socket, 0o666);
  const request = `require("http").get({ socketPath: ${JSON.stringify(home.socket)}, path: "/healthz" }, (r) => console.log(r.statusCode)).on("error", (e) => console.log(e.code))`;
  const ask = async (uid: number): Promise<string> => {
    const child = spawn(process.execPath, ["-e", request], { uid, gid: uid, cwd: "/", env: {} });
    const [data] = (await once(child.stdout, "data")) as [Buffer];
    return data.toString().trim();
  };
  t.equal(await ask(0), "200");
  t.match(await ask(65_534), /^(ECONNRESET|EPIPE)$/);
});

t.test("a home whose socket path would be too long is served elsewhere", async (t) => {
  const home = await testHome(t);
  const deep = `${home.home.dir}/${"x".repeat(100)}`;
  const env = { MEMFS_HOME: deep, XDG_RUNTIME_DIR: home.place };
  t.equal((await home.memfsWith({ env }, "store", "create", "notes")).code, 0);
  const socket = await readFile(`${deep}/socket`, "utf8");
  t.match(socket, new RegExp(`^${home.place}/memfs-[0-9a-f]{16}/daemon\\.sock$`));
  const other = await home.memfsWith({ env: { ...env, XDG_RUNTIME_DIR: "/elsewhere" } }, "store", "list");
  t.match(other.stdout, /notes/, "found also where the variable differs");
  t.equal((await home.memfsWith({ env }, "daemon", "stop")).code, 0);
});

t.test("a killed daemon loses nothing that was closed, and its dead mount is cleared", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", "notes");
  await writeFile(`${notes}/a.md`, "one\n");
  await appendFile(`${notes}/a.md`, "two\n");
  await home.kill();
  await t.rejects(readFile(`${notes}/a.md`), { code: /^(ENOTCONN|ECONNABORTED)$/ }, "the mount is dead");

  t.equal((await home.memfs("cat", "notes:/a.md")).stdout, "one\ntwo\n", "a new daemon has it");
  t.strictSame(mountsBelow(home.place), [], "and cleared the dead mount");
  t.equal((await home.memfs("mount", "notes", "notes")).code, 0);
  t.equal(await readFile(`${notes}/a.md`, "utf8"), "one\ntwo\n");
  t.equal((await home.memfs("audit", "verify")).code, 0);
});

t.test("umount after the death of the daemon finds the mount cleared, whoever cleared it", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const notes = await home.directory("notes");
  const cleared = { code: 0, stdout: `The dead mount at ${notes} was cleared.\n`, stderr: "" };
  await home.memfs("mount", "--create", "notes", "notes");
  await home.kill();
  t.strictSame(await home.memfs("umount", "notes"), cleared, "by the start that umount causes");
  t.strictSame(mountsBelow(home.place), []);

  t.equal((await home.memfs("mount", "notes", "notes")).code, 0);
  await home.kill();
  t.equal((await home.memfs("daemon", "start")).code, 0);
  t.strictSame(await home.memfs("umount", "notes"), cleared, "by an earlier start");
  t.equal((await home.memfs("mount", "notes", "notes")).code, 0);
  t.strictSame(await home.memfs("umount", "notes"), { code: 0, stdout: "", stderr: "" });
  t.equal((await home.memfs("umount", "notes")).code, 66, "that was before the last mount");
});

/** Each is a change; `$1` is the mount, where `f` and `d` are. */
const CHANGES = [
  'echo x > "$1/new"',
  'echo x >> "$1/f"',
  'mkdir "$1/new"',
  'rm "$1/f"',
  'rmdir "$1/d"',
  'mv "$1/f" "$1/new"',
  'chmod 600 "$1/f"',
  'touch "$1/f"',
  'touch "$1/new"',
  'truncate -s 1 "$1/f"',
  'ln "$1/f" "$1/new"',
  'ln -s f "$1/new"',
];

t.test("a read-only mount refuses every change with EROFS, and the journal has the refusals", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const [notes, frozen] = [await home.directory("notes"), await home.directory("frozen")];
  await home.memfs("mount", "--create", "notes", "notes");
  await shell('echo one > "$1/f"; mkdir "$1/d"', notes);
  t.equal((await home.memfs("mount", "notes:ro", "frozen")).code, 0);
  const usage = async () => (await home.json<MemoryStore>("store", "show", "notes")).usage;
  const look = () => shell('cd "$1"; stat -c "%n %f %s %h %Y" . f d; cat f', frozen);
  const [before, seen] = [await usage(), await look()];
  for (const change of CHANGES) {
    const { code, stderr } = await shell(change, frozen);
    t.not(code, 0, change);
    t.match(stderr, /Read-only file system/, change);
  }
  t.strictSame(await look(), seen, "nothing has changed");
  const after = await usage();
  t.ok((after?.head_seq ?? 0) > (before?.head_seq ?? 0), "refusals are journalled");
  t.strictSame({ ...after, head_seq: 0 }, { ...before, head_seq: 0 }, "and nothing else");
  t.equal((await home.memfs("audit", "verify")).code, 0);
});

t.test("mount clears what the dead daemon of another home left", async (t) => {
  if (!requireFuse(t)) return;
  const [dead, live] = [await testHome(t), await testHome(t)];
  const place = await dead.directory("notes");
  await dead.memfs("mount", "--create", "notes", place);
  const alive = await live.memfs("mount", "--create", "mine", place);
  t.equal(alive.code, 75, "while it lives it is left alone");
  t.match(alive.stderr, /already mounted/);
  await dead.kill();
  t.equal((await live.memfs("mount", "--create", "mine", place)).code, 0);
  await writeFile(`${place}/b.md`, "b\n");
  t.equal((await dead.memfs("daemon", "start")).code, 0, "the first home's daemon comes back");
  t.equal(await readFile(`${place}/b.md`, "utf8"), "b\n", "and leaves the mount of the other alone");
  t.equal((await live.memfs("umount", place)).code, 0);
});

t.test("umount of a mount in use names who uses it; --force takes it away with everything committed", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", "notes");
  const user = spawn("/bin/sh", ["-c", "exec 3>open.md; printf draft >&3; echo ready; read line"], { cwd: notes });
  t.teardown(() => user.kill("SIGKILL"));
  await once(user.stdout, "data");

  const refused = await home.memfs("umount", "notes");
  t.equal(refused.code, 75);
  t.match(
    refused.stderr,
    new RegExp(
      `^memfs: ${notes} is used by sh \\(pid ${user.pid}, working directory\\); close that, or use --force\n$`,
    ),
  );
  t.strictSame(mountsBelow(home.place), [notes], "it is still mounted");

  t.equal((await home.memfs("umount", "notes", "--force")).code, 0);
  t.strictSame(mountsBelow(home.place), []);
  t.strictSame(await home.json<Mount[]>("mounts"), []);
  t.equal((await home.memfs("cat", "notes:/open.md")).stdout, "draft", "what was being written is a version");
});

t.test("a mount that somebody unmounts by hand, or aborts, is forgotten", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", "notes");
  t.equal((await run("umount", [notes])).code, 0);
  await until(async () => (await home.json<Mount[]>("mounts")).length === 0);
  t.equal(await readFile(home.home.mountsFile, "utf8"), "[]\n");
  t.equal((await home.memfs("mount", "notes", "notes")).code, 0, "the directory is free again");
});

t.test("SIGTERM commits what is being written, unmounts and ends", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const notes = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", "notes", "--session", "s-9");
  const writer = spawn("/bin/sh", ["-c", `exec 3>${notes}/open.md; printf draft >&3; echo ready; read line`]);
  t.teardown(() => writer.kill("SIGKILL"));
  await once(writer.stdout, "data");
  const pid = home.pid() ?? 0;
  process.kill(pid, "SIGTERM");
  await until(() => !isAlive(pid));
  t.strictSame(mountsBelow(home.place), []);
  const versions = await home.json<MemoryVersion[]>("log", "notes:/open.md");
  t.match(versions, [{ operation: "created", created_by: { session_id: "s-9" }, content_size_bytes: 5 }]);
  t.notMatch(await home.log(), /draft"|"level":"error"/, "no contents and no errors in the log");
});

t.test("a question that meets a stopping daemon is answered by the next one", async (t) => {
  const home = await testHome(t);
  await home.memfs("store", "create", "notes");
  for (let turn = 0; turn < 4; turn++) {
    const [, ...asked] = await Promise.all([
      home.memfs("daemon", "stop"),
      home.memfs("store", "list"),
      home.memfs("mounts"),
    ]);
    for (const { code, stderr } of asked) t.strictSame({ code, stderr }, { code: 0, stderr: "" });
  }
});

t.test("a log level for a daemon that runs already is said to have no effect", async (t) => {
  const home = await testHome(t);
  t.equal((await home.memfs("daemon", "start", "--log-level", "debug")).stderr, "");
  const { code, stderr } = await home.memfs("daemon", "start", "--log-level", "warn");
  t.equal(code, 0);
  t.equal(
    stderr,
    "memfs: a daemon runs already and keeps its log level; to change it use: memfs daemon restart --log-level warn\n",
  );
  t.equal((await home.memfs("daemon", "start")).stderr, "");
  t.equal((await home.memfs("daemon", "restart", "--log-level", "warn")).stderr, "");
});

t.test("daemon run stays in the foreground, logs to stderr, and ends with a signal", async (t) => {
  const home = await testHome(t);
  const pending = home.memfs("daemon", "run", "--log-level", "info");
  await until(async () => (await home.memfs("daemon", "status")).code === 0);
  const second = await home.memfs("daemon", "run");
  t.equal(second.code, 75, "a second one is refused");
  t.match(second.stderr, /runs already; stop it with: memfs daemon stop/);
  t.equal((await home.memfs("daemon", "stop")).code, 0);
  const { code, stderr } = await pending;
  t.equal(code, 0);
  t.match(stderr, /"message":"serving"/);
});
