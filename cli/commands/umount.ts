/** `memfs umount DIR`. */

import type { Command } from "commander";
import { MemfsError } from "../../lib/errors.ts";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { json, line, printable } from "../output.ts";
import { realMountpoint } from "../target.ts";

interface Flags {
  readonly force?: boolean;
  readonly json?: boolean;
}

export function register(program: Command, context: Context): void {
  const command = program
    .command("umount")
    .description("unmount a directory; what is written in it stays in its stores")
    .argument("<directory>")
    .option("--force", "also when it is in use, after committing what is written");
  common(command, "memfs umount ./notes").action((directory: string, flags: Flags) =>
    umount(context, directory, flags),
  );
}

async function umount(context: Context, directory: string, { force = false, json: asJson }: Flags): Promise<void> {
  const mountpoint = await realMountpoint(directory);
  const answer = await context.ask(async (client) => {
    const mount = (await client.mounts()).find((candidate) => candidate.mountpoint === mountpoint);
    if (mount !== undefined) return client.unmount(mount.id, { force });
    // The start of the daemon, which may be the one this command has just caused, clears what a dead one left.
    if ((await client.daemon()).cleared_mountpoints.includes(mountpoint)) return { mountpoint, type: "mount_cleared" };
    throw new MemfsError("not_found", `nothing of memfs is mounted at ${mountpoint}; see: memfs mounts`);
  });
  if (asJson === true) json(answer);
  else if (answer.type === "mount_cleared") line(`The dead mount at ${printable(mountpoint)} was cleared.`);
}
