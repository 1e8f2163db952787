/** The daemon itself: what it is and can do, whether it lives, and how to stop it. */

import type { Capabilities, DaemonStatus } from "../../../lib/api.ts";
import { MemfsError } from "../../../lib/errors.ts";
import { PATH_LIMITS } from "../../../lib/path.ts";
import { formatTime } from "../../../lib/time.ts";
import { VERSION } from "../../../lib/version.ts";
import type { Api } from "../api.ts";
import { FULL_PAGE_SIZE, PAGE_SIZE } from "../lists.ts";
import { REQUEST_BYTES } from "../limits.ts";
import type { Services } from "../services.ts";

const FEATURES = ["files", "mounts", "policy", "diff", "blame", "at", "sessions", "rollback", "audit"];

export function daemonRoutes(api: Api, services: Services): void {
  const { catalogue, mounts, home, clock, startedAt } = services;

  function status(): DaemonStatus {
    const absent = mounts.list().filter(({ problem }) => problem !== null);
    return {
      type: "daemon",
      pid: process.pid,
      supervisor_pid: null,
      version: VERSION,
      home,
      started_at: formatTime(startedAt),
      uptime_seconds: Math.max(0, Math.floor((clock.now() - startedAt) / 1e6)),
      mounts: mounts.list().length - absent.length,
      cleared_mountpoints: mounts.cleared,
      fuse_protocol: mounts.protocol,
      absent_mountpoints: absent.map(({ mountpoint }) => mountpoint),
      stores: catalogue.list().length,
    };
  }

  api.get("/v1/daemon", async () => status());

  api.post("/v1/daemon/stop", async (_request, reply) => {
    // The answer leaves first: stopping closes this very connection.
    reply.raw.once("close", services.stop);
    reply.header("connection", "close");
    return status();
  });

  api.get("/v1/capabilities", async (): Promise<Capabilities> => {
    return {
      type: "capabilities",
      version: VERSION,
      limits: {
        page_size: PAGE_SIZE,
        page_size_full: FULL_PAGE_SIZE,
        request_bytes: REQUEST_BYTES,
        path_bytes: PATH_LIMITS.bytes,
        path_segments: PATH_LIMITS.segments,
        segment_bytes: PATH_LIMITS.segmentBytes,
      },
      features: FEATURES,
    };
  });

  api.get("/healthz", async () => ({ status: "ok" }));

  api.get("/readyz", async () => {
    if (!services.ready()) throw new MemfsError("unreachable", "the daemon is stopping; try again later");
    return { status: "ok" };
  });
}
