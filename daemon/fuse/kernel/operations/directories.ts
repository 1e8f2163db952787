/** Operations on open directories. */

import type { Answer, Filesystem } from "../../../../lib/vfs/filesystem.ts";
import { MAX_TRANSFER } from "../abi.ts";
import { Dirents } from "../dirents.ts";
import type { Request, RequestBuffer } from "../request.ts";
import { operation } from "./operation.ts";

export const opendir = operation({
  name: "OPENDIR",
  bodySize: 8,
  call: (filesystem, request) => filesystem.opendir(request, request.node),
  encode: (reply, opened) => reply.openedDirectory(opened),
});

export const readdir = operation({
  name: "READDIR",
  bodySize: 24,
  call: (filesystem, request, body) => list(filesystem, request, body, new Dirents(sizeAsked(body), false, 0)),
  encode: (reply, dirents) => reply.data(dirents.taken),
});

export const readdirplus = operation({
  name: "READDIRPLUS",
  bodySize: 24,
  call: (filesystem, request, body, reply) =>
    list(filesystem, request, body, new Dirents(sizeAsked(body), true, reply.nameSeconds)),
  encode: (reply, dirents) => reply.data(dirents.taken),
});

export const releasedir = operation({
  name: "RELEASEDIR",
  bodySize: 8,
  call: (filesystem, request, body) => filesystem.releasedir(request, request.node, body.handle(0)),
  encode: (reply) => reply.empty(),
});

export const fsyncdir = operation({
  name: "FSYNCDIR",
  bodySize: 8,
  call: (filesystem, request, body) => filesystem.fsyncdir(request, request.node, body.handle(0)),
  encode: (reply) => reply.empty(),
});

function sizeAsked(body: RequestBuffer): number {
  return Math.min(body.u32(4), MAX_TRANSFER);
}

function list(filesystem: Filesystem, request: Request, body: RequestBuffer, dirents: Dirents): Answer<Dirents> {
  const listed = filesystem.readdir(request, request.node, body.handle(0), body.u64(2), dirents);
  return listed instanceof Promise ? listed.then(() => dirents) : dirents;
}
