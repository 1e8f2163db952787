// @ts-check
/** Installs what a fresh checkout lacks. Runs before node_modules exists: nothing but Node is imported here. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ROOT, fail, step } from "./run.mjs";

/** @typedef {{ version?: string, optional?: boolean, devOptional?: boolean, peer?: boolean }} Locked */

/** A command or shared library some part needs, and the Debian package that brings it. */
/** @typedef {{ command?: string, library?: string, package: string }} Tool */

/** Ends the script when Node is older than package.json allows. */
export function requireNode() {
  const needed = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).engines.node.replace(">=", "");
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [neededMajor, neededMinor] = needed.split(".").map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return;
  fail(`Node ${process.versions.node} is too old; install Node ${needed} or newer`, 78);
}

/**
 * The `packages` table of a lock file, empty when there is none.
 * @param {string} path
 * @returns {Map<string, Locked>}
 */
function locked(path) {
  if (!existsSync(path)) return new Map();
  const packages = Object.entries(JSON.parse(readFileSync(path, "utf8")).packages);
  return new Map(/** @type {[string, Locked][]} */ (packages.filter(([name]) => name !== "")));
}

/** Whether node_modules holds what the lock file says, by npm's own record of what it installed. */
function packagesAreCurrent() {
  const wanted = locked(join(ROOT, "package-lock.json"));
  const installed = locked(join(ROOT, "node_modules/.package-lock.json"));
  for (const [name, { version, optional, devOptional, peer }] of wanted) {
    const found = installed.get(name);
    // Optional packages of other systems are in the lock file and never installed.
    if (found === undefined ? !optional && !devOptional && !peer : found.version !== version) return false;
  }
  return [...installed.keys()].every((name) => wanted.has(name));
}

/**
 * Installs the npm packages of the lock file when they are missing or of another version.
 * @returns {Promise<boolean>} whether anything was installed
 */
export async function installPackages() {
  if (packagesAreCurrent()) return false;
  // --include=dev: NODE_ENV=production in the caller's environment would leave out what builds.
  const ok = await step("npm ci", ["npm", "ci", "--include=dev", "--no-audit", "--no-fund"]);
  if (!ok) fail("the npm packages could not be installed; see above");
  return true;
}

/**
 * Whether `command` can be run.
 * @param {string} command
 */
export function hasCommand(command) {
  const path = `${process.env["PATH"] ?? ""}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Whether the dynamic linker finds `library`.
 * @param {string} library
 */
function hasLibrary(library) {
  const { stdout } = spawnSync("ldconfig", ["-p"], { encoding: "utf8", env: { PATH: `${process.env["PATH"]}:/sbin` } });
  return (stdout ?? "").includes(`\t${library} `);
}

/**
 * Whether what the tool brings is there.
 * @param {Tool} tool
 */
function isThere({ command, library }) {
  return (command === undefined || hasCommand(command)) && (library === undefined || hasLibrary(library));
}

/**
 * Installs Debian packages whose commands or libraries are missing; where that is not possible, says what to run.
 * What cannot do without them says so itself, so this never ends the script.
 * @param {readonly Tool[]} tools
 */
export async function installDebian(tools) {
  const missing = tools.filter((tool) => !isThere(tool)).map((tool) => tool.package);
  if (missing.length === 0) return;
  const packages = missing.join(" ");
  const advice = `install by hand: sudo apt-get update && sudo apt-get install -y ${packages}`;
  if (process.getuid?.() !== 0 || !hasCommand("apt-get")) {
    console.error(`memfs: missing system packages: ${packages}; ${advice}`);
    return;
  }
  process.env["DEBIAN_FRONTEND"] = "noninteractive";
  const ok =
    (await step("apt-get update", ["apt-get", "update", "-q"])) &&
    (await step(`apt-get install ${packages}`, [
      "apt-get",
      "install",
      "-q",
      "-y",
      "--no-install-recommends",
      ...missing,
    ]));
  if (!ok) console.error(`memfs: could not install ${packages}; ${advice}`);
}
