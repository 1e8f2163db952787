/** Operations on a node as such: attributes, symlink target, statistics. */

import { MemfsError } from "../../../../lib/errors.ts";
import type { AttributeChanges } from "../../../../lib/vfs/filesystem.ts";
import { GETATTR_FH, SetattrValid } from "../abi.ts";
import type { RequestBuffer } from "../request.ts";
import { operation } from "./operation.ts";

const PERMISSIONS = 0o7777;
const NANOSECONDS = 1_000_000_000;

export const getattr = operation({
  name: "GETATTR",
  bodySize: 16,
  call(filesystem, request, body) {
    const handle = (body.u32(0) & GETATTR_FH) === 0 ? null : body.handle(2);
    return filesystem.getattr(request, request.node, handle);
  },
  encode: (reply, attributes, request) => reply.attributes(request.node, attributes),
});

/** Sent for the birth time only, and once for a node: GETATTR has no room for it. It never changes. */
export const statx = operation({
  name: "STATX",
  bodySize: 24,
  call(filesystem, request, body) {
    const handle = (body.u32(0) & GETATTR_FH) === 0 ? null : body.handle(2);
    return filesystem.getattr(request, request.node, handle);
  },
  encode: (reply, attributes, request) => reply.statx(request.node, attributes),
});

export const setattr = operation({
  name: "SETATTR",
  bodySize: 88,
  call(filesystem, request, body) {
    const handle = (body.u32(0) & SetattrValid.FH) === 0 ? null : body.handle(2);
    return filesystem.setattr(request, request.node, handle, attributeChanges(body));
  },
  encode: (reply, attributes, request) => reply.attributes(request.node, attributes),
});

/** `struct fuse_setattr_in`. Its ctime is left alone: the kernel sends one only with its writeback cache. */
function attributeChanges(body: RequestBuffer): AttributeChanges {
  const valid = body.u32(0);
  const changes: AttributeChanges = {};
  if ((valid & SetattrValid.SIZE) !== 0) changes.size = body.u64(4);
  if ((valid & SetattrValid.MODE) !== 0) changes.mode = body.u32(17) & PERMISSIONS;
  if ((valid & SetattrValid.UID) !== 0) changes.uid = body.u32(19);
  if ((valid & SetattrValid.GID) !== 0) changes.gid = body.u32(20);
  if ((valid & SetattrValid.ATIME_NOW) !== 0) changes.atime = "now";
  else if ((valid & SetattrValid.ATIME) !== 0) changes.atime = time(body, 8, 14);
  if ((valid & SetattrValid.MTIME_NOW) !== 0) changes.mtime = "now";
  else if ((valid & SetattrValid.MTIME) !== 0) changes.mtime = time(body, 10, 15);
  if ((valid & SetattrValid.KILL_SUIDGID) !== 0) changes.killPrivileges = true;
  return changes;
}

function time(body: RequestBuffer, seconds: number, nanoseconds: number): { sec: number; nsec: number } {
  const nsec = body.u32(nanoseconds);
  if (nsec >= NANOSECONDS) throw new MemfsError("invalid_data", "a time of the request has too many nanoseconds");
  return { sec: body.i64(seconds), nsec };
}

export const readlink = operation({
  name: "READLINK",
  bodySize: 0,
  call: (filesystem, request) => filesystem.readlink(request, request.node),
  encode: (reply, target) => reply.data(target),
});

export const statfs = operation({
  name: "STATFS",
  bodySize: 0,
  call: (filesystem, request) => filesystem.statfs(request, request.node),
  encode: (reply, statistics) => reply.statistics(statistics),
});
