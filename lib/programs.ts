/** Where the host has a program. */

import { access, constants } from "node:fs/promises";
import { join } from "node:path";

/** Where programs are for everybody: a daemon may have been started with a poor PATH. */
const USUAL_PLACES = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** The path of a program that this process may run, by PATH and then the usual places; null when there is none. */
export async function findProgram(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  const places = [...(env["PATH"] ?? "").split(":"), ...USUAL_PLACES];
  for (const place of places) {
    const path = join(place, name);
    if (!path.startsWith("/")) continue;
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return null;
}
