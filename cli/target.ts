/** What a command is about: a store, a memory in it, a version of that, however the user names it. */

import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Mount, MountedStore, StoreSpec } from "../lib/api.ts";
import type { Client } from "../lib/client.ts";
import { MemfsError } from "../lib/errors.ts";
import { formatTime, parseRelative, parseTime } from "../lib/time.ts";

/** A target, resolved. */
export interface Target {
  /** Id of the store. */
  readonly store: string;
  /** Absolute path in the store, `/` for the store itself. A slash at the end is kept out. */
  readonly path: string;
  /** What followed the last `@`, in the words of the API; null without. */
  readonly version: string | null;
}

/** Whether a command's target may end in `@VERSION`; where it may not, an `@` is part of the name. */
export type Versioned = "versioned" | "unversioned";

/**
 * Finds what `STORE`, `STORE:/path`, `STORE:/path@VERSION` or a path inside a mount means.
 * @throws MemfsError `not_found`, `ambiguous`, `invalid_argument`
 */
export async function resolveTarget(client: Client, text: string, versioned: Versioned): Promise<Target> {
  const { rest, version } = versioned === "versioned" ? splitVersion(text) : { rest: text, version: null };
  const colon = rest.indexOf(":/");
  if (colon > 0 && !/^\.{0,2}\//.test(rest)) {
    const { id } = await client.store(rest.slice(0, colon));
    return { store: id, path: normalPath(rest.slice(colon + 1)), version };
  }
  if (/^\.{0,2}\/|^\.{1,2}$/.test(rest) || rest.includes("/")) {
    const found = await findInMounts(client, rest);
    if (found !== null) return { ...found, version: version ?? found.version };
    throw new MemfsError("not_found", `${rest} is in no memfs mount; name it STORE:/path, or look with: memfs mounts`);
  }
  const found = await storeOrFile(client, rest);
  return { ...found, version: version ?? found.version };
}

/** As {@link resolveTarget}, for a command that works on one memory. @throws MemfsError `invalid_argument` for a store */
export async function resolveMemory(client: Client, text: string): Promise<Target> {
  const target = await resolveTarget(client, text, "versioned");
  if (target.path !== "/") return target;
  throw new MemfsError("invalid_argument", `${text} is a store; name a memory, as in STORE:/path`);
}

/** A bare word is a store; failing that, a file of the working directory, if that is in a mount. */
async function storeOrFile(client: Client, word: string): Promise<Target> {
  try {
    return { store: (await client.store(word)).id, path: "/", version: null };
  } catch (error) {
    if (!(error instanceof MemfsError) || error.code !== "not_found") throw error;
    const found = await findInMounts(client, word);
    if (found !== null) return found;
    // What was to be a version, and is none, is taken for a part of the name.
    const moment = word.includes("@") ? '; behind an @ goes a version, a time, or one like "2h ago"' : "";
    const message = `there is no store ${JSON.stringify(word)}; see: memfs store list${moment}`;
    throw new MemfsError("not_found", message, { cause: error });
  }
}

