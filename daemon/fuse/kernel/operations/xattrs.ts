/** Operations on extended attributes. */

import { MemfsError } from "../../../../lib/errors.ts";
import type { Answer } from "../../../../lib/vfs/filesystem.ts";
import type { ReplyWriter } from "../reply.ts";
import { operation } from "./operation.ts";

/** A value or list, and how many bytes of it the caller has room for: 0 asks for its length. */
interface Sized {
  readonly bytes: Buffer;
  readonly room: number;
}

// Made once: a program that guesses a size too small asks again at once.
const TOO_SMALL = new MemfsError("buffer_too_small", "the caller has no room for the value");

function sized(answer: Answer<Buffer>, room: number): Answer<Sized> {
  return answer instanceof Promise ? answer.then((bytes) => ({ bytes, room })) : { bytes: answer, room };
}

function encodeSized(reply: ReplyWriter, { bytes, room }: Sized): void {
  if (room === 0) return reply.written(bytes.length);
  if (bytes.length > room) throw TOO_SMALL;
  reply.data(bytes);
}

export const setxattr = operation({
  name: "SETXATTR",
  bodySize: 10,
  call(filesystem, request, body) {
    const name = body.text(8);
    const value = body.data(8 + name.length + 1, body.u32(0));
    return filesystem.setxattr(request, request.node, name, value, body.u32(1));
  },
  encode: (reply) => reply.empty(),
});

export const getxattr = operation({
  name: "GETXATTR",
  bodySize: 10,
  call: (filesystem, request, body) => sized(filesystem.getxattr(request, request.node, body.text(8)), body.u32(0)),
  encode: encodeSized,
});

export const listxattr = operation({
  name: "LISTXATTR",
  bodySize: 8,
  call: (filesystem, request, body) => sized(filesystem.listxattr(request, request.node), body.u32(0)),
  encode: encodeSized,
});

export const removexattr = operation({
  name: "REMOVEXATTR",
  bodySize: 2,
  call: (filesystem, request, body) => filesystem.removexattr(request, request.node, body.text(0)),
  encode: (reply) => reply.empty(),
});
