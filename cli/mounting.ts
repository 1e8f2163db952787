/** Flags of every command that mounts, and what becomes of them. */

import { userInfo } from "node:os";
import type { MountRequest } from "../lib/api.ts";
import type { Command } from "commander";
import { MemfsError } from "../lib/errors.ts";
import { parseOwner } from "./owner.ts";

/** As commander hands them over. */
export interface MountFlags {
  readonly agent?: string;
  readonly session?: string;
  readonly create?: boolean;
  readonly owner?: string;
  readonly posixOwner?: boolean;
  readonly allowOther?: boolean;
  readonly suid?: boolean;
  readonly dev?: boolean;
  readonly persist?: boolean;
  readonly driver?: string;
}

/** Adds the flags. */
export function mountFlags(command: Command): Command {
  return command
    .option("--agent <name>", "who writes through this mount (default: $MEMFS_AGENT, else the login name)")
    .option("--session <id>", "its session (default: a new one)")
    .option("--create", "make the stores that are not there")
    .option("--owner <user[:group]>", "whose the files are (default: the daemon's user; root only)")
    .option("--posix-owner", "files have owners of their own, and their modes are enforced")
    .option("--allow-other", "let other users in (root's mounts always do)")
    .option("--suid", "honour set-user-id bits (root only)")
    .option("--dev", "honour device files (root only)")
    .option("--driver <name>", "who speaks to the kernel: kernel (default), or native for libfuse 2");
}

/** What the flags say in a request. @throws MemfsError `invalid_argument` */
export async function fromFlags(
  flags: MountFlags,
  env: NodeJS.ProcessEnv,
): Promise<Omit<MountRequest, "mountpoint" | "stores">> {
  const { session, create, owner, posixOwner, allowOther, suid, dev, persist, driver } = flags;
  return {
    agent: flags.agent ?? (env["MEMFS_AGENT"] || loginName()),
    ...(session === undefined ? {} : { session_id: session }),
    ...(create === undefined ? {} : { create }),
    ...(owner === undefined ? {} : { owner: await parseOwner(owner) }),
    ...(posixOwner === undefined ? {} : { posix_owner: posixOwner }),
    ...(allowOther === undefined ? {} : { allow_other: allowOther }),
    ...(suid === undefined ? {} : { suid }),
    ...(dev === undefined ? {} : { dev }),
    ...(persist === undefined ? {} : { persist }),
    ...(driver === undefined ? {} : { driver: parseDriver(driver) }),
  };
}

function parseDriver(name: string): "kernel" | "native" {
  if (name === "kernel" || name === "native") return name;
  throw new MemfsError("invalid_argument", `there is no driver ${name}; use kernel or native`);
}

/** Containers run users that have no account. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 0}`;
  }
}