/** A version as the API takes it, or null when the text names none. Times become RFC 3339 in UTC. */
export function parseVersion(text: string, now = Date.now() * 1000): string | null {
  if (/^memver_\w+$/.test(text)) return text;
  if (/^(-|#)?[1-9]\d{0,14}$/.test(text)) return text;
  const at = parseTime(text, true) ?? parseRelative(text, now);
  return at === null ? null : formatTime(at);
}

/** As {@link parseVersion}. @throws MemfsError `invalid_argument` */
export function requireVersion(text: string): string {
  const version = parseVersion(text);
  if (version !== null) return version;
  const forms = 'memver_…, a number from 1, -1 for the one before the head, #SEQ, a time, or "2h ago"';
  throw new MemfsError("invalid_argument", `${JSON.stringify(text)} is no version; give ${forms}`);
}

/** A moment of a store as the API takes it (`#1234`, `memver_…`, a time in RFC 3339), or null when the text names none. */
export function parseWhen(text: string, now = Date.now() * 1000): string | null {
  if (/^#\d{1,15}$/.test(text) || /^memver_\w+$/.test(text)) return text;
  const at = parseTime(text, true) ?? parseRelative(text, now);
  return at === null ? null : formatTime(at);
}

/**
 * `notes:ro` → the store and its access, `rw` unless said otherwise; `notes@WHEN` → the store as it was, read-only.
 * @throws MemfsError `invalid_argument`
 */
export function parseSpec(text: string): StoreSpec {
  const access = /:(ro|rw)$/.exec(text)?.[1];
  const rest = access === undefined ? text : text.slice(0, -3);
  // Only what reads as a moment is one: a name may hold an @ too.
  const sign = rest.lastIndexOf("@");
  const at = sign > 0 ? parseWhen(rest.slice(sign + 1)) : null;
  if (at !== null && access === "rw") {
    const advice = `the past cannot be written to; write ${rest}`;
    throw new MemfsError("invalid_argument", `${JSON.stringify(text)} is no SPEC: ${advice}`);
  }
  if (at !== null) return { store: rest.slice(0, sign), access: "ro", at };
  if (rest !== "" && (access !== undefined || !rest.includes(":")))
    return { store: rest, access: access === "ro" ? "ro" : "rw" };
  const forms = "write STORE, STORE:ro, STORE:rw or STORE@WHEN";
  throw new MemfsError("invalid_argument", `${JSON.stringify(text)} is no SPEC; ${forms}`);
}

/** A name may hold an `@` too: only what reads as a version after the last one is taken off. */
function splitVersion(text: string): { rest: string; version: string | null } {
  const at = text.lastIndexOf("@");
  const version = at > 0 ? parseVersion(text.slice(at + 1)) : null;
  return version === null ? { rest: text, version } : { rest: text.slice(0, at), version };
}

function normalPath(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "");
  return `/${segments.join("/")}`;
}

/** Where a mountpoint, given by the user, really is. Its last segment is not asked: it may be a dead mount. */
export async function realMountpoint(path: string): Promise<string> {
  const absolute = resolve(path);
  const parent = await realpath(dirname(absolute)).catch(() => dirname(absolute));
  return absolute === "/" ? absolute : join(parent, basename(absolute));
}

async function findInMounts(client: Client, path: string): Promise<Target | null> {
  const mounts = (await client.mounts()).filter(({ problem }) => problem === null);
  const found = await descend(mounts, resolve(path));
  return found === null ? null : storeIn(found.mount, found.inside);
}

/** The mount a path leads into, and the segments from there on. */
interface Inside {
  readonly mount: Mount;
  readonly inside: readonly string[];
}

/**
 * Follows the path from the root, links included, until it enters a mount. What lies inside is not asked: the names
 * there may be of the past, and the file system behind them is the daemon's business.
 */
async function descend(mounts: readonly Mount[], path: string): Promise<Inside | null> {
  const segments = path.split("/").filter((segment) => segment !== "");
  let real = "/";
  for (let depth = 0; ; depth++) {
    const entered = enter(mounts, real);
    if (entered !== null) return { mount: entered.mount, inside: [...entered.inside, ...segments.slice(depth)] };
    const segment = segments[depth];
    if (segment === undefined) return null;
    const next = join(real, segment);
    real = mounts.some(({ mountpoint }) => mountpoint === next) ? next : await realpath(next).catch(() => next);
  }
}

function enter(mounts: readonly Mount[], real: string): Inside | null {
  const mount = mounts.find(({ mountpoint }) => real === mountpoint || real.startsWith(`${mountpoint}/`));
  if (mount === undefined) return null;
  return { mount, inside: real.slice(mount.mountpoint.length).split("/").filter(Boolean) };
}

function storeIn(mount: Mount, inside: readonly string[]): Target {
  const [only] = mount.stores;
  if (only !== undefined && only.directory === null) return targetIn(only, inside);
  const [directory, ...rest] = inside;
  const store = mount.stores.find((mounted) => mounted.directory === directory);
  if (store === undefined) {
    const directories = mount.stores.map((mounted) => mounted.directory).join(", ");
    throw new MemfsError(
      "not_found",
      `${mount.mountpoint} holds the stores ${directories}; name a path in one of them`,
    );
  }
  return targetIn(store, rest);
}

/** What is in a mounted past is what is seen there. */
function targetIn({ memory_store_id: store, at }: MountedStore, segments: readonly string[]): Target {
  return { store, path: `/${segments.join("/")}`, version: at === null ? null : `#${at.seq}` };
}
