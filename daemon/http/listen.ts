/** The HTTP server on the unix socket of a home. */

import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { writeFileAtomic } from "../../lib/atomic-file.ts";
import { MemfsError } from "../../lib/errors.ts";
import { type Home, socketPlace } from "../../lib/home.ts";
import { admitPeers } from "./peers.ts";
import { createServer } from "./server.ts";
import type { Services } from "./services.ts";

/** Milliseconds that requests under way get to finish when the server closes. */
const LAST_ANSWERS = 2000;

/**
 * Serves until closed. The caller holds the home's lock, so a socket that is there is a dead daemon's.
 * @throws MemfsError `bad_config` when the socket cannot be made
 */
export async function listen(home: Home, services: Services): Promise<{ close(): Promise<void> }> {
  const api = createServer(services);
  const place = socketPlace(home);
  admitPeers(api.server);
  await api.ready();
  try {
    if (place.directory !== null) makePrivateDirectory(place.directory);
    rmSync(place.path, { force: true });
    await api.listen({ path: place.path });
    // Until here others could connect, but peers are checked: the mode only tells them so at once.
    chmodSync(place.path, 0o600);
    if (place.directory !== null) await writeFileAtomic(home.socketPointer, place.path);
  } catch (cause) {
    await api.close();
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new MemfsError("bad_config", `the socket ${place.path} cannot be made (${code}); set MEMFS_HOME`, { cause });
  }
  return {
    close: async () => {
      const late = setTimeout(() => api.server.closeAllConnections(), LAST_ANSWERS);
      await api.close();
      clearTimeout(late);
    },
  };
}

/** In a directory that all may write, only one that is ours alone will do. */
function makePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const stat = lstatSync(directory);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) {
    throw Object.assign(new Error(`${directory} belongs to somebody else`), { code: "EPERM" });
  }
  chmodSync(directory, 0o700);
}
