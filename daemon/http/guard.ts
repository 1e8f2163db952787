/** What every request must be before anything is done for it. */

import type { FastifyRequest } from "fastify";
import { VERSION_HEADER } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";
import { VERSION } from "../../lib/version.ts";

/** Routes that commands of other versions need to find and replace this daemon. */
const ANY_VERSION = /^\/(v1\/daemon(\/stop)?|healthz|readyz)(\?|$)/;

/** Names a client on this machine calls the daemon by. */
const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/**
 * @throws MemfsError `access_denied` for what a web page sent, `version_mismatch` for a `memfs` of another version
 */
export function guard(request: FastifyRequest): void {
  refuseForeignPages(request);
  const version = request.headers[VERSION_HEADER];
  if (version !== undefined && version !== VERSION && !ANY_VERSION.test(request.url)) {
    throw new MemfsError(
      "version_mismatch",
      `the daemon is version ${VERSION} and this command is ${String(version)}; run: memfs daemon restart`,
    );
  }
}

/**
 * A page in the operator's browser must not drive the daemon, also not through a proxy to the socket: with a name of
 * its own that resolves here (DNS rebinding) its Host is foreign, otherwise its Origin is.
 */
function refuseForeignPages({ headers }: FastifyRequest): void {
  const origin = headers.origin;
  const host = headers.host ?? "localhost";
  const fromHere =
    origin === undefined || (/^https?:\/\//.test(origin) && LOCAL.test(origin.replace(/^https?:\/\//, "")));
  if (!fromHere || !LOCAL.test(host)) {
    throw new MemfsError(
      "access_denied",
      "requests from web pages and for other hosts are refused; use Host: localhost",
    );
  }
}
