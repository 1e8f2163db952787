/** Operations on open files. */

import { MemfsError } from "../../../../lib/errors.ts";
import type { Answer, Filesystem } from "../../../../lib/vfs/filesystem.ts";
import { FSYNC_DATA_ONLY, MAX_TRANSFER, OPEN_KILL_SUIDGID, WRITE_IN_SIZE, WriteRequest } from "../abi.ts";
import type { Request, RequestBuffer } from "../request.ts";
import { operation } from "./operation.ts";

const PERMISSIONS = 0o7777;

export const open = operation({
  name: "OPEN",
  bodySize: 8,
  call: (filesystem, request, body) =>
    filesystem.open(request, request.node, body.u32(0), (body.u32(1) & OPEN_KILL_SUIDGID) !== 0),
  encode: (reply, opened) => reply.opened(opened),
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

/** A body as that of CREATE, whose name is of no use: the kernel gives all of these files the same one. */
export const tmpfile = operation({
  name: "TMPFILE",
  bodySize: 16,
  call: (filesystem, request, body) =>
    filesystem.tmpfile(request, request.node, body.u32(0), body.u32(1) & PERMISSIONS),
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
  bodySize: 24,
  call: (filesystem, request, body) => filesystem.flush(request, request.node, body.handle(0), body.lockOwner(4)),
  encode: (reply) => reply.empty(),
});

/** The owner that goes with FUSE_RELEASE_FLOCK_UNLOCK is not read: a flock is the handle's, and goes with it. */
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

export const fallocate = operation({
  name: "FALLOCATE",
  bodySize: 32,
  call(filesystem, request, body) {
    const range = { offset: body.u64(2), length: body.u64(4) };
    return filesystem.fallocate(request, request.node, body.handle(0), range, body.u32(6));
  },
  encode: (reply) => reply.empty(),
});

/** Only for data and holes: the kernel does the rest by itself. */
export const lseek = operation({
  name: "LSEEK",
  bodySize: 24,
  call: (filesystem, request, body) =>
    filesystem.lseek(request, request.node, body.handle(0), body.i64(2), body.u32(4)),
  encode: (reply, offset) => reply.offset(offset),
});

function copyRange(filesystem: Filesystem, request: Request, body: RequestBuffer): Answer<number> {
  if (body.u64(12) !== 0) throw new MemfsError("invalid_argument", "copying a range takes no flags");
  const from = { node: request.node, handle: body.handle(0), offset: body.u64(2) };
  const to = { node: body.node(4), handle: body.handle(6), offset: body.u64(8) };
  return filesystem.copyRange(request, from, to, body.u64(10));
}

export const copyFileRange = operation({
  name: "COPY_FILE_RANGE",
  bodySize: 56,
  call: copyRange,
  encode: (reply, size) => reply.written(size),
});

/** The same with an answer of 64 bits, asked first where the kernel knows it. */
export const copyFileRange64 = operation({
  name: "COPY_FILE_RANGE_64",
  bodySize: 56,
  call: copyRange,
  encode: (reply, size) => reply.offset(size),
});
