import { cp, mkdir, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { DaemonStatus, MemoryStore } from "../../lib/api.ts";
import { FORMAT } from "../../lib/kv/format.ts";
import { openLevelKv } from "../../lib/kv/level.ts";
import { silentLog } from "../../lib/log.ts";
import { Keyring } from "../../lib/store/crypto/keyring.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";

/** A home with a store in it, and no daemon. */
async function usedHome(t: Test): Promise<TestHome> {
  const home = await testHome(t);
  await home.memfs("store", "create", "notes");
  await home.memfs("daemon", "stop");
  return home;
}

interface Failure {
  readonly code: number;
  readonly says: RegExp;
  readonly env?: Readonly<Record<string, string>>;
  /** The command that starts the daemon: they all say the same. */
  readonly command?: readonly string[];
}

async function startFails(t: Test, home: TestHome, expected: Failure): Promise<void> {
  const { code, says, env = {}, command = ["daemon", "start"] } = expected;
  const outcome = await home.memfsWith({ env }, ...command);
  t.equal(outcome.code, code, `memfs ${command.join(" ")}: exit code`);
  const lines = outcome.stderr.split("\n").filter((line) => line.startsWith("memfs: "));
  t.equal(lines.length, 1, "one line for people");
  t.match(lines[0], /^memfs: .+; .+$/, "what is wrong; what to do");
  t.match(lines[0], says);
}

/** The home works, and has the store. */
async function works(t: Test, home: TestHome): Promise<void> {
  t.match((await home.memfs("store", "list")).stdout, /^memstore_\w+ +notes/, "with that mended all is there");
}

t.test("a database that another process has open", async (t) => {
  const home = await usedHome(t);
  const { dir } = home.home;
  const keyring = await Keyring.open({ dir, log: silentLog });
  const kv = await openLevelKv({ dir, sealerOf: (space) => keyring.sealerOf(space), log: silentLog });
  for (const command of [
    ["daemon", "start"],
    ["daemon", "run"],
    ["store", "list"],
  ]) {
    await startFails(t, home, {
      code: 75,
      says: /the database in .* is in use; stop the daemon that uses it/,
      command,
    });
  }
  await kv.close();
  await works(t, home);
});

t.test("a database of a newer format", async (t) => {
  const home = await usedHome(t);
  const { dir } = home.home;
  const keyring = await Keyring.open({ dir, log: silentLog });
  const open = (version: number) =>
    openLevelKv({
      ...{ dir, sealerOf: (space: number) => keyring.sealerOf(space), log: silentLog },
      format: { version, upgrades: new Map([[version - 1, async () => undefined]]) },
    });
  await (await open(FORMAT.version + 1)).close();
  await startFails(t, home, { code: 78, says: /has format \d+, this memfs knows \d+; use a newer memfs/ });
});

t.test("a damaged database", async (t) => {
  const home = await usedHome(t);
  const current = join(home.home.dir, "db", "CURRENT");
  const good = await readFile(current);
  await writeFile(current, "nonsense\n");
  await startFails(t, home, { code: 74, says: /database/ });
  await writeFile(current, good);
  await works(t, home);
});

t.test("a wrong or missing master key", async (t) => {
  const home = await usedHome(t);
  const file = join(home.home.dir, "master.key");
  await startFails(t, home, { code: 78, says: /master key/, env: { MEMFS_MASTER_KEY: "ab".repeat(32) } });
  await startFails(t, home, { code: 78, says: /MEMFS_MASTER_KEY/, env: { MEMFS_MASTER_KEY: "short" } });
  const good = await readFile(file);
  await rm(file);
  await startFails(t, home, { code: 78, says: /master key missing; restore .*master\.key or set MEMFS_MASTER_KEY/ });
  t.notOk((await readdir(home.home.dir)).includes("master.key"), "no new key is made for old data");
  await writeFile(file, good, { mode: 0o600 });
  await works(t, home);
});

t.test("a store whose key file is lost is shown and can be deleted, and hides nothing of the others", async (t) => {
  const home = await usedHome(t);
  const [lost] = (await home.json<MemoryStore[]>("store", "list")).map(({ id }) => id);
  await home.memfs("store", "create", "other");
  await home.memfs("daemon", "stop");
  const keys = join(home.home.dir, "keys");
  const [file = ""] = (await readdir(keys)).filter((name) => name.endsWith(".key")).sort();
  await rm(join(keys, file));

  t.match((await home.memfs("store", "list")).stdout, /other.*\n.*notes/, "it is listed");
  t.match(await home.json<MemoryStore>("store", "show", "notes"), { id: lost, usage: null, problem: /is missing/ });
  const shown = await home.memfs("store", "show", "notes");
  t.equal(shown.code, 0);
  t.match(shown.stdout, /^problem +key file .* is missing; restore it from a backup, or delete the store$/m);
  t.match(shown.stdout, /^memories +unknown$/m);
  t.equal((await home.memfs("cat", "notes:/a.md")).code, 78, "but not read");

  const audit = await home.memfs("audit", "verify");
  t.equal(audit.code, 78);
  t.match(audit.stdout, /^other: ok, \d+ entries, head [0-9a-f]{64}\n$/, "the others are verified");
  t.match(audit.stderr, /^memfs: notes: key file [^\n]+ is missing; restore it [^\n]+\n$/);
  const reports: unknown = JSON.parse((await home.memfs("audit", "verify", "--json")).stdout);
  t.match(reports, [{ ok: true }, { type: "error", memory_store_id: lost, error: { code: "bad_key" } }]);

  t.strictSame(await home.memfs("store", "rm", "notes", "--yes"), { code: 0, stdout: "", stderr: "" });
  t.match((await home.memfs("store", "list")).stdout, /^memstore_\w+ +other *\n$/);
  await home.memfs("daemon", "restart");
  t.equal((await home.memfs("audit", "verify")).code, 0, "and nothing of it is left at the next start");
});

t.test("a configuration with mistakes names them all", async (t) => {
  const home = await usedHome(t);
  await writeFile(home.home.configFile, JSON.stringify({ log_level: "loud", colour: "red" }));
  await startFails(t, home, {
    code: 78,
    says: /"log_level" in .*config\.json must be one of.*"colour" in .* is not a setting.*MEMFS_LOG_MAX_BYTES must be/,
    env: { MEMFS_LOG_MAX_BYTES: "7" },
  });
  await writeFile(home.home.configFile, "{");
  await startFails(t, home, { code: 78, says: /config\.json is not a JSON object/ });
  await rm(home.home.configFile);
  await works(t, home);
});

t.test("a home that cannot be", async (t) => {
  const home = await testHome(t);
  const file = join(home.place, "file");
  await writeFile(file, "");
  const outcome = await home.memfsWith({ env: { MEMFS_HOME: file } }, "daemon", "start");
  t.equal(outcome.code, 78);
  t.match(outcome.stderr, /^memfs: the home .*file cannot be used \((EEXIST|ENOTDIR)\); set MEMFS_HOME\n$/);
});

t.test("a daemon of another version is named, can be looked at, and is replaced by restart", async (t) => {
  const home = await usedHome(t);
  // The same build under another version number, where it finds its packages.
  const root = join(home.home.dir, "other");
  await mkdir(root);
  const here = join(import.meta.dirname, "../..");
  await cp(join(here, "dist"), join(root, "dist"), { recursive: true });
  await cp(join(here, "package.json"), join(root, "package.json"));
  await symlink(join(here, "node_modules"), join(root, "node_modules"));
  for (const file of ["dist/lib/version.js", "dist/daemon/bundle.js"]) {
    const text = await readFile(join(root, file), "utf8");
    await writeFile(join(root, file), text.replace('VERSION = "0.1.0"', 'VERSION = "9.9.9"'));
  }
  const newer = (...args: string[]) => home.memfsWith({ command: join(root, "dist/cli/main.js") }, ...args);

  await home.memfs("daemon", "start");
  const refused = await newer("store", "list");
  t.equal(refused.code, 75);
  t.equal(refused.stderr, "memfs: the daemon is version 0.1.0 and this command is 9.9.9; run: memfs daemon restart\n");
  t.equal((await newer("store", "create", "x")).code, 75, "nothing is done");
  const status = await newer("daemon", "status", "--json");
  t.match(JSON.parse(status.stdout) as DaemonStatus, { version: "0.1.0", stores: 1 });
  t.equal((await newer("daemon", "restart")).code, 0);
  t.match((await newer("store", "list")).stdout, /notes/);
  t.equal((await home.memfs("store", "list")).code, 75, "now it is the other way round");
  t.equal((await home.memfs("daemon", "stop")).code, 0);
});
