import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { end, firstLine, mountedType, pinned, start, unmount, until } from "../process.ts";
import { onTeardown } from "../teardown.ts";
import type { System } from "./system.ts";

/** bindfs: a C filesystem over libfuse 3 that passes everything on to a directory. */
export const bindfs: System = {
  name: "bindfs",
  title: "bindfs",
  async describe() {
    const version = await firstLine(["bindfs", "--version"]);
    return { text: version ?? "bindfs is not installed (apt-get install bindfs)", available: version !== null };
  },
  async start(scratch, cpu) {
    const source = join(scratch, "source");
    const directory = join(scratch, "mount");
    await mkdir(source);
    await mkdir(directory);
    const child = start(pinned(cpu, ["bindfs", "-f", source, directory]));
    onTeardown(async () => {
      await unmount(directory);
      await end(child);
    });
    await until("the bindfs mount", () => mountedType(directory) !== null);
    return { directory };
  },
};
