import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { end, mountedType, pinned, start, unmount, until } from "../process.ts";
import { onTeardown } from "../teardown.ts";
import type { System } from "./system.ts";

const require = createRequire(import.meta.url);
const ECHO = fileURLToPath(new URL("../native-echo.ts", import.meta.url));

/** fuse-native over libfuse 2, keeping everything in memory: the floor of what it costs to write one in JavaScript. */
export const native: System = {
  name: "native",
  title: "fuse-native",
  async describe() {
    try {
      require("fuse-native");
      const { version } = require("fuse-native/package.json") as { version: string };
      return { text: `fuse-native ${version}, in memory, stores nothing`, available: true };
    } catch (error) {
      const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
      return { text: `fuse-native does not load: ${reason}`, available: false };
    }
  },
  async start(scratch, cpu) {
    const directory = `${scratch}/mount`;
    await mkdir(directory);
    const child = start(pinned(cpu, [process.execPath, "--import=tsx", ECHO, directory]));
    onTeardown(async () => {
      await end(child);
      await unmount(directory);
    });
    await until("the fuse-native mount", () => mountedType(directory) !== null);
    return { directory };
  },
};
