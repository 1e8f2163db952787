/** Operations on extended attributes. */

import { MemfsError } from "../../../../lib/errors.ts";
import { after } from "../answers.ts";
import type { NativeRequest } from "../request.ts";
import { operation, plain } from "./operation.ts";

const REPLACEMENT = "\u{fffd}";

// Made once: a program that guesses a size too small asks again at once.
const TOO_SMALL = new MemfsError("buffer_too_small", "the caller has no room for the value");

/**
 * Attribute names do not go through the character conversion of paths, so bytes that are not UTF-8 are lost.
 * @throws MemfsError `invalid_argument` then
 */
function attributeName(request: NativeRequest): Buffer {
  const name = request.text(1);
  if (name.includes(REPLACEMENT)) throw new MemfsError("invalid_argument", "attribute names must be UTF-8");
  return Buffer.from(name);
}

/** Copies a value to where the caller has room for it; without any room it asks for the length. */
function deliver(value: Buffer, room: Buffer): number {
  if (room.length > 0 && value.length > room.length) throw TOO_SMALL;
  if (room.length > 0) value.copy(room);
  return value.length;
}

export const getxattr = operation({
  name: "getxattr",
  paths: [0],
  call: ({ filesystem, caller, paths }, request) =>
    paths.node(request.text(0), (node) =>
      after(filesystem.getxattr(caller, node, attributeName(request)), (value) => deliver(value, request.memory(2))),
    ),
  reply: (length, request) => ({ result: length, results: [request.memory(2).buffer] }),
  refusal: (request) => [request.memory(2).buffer],
});

export const listxattr = operation({
  name: "listxattr",
  paths: [0],
  call: ({ filesystem, caller, paths }, request) =>
    paths.node(request.text(0), (node) =>
      after(filesystem.listxattr(caller, node), (names) => deliver(names, request.memory(1))),
    ),
  reply: (length, request) => ({ result: length, results: [request.memory(1).buffer] }),
  refusal: (request) => [request.memory(1).buffer],
});

export const setxattr = operation({
  name: "setxattr",
  paths: [0],
  call: ({ filesystem, caller, paths }, request) =>
    paths.node(request.text(0), (node) =>
      filesystem.setxattr(caller, node, attributeName(request), request.memory(2), request.u32(4)),
    ),
  reply: (_nothing, request) => ({ result: 0, results: [request.memory(2).buffer] }),
  refusal: (request) => [request.memory(2).buffer],
});

export const removexattr = plain("removexattr", [0], ({ filesystem, caller, paths }, request) =>
  paths.node(request.text(0), (node) => filesystem.removexattr(caller, node, attributeName(request))),
);
