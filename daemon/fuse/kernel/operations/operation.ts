/** What one opcode means: how the request becomes a call, and the result an answer. */

import type { Answer, Filesystem } from "../../../../lib/vfs/filesystem.ts";
import type { Parked } from "../../../../lib/vfs/parked.ts";
import type { OpcodeName } from "../abi.ts";
import type { ReplyWriter } from "../reply.ts";
import type { Request, RequestBuffer } from "../request.ts";

/** One opcode that is answered. Methods (not function properties), so that a table may hold any result type. */
export interface Operation<T> {
  readonly name: OpcodeName;
  /** Bytes that the body has at least; shorter requests are refused before {@link call}. */
  readonly bodySize: number;
  /** Where the body holds the name that the operation is about; absent for one that is about no name. */
  readonly nameAt?: number;
  /** Names are copied out of `body`; WRITE data is not, and only valid until the call returns. */
  call(filesystem: Filesystem, request: Request, body: RequestBuffer, reply: ReplyWriter): Answer<T> | Parked;
  encode(reply: ReplyWriter, value: T, request: Request): void;
}

/** Types an operation by its own result, for tables of `Operation<unknown>`. */
export function operation<T>(definition: Operation<T>): Operation<T> {
  return definition;
}
