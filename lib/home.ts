/** The one directory a daemon lives in, and the files in it. Two homes are two independent daemons. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where everything of one daemon is. All paths are absolute. */
export interface Home {
  readonly dir: string;
  /** Settings; absent unless somebody wrote it. */
  readonly configFile: string;
  /** Held with `flock` by the daemon as long as it lives; holds its pid as text. Never removed. */
  readonly lockFile: string;
  readonly logFile: string;
  /** The mounts of the daemon, so that the next one can clean up after its death. */
  readonly mountsFile: string;
  /** Where the socket is, when its path in the home would be too long. */
  readonly socketPointer: string;
}

/** `sun_path` of a unix socket holds 108 bytes with its NUL. */
const MAX_SOCKET_PATH = 107;

type Environment = Readonly<Record<string, string | undefined>>;

/** The home that `MEMFS_HOME` names, else the default of this user. */
export function homeOf(env: Environment = process.env): Home {
  return homeAt(env["MEMFS_HOME"] || defaultDirectory(env));
}

function defaultDirectory(env: Environment): string {
  if (process.getuid?.() === 0) return "/var/lib/memfs";
  return join(env["XDG_DATA_HOME"] || join(homedir(), ".local/share"), "memfs");
}

/** The home in `directory`, which is resolved against the working directory. */
export function homeAt(directory: string): Home {
  const dir = resolve(directory);
  return Object.freeze({
    dir,
    configFile: join(dir, "config.json"),
    lockFile: join(dir, "daemon.lock"),
    logFile: join(dir, "daemon.log"),
    mountsFile: join(dir, "mounts.json"),
    socketPointer: join(dir, "socket"),
  });
}

/** Where a daemon of this home listens: in the home, or, where that path is too long, in a private directory under a hash. */
export function socketPlace(home: Home, env: Environment = process.env): { path: string; directory: string | null } {
  const inside = join(home.dir, "daemon.sock");
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH) return { path: inside, directory: null };
  const hash = createHash("sha256").update(home.dir).digest("hex").slice(0, 16);
  const runtime = env["XDG_RUNTIME_DIR"] ?? "";
  const base = runtime !== "" && Buffer.byteLength(runtime) <= 60 ? runtime : "/tmp";
  const directory = join(base, `memfs-${hash}`);
  return { path: join(directory, "daemon.sock"), directory };
}

/**
 * Where to reach the daemon of this home, or null when none has ever listened. A socket outside the home is found by the
 * pointer its daemon wrote, because `XDG_RUNTIME_DIR` may differ between the two.
 */
export function findSocket(home: Home): string | null {
  const place = socketPlace(home);
  if (place.directory === null) return place.path;
  try {
    return readFileSync(home.socketPointer, "utf8");
  } catch {
    return null;
  }
}
