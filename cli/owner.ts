/** Owners as people write them: `UID[:GID]`, by number or by name. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Owner } from "../lib/api.ts";
import { MemfsError } from "../lib/errors.ts";

const execute = promisify(execFile);

/** Largest id; the next one means "none" to the kernel. */
const MAX_ID = 0xffff_fffe;

/**
 * The user and group that `USER`, `USER:GROUP`, `UID` or `UID:GID` names; without a group the user's own.
 * @throws MemfsError `invalid_argument`
 */
export async function parseOwner(text: string): Promise<Owner> {
  const [user = "", group, ...rest] = text.split(":");
  if (user === "" || group === "" || rest.length > 0) {
    throw new MemfsError("invalid_argument", `--owner is ${JSON.stringify(text)}; give UID, UID:GID, or names`);
  }
  const account = await find("passwd", user);
  const uid = account?.id ?? number(user);
  if (uid === null) throw unknown("user", user);
  const gid = group === undefined ? (account?.group ?? null) : ((await find("group", group))?.id ?? number(group));
  if (gid !== null) return { uid, gid };
  if (group !== undefined) throw unknown("group", group);
  throw new MemfsError("invalid_argument", `the user ${user} has no account and so no group here; give UID:GID`);
}

/** An entry of the host's accounts or groups, wherever they are kept; null when there is none. */
async function find(database: "passwd" | "group", key: string): Promise<{ id: number; group: number } | null> {
  try {
    const [, , id, group] = (await execute("getent", ["--", database, key])).stdout.trim().split(":");
    return { id: Number(id), group: Number(group) };
  } catch {
    return null;
  }
}

function number(text: string): number | null {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return value <= MAX_ID ? value : null;
}

function unknown(what: string, name: string): MemfsError {
  return new MemfsError(
    "invalid_argument",
    `there is no ${what} ${JSON.stringify(name)} on this host; give its number`,
  );
}
