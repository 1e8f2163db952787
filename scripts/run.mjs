// @ts-check
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The project's root directory. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Ends a script with one line on stderr: what is wrong; what to do.
 * @param {string} message
 * @param {number} [code] exit code
 * @returns {never}
 */
export function fail(message, code = 1) {
  console.error(`memfs: ${message}`);
  process.exit(code);
}

/**
 * Runs a command in the project's root. Its output is shown only when it fails, so that a good run stays short.
 * @param {string} label what is shown while it runs
 * @param {readonly string[]} command
 * @returns {Promise<boolean>} whether it succeeded
 */
export async function step(label, [file = "", ...args]) {
  const start = performance.now();
  const child = spawn(file, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  /** @type {Buffer[]} */
  const output = [];
  child.stdout.on("data", (chunk) => output.push(chunk));
  child.stderr.on("data", (chunk) => output.push(chunk));
  const ok = await new Promise((resolve) => {
    child.on("error", (error) => {
      output.push(Buffer.from(`${error.message}\n`));
      resolve(false);
    });
    child.on("close", (code) => resolve(code === 0));
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${ok ? "ok    " : "FAILED"} ${label} (${seconds} s)`);
  if (!ok) process.stdout.write(Buffer.concat(output));
  return ok;
}

/**
 * Runs the built `memfs` command. What it writes to stderr is passed on unless `quiet`.
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean }} [options]
 * @returns {{ code: number, stdout: string }}
 */
export function memfs(args, { quiet = false } = {}) {
  const result = spawnSync(process.execPath, [`${ROOT}dist/cli/main.js`, ...args], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", quiet ? "ignore" : "inherit"],
  });
  return { code: result.status ?? 1, stdout: result.stdout };
}
