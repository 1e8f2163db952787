/** Locks of flock(2) and fcntl(2): `struct fuse_lk_in` in, `struct fuse_lk_out` out. */

import { MemfsError } from "../../../../lib/errors.ts";
import { LAST_BYTE, type LockRequest } from "../../../../lib/vfs/filesystem.ts";
import { LK_FLOCK, LK_IN_SIZE, LOCK_TYPES } from "../abi.ts";
import type { RequestBuffer } from "../request.ts";
import { operation } from "./operation.ts";

/** @throws MemfsError `invalid_data` */
function lockRequest(body: RequestBuffer, wait: boolean): LockRequest {
  const [start, end] = [body.big(4), body.big(6)];
  const type = LOCK_TYPES[body.u32(8)];
  if (type === undefined || end > LAST_BYTE || start > end)
    throw new MemfsError("invalid_data", "the request has a lock of an unknown type or a wrong range");
  const flock = (body.u32(10) & LK_FLOCK) !== 0;
  return { owner: body.lockOwner(2), start, end, type, pid: body.u32(9), flock, wait };
}

export const getlk = operation({
  name: "GETLK",
  bodySize: LK_IN_SIZE,
  call: (filesystem, request, body) =>
    filesystem.getlock(request, request.node, body.handle(0), lockRequest(body, false)),
  encode: (reply, lock) => reply.lock(lock),
});

export const setlk = operation({
  name: "SETLK",
  bodySize: LK_IN_SIZE,
  call: (filesystem, request, body) =>
    filesystem.setlock(request, request.node, body.handle(0), lockRequest(body, false)),
  encode: (reply) => reply.empty(),
});

export const setlkw = operation({
  name: "SETLKW",
  bodySize: LK_IN_SIZE,
  call: (filesystem, request, body) =>
    filesystem.setlock(request, request.node, body.handle(0), lockRequest(body, true)),
  encode: (reply) => reply.empty(),
});
