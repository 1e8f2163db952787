// @ts-check
/** `npm run up [-- DIR]`: from a bare checkout to a mounted store. Running it again is harmless. */
import { userInfo } from "node:os";
import { relative } from "node:path";
import { ensureDirectory, fuseProblem, mountedType, requestedDirectory } from "./mounting.mjs";
import { installDebian, installPackages, requireNode } from "./prepare.mjs";
import { ROOT, fail, memfs, step } from "./run.mjs";

/** @param {string} directory */
function hints(directory) {
  const memory = relative(process.env["INIT_CWD"] ?? process.cwd(), directory) || ".";
  const shown = memory.startsWith("..") ? directory : memory.replace(/^(?!\/)/, "./");
  const command = `node ${relative(process.env["INIT_CWD"] ?? process.cwd(), `${ROOT}dist/cli/main.js`)}`;
  return `
The store "demo" is mounted at ${shown}. Try:

  echo "API limit is 50 rps" > ${shown}/limits.md
  echo "retry with jitter"  >> ${shown}/limits.md
  ${command} log ${shown}/limits.md
  ${command} rollback demo:/limits.md --to 1
  cat ${shown}/limits.md

\`npm run down\` unmounts it and stops the daemon; the data stays.`;
}

requireNode();
await installDebian([{ command: "fusermount3", package: "fuse3" }]);
const problem = fuseProblem();
if (problem !== null) fail(problem, 69);
await installPackages();
if (!(await step("build", ["npm", "run", "--silent", "build"]))) fail("the build failed; see above");

const directory = requestedDirectory();
if (memfs(["daemon", "start"]).code !== 0) fail("the daemon did not start; see above", 69);

/** @type {{ mountpoint: string, problem: string | null }[]} */
const mounts = JSON.parse(memfs(["mounts", "--json"]).stdout);
if (mounts.some(({ mountpoint, problem }) => mountpoint === directory && problem === null)) {
  console.log(`Already mounted at ${directory}.`);
} else {
  const type = mountedType(directory);
  // A memfs mount that this daemon does not know is what a killed one left: `memfs mount` clears it.
  if (type !== null && !type.startsWith("fuse")) {
    fail(`a filesystem of type ${type} is mounted at ${directory}; choose another with: npm run up -- DIR`, 75);
  }
  if (type === null) ensureDirectory(directory);
  if (memfs(["store", "show", "demo", "--json"], { quiet: true }).code === 66) {
    const created = memfs(["store", "create", "demo", "--description", "A place to try memfs"]);
    if (created.code !== 0) fail("the store demo could not be created; see above", created.code);
  }
  const mounted = memfs(["mount", "demo", directory, "--agent", userInfo().username]);
  if (mounted.code !== 0) fail(`could not mount at ${directory}; another place: npm run up -- DIR`, mounted.code);
}
console.log(hints(directory));
