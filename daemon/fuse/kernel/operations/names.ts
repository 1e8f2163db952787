/** Operations on names: find, make, remove, rename. */

import { MemfsError } from "../../../../lib/errors.ts";
import { Rename } from "../abi.ts";
import { operation } from "./operation.ts";

const PERMISSIONS = 0o7777;
/** Type and permissions: whatever else the field holds means nothing. */
const MODE = 0o177777;
const RENAME_FLAGS: readonly number[] = [0, Rename.NOREPLACE, Rename.EXCHANGE];

export const lookup = operation({
  name: "LOOKUP",
  bodySize: 2,
  nameAt: 0,
  call: (filesystem, request, body) => filesystem.lookup(request, request.node, body.name(0)),
  encode: (reply, entry) => reply.entry(entry),
});

export const symlink = operation({
  name: "SYMLINK",
  bodySize: 3,
  nameAt: 0,
  call(filesystem, request, body) {
    const name = body.name(0);
    return filesystem.symlink(request, request.node, name, body.text(name.length + 1));
  },
  encode: (reply, entry) => reply.entry(entry),
});

export const mknod = operation({
  name: "MKNOD",
  bodySize: 18,
  nameAt: 16,
  call: (filesystem, request, body) =>
    filesystem.mknod(request, request.node, body.name(16), body.u32(0) & MODE, body.u32(1)),
  encode: (reply, entry) => reply.entry(entry),
});

export const mkdir = operation({
  name: "MKDIR",
  bodySize: 10,
  nameAt: 8,
  call: (filesystem, request, body) => filesystem.mkdir(request, request.node, body.name(8), body.u32(0) & PERMISSIONS),
  encode: (reply, entry) => reply.entry(entry),
});

export const unlink = operation({
  name: "UNLINK",
  bodySize: 2,
  nameAt: 0,
  call: (filesystem, request, body) => filesystem.unlink(request, request.node, body.name(0)),
  encode: (reply) => reply.empty(),
});

export const rmdir = operation({
  name: "RMDIR",
  bodySize: 2,
  nameAt: 0,
  call: (filesystem, request, body) => filesystem.rmdir(request, request.node, body.name(0)),
  encode: (reply) => reply.empty(),
});

export const rename = operation({
  name: "RENAME",
  bodySize: 12,
  nameAt: 8,
  call(filesystem, request, body) {
    const name = body.name(8);
    const to = { parent: body.node(0), name: body.name(8 + name.length + 1) };
    return filesystem.rename(request, { parent: request.node, name }, to, 0);
  },
  encode: (reply) => reply.empty(),
});

export const rename2 = operation({
  name: "RENAME2",
  bodySize: 20,
  nameAt: 16,
  call(filesystem, request, body) {
    const flags = body.u32(2);
    if (!RENAME_FLAGS.includes(flags)) {
      throw new MemfsError("invalid_argument", `rename flags ${String(flags)} are not supported`);
    }
    const name = body.name(16);
    const to = { parent: body.node(0), name: body.name(16 + name.length + 1) };
    return filesystem.rename(request, { parent: request.node, name }, to, flags);
  },
  encode: (reply) => reply.empty(),
});

export const link = operation({
  name: "LINK",
  bodySize: 10,
  nameAt: 8,
  call: (filesystem, request, body) => filesystem.link(request, body.node(0), request.node, body.name(8)),
  encode: (reply, entry) => reply.entry(entry),
});
