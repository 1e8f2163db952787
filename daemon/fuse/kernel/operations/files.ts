/** Operations on open files. */

import { constants } from "node:fs";
import type { Answer, OpenedHandle } from "../../../../lib/vfs/filesystem.ts";
import { FSYNC_DATA_ONLY, MAX_TRANSFER, OPEN_KILL_SUIDGID, OpenReply, WRITE_IN_SIZE, WriteRequest } from "../abi.ts";
import { operation } from "./operation.ts";

const PERMISSIONS = 0o7777;

/**
 * Closing a handle that cannot write needs no FLUSH, which saves a round trip on every `cat`: its RELEASE follows, and
 * POSIX locks, which FLUSH would drop, are the kernel's own here. Were they delivered (INIT flag POSIX_LOCKS), this
 * would hold only while the node has none: a release across fork would stay unseen. Kernels before 7.35 send it anyway.
 */
export const open = operation({
  name: "OPEN",
  bodySize: 8,
  call(filesystem, request, body): Answer<{ opened: OpenedHandle; flush: boolean }> {
    const flags = body.u32(0);
    const flush = (flags & (constants.O_WRONLY | constants.O_RDWR)) !== constants.O_RDONLY;
    const opened = filesystem.open(request, request.node, flags, (body.u32(1) & OPEN_KILL_SUIDGID) !== 0);
    return opened instanceof Promise ? opened.then((later) => ({ opened: later, flush })) : { opened, flush };
  },
  encode: (reply, { opened, flush }) => reply.opened(opened, flush ? 0 : OpenReply.NOFLUSH),
});

export const create = operation({
  name: "CREATE",
  bodySize: 18,
  nameAt: 16,
  call(filesystem, request, body) {
    const kill = (body.u32(3) & OPEN_KILL_SUIDGID) !== 0;
    return filesystem.create(request, request.node, body.name(16), body.u32(0), body.u32(1) & PERMISSIONS, kill);
  },
  encode: (reply, { entry, opened }) => reply.created(entry, opened),
});

export const read = operation({
  name: "READ",
  bodySize: 24,
  call: (filesystem, request, body) =>
    filesystem.read(request, request.node, body.handle(0), body.u64(2), Math.min(body.u32(4), MAX_TRANSFER)),
  encode: (reply, data) => reply.data(data),
});

export const write = operation({
  name: "WRITE",
  bodySize: WRITE_IN_SIZE,
  call(filesystem, request, body) {
    const flags = body.u32(5);
    const data = body.data(WRITE_IN_SIZE, body.u32(4));
    return filesystem.write(request, request.node, body.handle(0), body.u64(2), data, {
      open: body.u32(8),
      writeback: (flags & WriteRequest.CACHE) !== 0,
      killPrivileges: (flags & WriteRequest.KILL_SUIDGID) !== 0,
    });
  },
  encode: (reply, size) => reply.written(size),
});

export const flush = operation({
  name: "FLUSH",
  bodySize: 8,
  call: (filesystem, request, body) => filesystem.flush(request, request.node, body.handle(0)),
  encode: (reply) => reply.empty(),
});

export const release = operation({
  name: "RELEASE",
  bodySize: 8,
  call: (filesystem, request, body) => filesystem.release(request, request.node, body.handle(0)),
  encode: (reply) => reply.empty(),
});

export const fsync = operation({
  name: "FSYNC",
  bodySize: 12,
  call: (filesystem, request, body) =>
    filesystem.fsync(request, request.node, body.handle(0), (body.u32(2) & FSYNC_DATA_ONLY) !== 0),
  encode: (reply) => reply.empty(),
});
