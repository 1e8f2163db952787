/** FORGET and BATCH_FORGET: the kernel gives lookups back. */

import { MemfsError } from "../../../lib/errors.ts";
import type { Filesystem } from "../../../lib/vfs/filesystem.ts";
import type { Request, RequestBuffer } from "./request.ts";

/** Bytes of `struct fuse_batch_forget_in` and of one `fuse_forget_one`. */
const BATCH_SIZE = 8;
const ONE_SIZE = 16;

/** @throws MemfsError `invalid_data` when the request is too short */
export function forgetOne(filesystem: Filesystem, request: Request, body: RequestBuffer): void {
  if (body.bodyLength < 8) throw new MemfsError("invalid_data", "a FORGET without its count");
  filesystem.forget(request.node, body.u64(0));
}

/** @throws MemfsError `invalid_data` when the request is too short for its count; then nothing is forgotten */
export function forgetBatch(filesystem: Filesystem, body: RequestBuffer): void {
  const count = body.bodyLength < BATCH_SIZE ? Infinity : body.u32(0);
  if (BATCH_SIZE + count * ONE_SIZE > body.bodyLength) {
    throw new MemfsError("invalid_data", "a BATCH_FORGET shorter than its count");
  }
  for (let index = 0; index < count; index += 1) {
    const word = (BATCH_SIZE + index * ONE_SIZE) / 4;
    filesystem.forget(body.node(word), body.u64(word + 2));
  }
}
