/** Requests in, calls on the filesystem, answers out, for one mount. */

import type { Logger } from "../../../lib/log.ts";
import type { Caller, Filesystem } from "../../../lib/vfs/filesystem.ts";
import { Errno, errnoOf } from "../kernel/errno.ts";
import type { Addon, Handler, OperationName, Worker } from "./addon.ts";
import { tellFailure } from "./failures.ts";
import { HiddenFiles } from "./hidden-files.ts";
import { OpenFiles } from "./open-files.ts";
import type { NativeOperation, Services } from "./operations/operation.ts";
import { OPERATIONS } from "./operations/table.ts";
import { Paths } from "./paths.ts";
import { Removals } from "./removals.ts";
import { NativeRequest } from "./request.ts";

export interface SessionOptions {
  readonly addon: Pick<Addon, "answer">;
  readonly filesystem: Filesystem;
  /** Stands for whoever asks. */
  readonly caller: Caller;
  readonly log: Logger;
  /** libfuse has agreed with the kernel and serves. */
  readonly onServing: () => void;
}

/**
 * Serves one mount.
 * INVARIANT: every request is answered exactly once, whatever the filesystem does: a worker that is not answered
 * sleeps for ever, and so does the program behind it.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #services: Services;
  #ended = false;

  constructor(options: SessionOptions) {
    const { filesystem, caller, log } = options;
    const hidden = new HiddenFiles();
    const paths = new Paths(filesystem, caller, hidden);
    const removals = new Removals({ filesystem, caller, paths, hidden, log });
    this.#options = options;
    this.#services = { filesystem, caller, paths, files: new OpenFiles(), hidden, removals };
  }

  /** What the addon calls, by operation. */
  handlers(): Map<OperationName, Handler> {
    const handlers = new Map<OperationName, Handler>();
    for (const operation of OPERATIONS) {
      handlers.set(operation.name, (worker, _number, ...args) =>
        this.#serve(operation, new NativeRequest(operation.name, worker, args)),
      );
    }
    handlers.set("init", (worker) => {
      this.#answer("init", worker, 0, []);
      this.#options.onServing();
    });
    return handlers;
  }

  /** Brings to an end what waits for a decision. */
  finish(): void {
    this.#services.removals.finish();
  }

  /** From here on every request is refused: the filesystem is gone. */
  end(): void {
    this.#ended = true;
  }

  /** Never throws. */
  #serve(operation: NativeOperation<unknown>, request: NativeRequest): void {
    if (this.#ended) return this.#refuse(operation, request, Errno.ENOTCONN);
    try {
      const { filesystem, removals } = this.#services;
      const paths = operation.paths.map((index) => request.text(index));
      const obstacle = removals.before(request, paths) ?? (filesystem.pressed ? filesystem.relieved() : null);
      if (obstacle === null) this.#call(operation, request);
      else
        obstacle
          .then(() => this.#serve(operation, request))
          .catch((error: unknown) => this.#fail(operation, request, error));
    } catch (error) {
      this.#fail(operation, request, error);
    }
  }

  /** @throws what the operation throws at once */
  #call(operation: NativeOperation<unknown>, request: NativeRequest): void {
    const answer = operation.call(this.#services, request);
    if (!(answer instanceof Promise)) return this.#reply(operation, request, answer);
    answer.then(
      (value) => this.#reply(operation, request, value),
      (error: unknown) => this.#fail(operation, request, error),
    );
  }

  #reply(operation: NativeOperation<unknown>, request: NativeRequest, value: unknown): void {
    const { result, results } = operation.reply(value, request);
    this.#answer(operation.name, request.worker, result, results);
  }

  #fail(operation: NativeOperation<unknown>, request: NativeRequest, error: unknown): void {
    const errno = errnoOf(error);
    if (errno === Errno.EIO) this.#log(operation.name, error);
    this.#refuse(operation, request, errno);
    tellFailure(this.#services, { operation, request }, error);
  }

  #refuse(operation: NativeOperation<unknown>, request: NativeRequest, errno: number): void {
    this.#answer(operation.name, request.worker, -errno, operation.refusal(request));
  }

  #answer(name: OperationName, worker: Worker, result: number, results: readonly unknown[]): void {
    try {
      this.#options.addon.answer(name, worker, result, results);
    } catch (error) {
      this.#log(name, error);
    }
  }

  #log(operation: OperationName, error: unknown): void {
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.log.error("a FUSE request failed", { operation, cause });
  }
}
