// @ts-check
/**
 * `npm test`: installs what is missing, builds, checks types and style, runs the tests. Arguments go to tap, so
 * `npm test -- test/store.test.ts` runs one file. The last line counts tests; a failed build or check counts as one.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { installDebian, installPackages, requireNode } from "./prepare.mjs";
import { ROOT, step } from "./run.mjs";
import { TapReport } from "./tap-report.mjs";

/**
 * The caller's environment without what points memfs at the caller's own daemon and stores.
 * @param {string} home
 */
function testEnvironment(home) {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("MEMFS_") || name.startsWith("MEMFS_TEST_"),
  );
  return { ...Object.fromEntries(own), MEMFS_HOME: home };
}

/** Test files that run at a time. They wait half of their time: for daemons, tools, and what happens by and by. */
const JOBS = Math.min(2 * availableParallelism(), 12);

/**
 * @param {TapReport} report
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} tap's exit code
 */
async function runTap(report, env) {
  const args = [
    "node_modules/tap/dist/esm/run.mjs",
    "run",
    "--reporter=tap",
    `--jobs=${JOBS}`,
    ...process.argv.slice(2),
  ];
  const tap = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: tap.stdout })) report.line(line);
  return await new Promise((resolve) => {
    if (tap.exitCode !== null || tap.signalCode !== null) resolve(tap.exitCode ?? 1);
    else tap.on("exit", (code) => resolve(code ?? 1));
  });
}

requireNode();
const installed = await installPackages();
await installDebian([
  { command: "fusermount3", package: "fuse3" },
  { library: "libfuse.so.2", package: "libfuse2" },
  { command: "getfattr", package: "attr" },
  { command: "rsync", package: "rsync" },
  { command: "python3", package: "python3" },
  { command: "flock", package: "util-linux" },
  { command: "git", package: "git" },
  { command: "make", package: "make" },
  { command: "patch", package: "patch" },
  { command: "perl", package: "perl" },
  { command: "rg", package: "ripgrep" },
  { command: "sqlite3", package: "sqlite3" },
  { command: "unzip", package: "unzip" },
  { command: "vim", package: "vim" },
  { command: "mkfs.ext4", package: "e2fsprogs" },
  { command: "mkfs.xfs", package: "xfsprogs" },
  { command: "xz", package: "xz-utils" },
  { command: "zip", package: "zip" },
]);

// Beside the tests: these have a processor to spare for much of the time.
const beside = Promise.all([
  step("types", ["npm", "run", "--silent", "typecheck"]),
  step("lint", ["npm", "run", "--silent", "lint"]),
]);
const first = [step("build", ["npm", "run", "--silent", "build"])];
// tap would rebuild itself on its first run, and still run that one with the plugins it came with.
if (installed || !existsSync(join(ROOT, ".tap/plugins")))
  first.push(step("tap build", ["npx", "--no", "tap", "build"]));
const checks = await Promise.all(first);

const report = new TapReport(console.log);
// Short: the daemon's socket lives in it, and a socket path holds 107 bytes.
const home = mkdtempSync(join(tmpdir(), "memfs-"));
let code = 1;
process.on("SIGINT", () => {}); // tap gets it too: wait for it to end, then clean up
try {
  code = await runTap(report, testEnvironment(home));
  checks.push(...(await beside));
} finally {
  // Never through a mount that a test left behind: that would delete what is mounted.
  if (process.platform !== "linux" || !readFileSync("/proc/self/mounts", "utf8").includes(home)) {
    rmSync(home, { recursive: true, force: true });
  }
}
report.failed += checks.filter((ok) => !ok).length;
if (report.failed === 0 && (code !== 0 || report.passed === 0)) report.failed++;
console.log(report.summary);
process.exitCode = report.failed === 0 ? 0 : 1;
