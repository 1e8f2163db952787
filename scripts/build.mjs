// @ts-check
/**
 * `npm run build`: the compiler writes `dist/`; then the daemon is put into one file with the packages it loads. Node
 * needs 0.7 s to find and load those thousand files and 0.3 s for the one, and every first command waits for that.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "./run.mjs";

const DIST = join(ROOT, "dist");
const BUNDLE = join(DIST, "daemon/bundle.js");

/** Packages of native code: found at run time, where they are installed. */
const EXTERNAL = ["koffi", "level", "fuse-native"];

/** CommonJS packages ask for Node's own modules with `require`, which a module does not have. */
const REQUIRE =
  'import { createRequire as requireFor } from "node:module"; const require = requireFor(import.meta.url);';

/** Is there anything that the bundle is made of that is newer? */
function isStale() {
  if (!existsSync(BUNDLE)) return true;
  const made = statSync(BUNDLE).mtimeMs;
  const parts = ["lib", "daemon"].flatMap((part) =>
    readdirSync(join(DIST, part), { recursive: true, encoding: "utf8" }).map((name) => join(DIST, part, name)),
  );
  return [...parts, join(ROOT, "package-lock.json"), import.meta.filename].some(
    (path) => statSync(path).mtimeMs > made,
  );
}

async function bundle() {
  await build({
    ...{ entryPoints: [join(DIST, "daemon/main.js")], outfile: `${BUNDLE}.new`, bundle: true, external: EXTERNAL },
    ...{ platform: "node", format: "esm", target: "node20", banner: { js: REQUIRE }, logLevel: "warning" },
  });
  // All at once: a daemon may be starting from it.
  renameSync(`${BUNDLE}.new`, BUNDLE);
}

const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
const compiled = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: ROOT, stdio: "inherit" });
if (compiled.status === 0) {
  chmodSync(join(DIST, "cli/main.js"), 0o755);
  if (isStale()) await bundle();
}
process.exitCode = compiled.status ?? 1;
