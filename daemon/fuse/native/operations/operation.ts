/** What one operation of libfuse means: how the request becomes a call, and the result an answer. */

import type { Answer, Caller, Filesystem } from "../../../../lib/vfs/filesystem.ts";
import type { OperationName } from "../addon.ts";
import type { HiddenFiles } from "../hidden-files.ts";
import type { OpenFiles } from "../open-files.ts";
import type { Paths } from "../paths.ts";
import type { Removals } from "../removals.ts";
import type { NativeRequest } from "../request.ts";

/** What operations work with. */
export interface Services {
  readonly filesystem: Filesystem;
  /** Stands for whoever asks: the addon does not tell. */
  readonly caller: Caller;
  readonly paths: Paths;
  readonly files: OpenFiles;
  readonly hidden: HiddenFiles;
  readonly removals: Removals;
}

/** The values that the addon's C code reads when a worker is woken; it must get exactly those of its operation. */
export interface Reply {
  /** What the operation returns to libfuse when it is not refused: 0, or a number of bytes. */
  readonly result: number;
  readonly results: readonly unknown[];
}

/** One operation. Methods (not function properties), so that a table may hold any result type. */
export interface NativeOperation<T> {
  readonly name: OperationName;
  /** Which arguments are paths that the answer depends on. */
  readonly paths: readonly number[];
  call(services: Services, request: NativeRequest): Answer<T>;
  reply(value: T, request: NativeRequest): Reply;
  /** The values beside the errno when it is refused. */
  refusal(request: NativeRequest): readonly unknown[];
}

const DONE: Reply = Object.freeze({ result: 0, results: Object.freeze([]) });
const NOTHING: readonly unknown[] = DONE.results;

/** Types an operation by its own result, for tables of `NativeOperation<unknown>`. */
export function operation<T>(definition: NativeOperation<T>): NativeOperation<T> {
  return definition;
}

/** An operation that answers nothing but an errno. */
export function plain(
  name: OperationName,
  paths: readonly number[],
  call: (services: Services, request: NativeRequest) => Answer<void>,
): NativeOperation<void> {
  return { name, paths, call, reply: () => DONE, refusal: () => NOTHING };
}
