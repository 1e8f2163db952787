// @ts-check
/** `npm run down`: undoes `npm run up`. Data stays, and so does a daemon that still serves somebody else's mounts. */
import { existsSync, rmdirSync } from "node:fs";
import { DEFAULT_DIRECTORY, mountedType } from "./mounting.mjs";
import { ROOT, fail, memfs } from "./run.mjs";

/** @typedef {{ mountpoint: string, stores: { name: string }[] }} Mount */

/** @returns {Mount[]} */
function mounts() {
  return JSON.parse(memfs(["mounts", "--json"]).stdout);
}

if (!existsSync(`${ROOT}dist/cli/main.js`))
  fail("memfs is not built, so nothing runs; `npm run up` builds and starts it");
const status = memfs(["daemon", "status", "--json"], { quiet: true });
if (status.code !== 0) {
  console.log("The daemon does not run.");
} else {
  for (const { mountpoint, stores } of mounts()) {
    if (!stores.every(({ name }) => name === "demo")) continue;
    const { code } = memfs(["umount", mountpoint]);
    if (code !== 0) fail(`${mountpoint} is still mounted; close what uses it and run this again`, code);
    console.log(`Unmounted ${mountpoint}.`);
  }
  const others = mounts().map(({ mountpoint }) => mountpoint);
  if (others.length > 0) {
    console.log(`The daemon still serves ${others.join(", ")}; stop it with: memfs daemon stop`);
  } else {
    const { code } = memfs(["daemon", "stop"]);
    if (code !== 0) fail("the daemon did not stop; see above", code);
    console.log(`Stopped the daemon. The data stays in ${JSON.parse(status.stdout).home}.`);
  }
}
if (mountedType(DEFAULT_DIRECTORY) === null && existsSync(DEFAULT_DIRECTORY)) {
  try {
    rmdirSync(DEFAULT_DIRECTORY);
  } catch {
    console.log(`${DEFAULT_DIRECTORY} is not empty and stays.`);
  }
}
