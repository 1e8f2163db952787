/** Requests in, calls on the filesystem, answers out. Knows no descriptors: tests feed it bytes. */

import { MemfsError } from "../../../lib/errors.ts";
import type { Logger } from "../../../lib/log.ts";
import type { Filesystem } from "../../../lib/vfs/filesystem.ts";
import { Parked } from "../../../lib/vfs/parked.ts";
import { IN_HEADER_SIZE, INTERRUPT_IN_SIZE, Opcode, opcodeName } from "./abi.ts";
import { Errno, errnoOf } from "./errno.ts";
import { forgetBatch, forgetOne } from "./forget.ts";
import type { Negotiation } from "./negotiation.ts";
import { fillInit, INIT_IN_SIZE, negotiate } from "./negotiation.ts";
import type { Operation } from "./operations/operation.ts";
import { OPERATIONS, refusal } from "./operations/table.ts";
import type { ReplyMemory, ReplySink } from "./reply.ts";
import { ReplyWriter } from "./reply.ts";
import type { Request, RequestBuffer } from "./request.ts";

/** What a {@link Dispatcher} works with. */
export interface DispatcherOptions {
  readonly filesystem: Filesystem;
  readonly sink: ReplySink;
  readonly memory: ReplyMemory;
  readonly log: Logger;
  /** INIT was answered. Called again when the kernel has to ask twice. */
  readonly onNegotiated: (negotiation: Negotiation) => void;
  /** An answer that waited for a promise was sent. */
  readonly onSettled: () => void;
}

/**
 * Serves the requests of one connection.
 * INVARIANT: every request with a whole header is answered exactly once, whatever the filesystem does — except FORGET,
 * BATCH_FORGET and NOTIFY_REPLY, to which an answer would be a protocol error, and INTERRUPT, see {@link #interrupt}.
 */
export class Dispatcher {
  readonly #filesystem: Filesystem;
  readonly #sink: ReplySink;
  readonly #reply: ReplyWriter;
  readonly #log: Logger;
  readonly #onNegotiated: (negotiation: Negotiation) => void;
  readonly #onSettled: () => void;
  /** Requests without an answer yet, by {@link keyOf}; null for those that wait for a promise. */
  readonly #unanswered = new Map<string, Parked | null>();
  #waiting = 0;

  constructor(options: DispatcherOptions) {
    this.#filesystem = options.filesystem;
    this.#sink = options.sink;
    this.#reply = new ReplyWriter(options.memory);
    this.#log = options.log;
    this.#onNegotiated = options.onNegotiated;
    this.#onSettled = options.onSettled;
  }

  /** Requests whose answer waits for a promise, and so for the event loop. Parked ones wait for other requests. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Serves the request in `body`. Never throws; `body` may be used again when it returns. */
  dispatch(body: RequestBuffer): void {
    if (body.length < IN_HEADER_SIZE) {
      this.#log.warn("ignored a FUSE request without a whole header", { length: body.length });
      return;
    }
    const request = body.header();
    const whole = body.declaredLength === body.length;
    switch (request.opcode) {
      case Opcode.FORGET:
      case Opcode.BATCH_FORGET:
        return this.#forget(request, body, whole);
      case Opcode.INTERRUPT:
        return this.#interrupt(request, body, whole);
      case Opcode.NOTIFY_REPLY:
        return;
      case Opcode.INIT:
        return this.#initialise(request, body, whole);
      case Opcode.DESTROY:
        this.#reply.empty();
        return this.#send(this.#reply.seal(request));
      default:
        return this.#operate(request, body, whole);
    }
  }

  #operate(request: Request, body: RequestBuffer, whole: boolean): void {
    const operation = OPERATIONS.get(request.opcode);
    if (operation === undefined) return this.#send(this.#reply.refuse(request, refusal(request.opcode)));
    if (!whole || body.bodyLength < operation.bodySize) return this.#refuseMalformed(request, body);
    let answer: unknown;
    try {
      answer = operation.call(this.#filesystem, request, body, this.#reply);
    } catch (error) {
      return this.#refuse(request, error, () => nameIn(body, operation.nameAt));
    }
    if (answer instanceof Promise) this.#answerLater(operation, request, answer);
    else if (answer instanceof Parked) this.#park(operation, request, answer);
    else this.#answer(operation, request, answer);
  }

  #park(operation: Operation<unknown>, request: Request, parked: Parked): void {
    const key = keyOf(request.uniqueHigh, request.uniqueLow);
    this.#unanswered.set(key, parked);
    parked.listen((refusal) => {
      this.#unanswered.delete(key);
      if (refusal === null) this.#answer(operation, request, undefined);
      else this.#refuse(request, refusal);
    });
  }

  /**
   * A signal came for whoever waits for a request. What is parked is called off and answers EINTR; anything else is
   * answered soon anyway, and the kernel waits on. A request that is not known was answered already, or comes later:
   * EAGAIN makes the kernel send the INTERRUPT again if it still waits.
   */
  #interrupt(request: Request, body: RequestBuffer, whole: boolean): void {
    if (!whole || body.bodyLength < INTERRUPT_IN_SIZE) return this.#refuseMalformed(request, body);
    const interrupted = this.#unanswered.get(keyOf(body.u32(1), body.u32(0)));
    if (interrupted === undefined) this.#send(this.#reply.refuse(request, Errno.EAGAIN));
    else interrupted?.interrupt();
  }

  #answerLater(operation: Operation<unknown>, request: Request, answer: Promise<unknown>): void {
    const key = keyOf(request.uniqueHigh, request.uniqueLow);
    this.#unanswered.set(key, null);
    this.#waiting += 1;
    const settled = (): void => {
      this.#unanswered.delete(key);
      this.#waiting -= 1;
      this.#onSettled();
    };
    answer.then(
      (value) => {
        this.#answer(operation, request, value);
        settled();
      },
      (error: unknown) => {
        this.#refuse(request, error);
        settled();
      },
    );
  }

  #answer(operation: Operation<unknown>, request: Request, value: unknown): void {
    let length: number;
    try {
      operation.encode(this.#reply, value, request);
      length = this.#reply.seal(request);
    } catch (error) {
      return this.#refuse(request, error);
    }
    this.#send(length);
  }

  /** `name`: reads the name it was about, while the request is still there. */
  #refuse(request: Request, error: unknown, name: () => Buffer | null = () => null): void {
    const errno = errnoOf(error);
    if (errno === Errno.EIO) this.#logFailure(request, error);
    this.#send(this.#reply.refuse(request, errno));
    try {
      this.#filesystem.failed(request.node, error, () => ({ operation: verb(request.opcode), name: name() }));
    } catch (bug) {
      this.#logFailure(request, bug);
    }
  }

  #refuseMalformed(request: Request, body: RequestBuffer): void {
    this.#log.warn("refused a malformed FUSE request", { operation: opcodeName(request.opcode), length: body.length });
    this.#send(this.#reply.refuse(request, Errno.EINVAL));
  }

  #send(length: number): void {
    this.#sink.send(this.#reply.bytes, length);
  }

  #forget(request: Request, body: RequestBuffer, whole: boolean): void {
    try {
      if (!whole) throw new MemfsError("invalid_data", "the request is shorter or longer than it says");
      if (request.opcode === Opcode.FORGET) forgetOne(this.#filesystem, request, body);
      else forgetBatch(this.#filesystem, body);
    } catch (error) {
      this.#logFailure(request, error);
    }
  }

  #initialise(request: Request, body: RequestBuffer, whole: boolean): void {
    if (!whole || body.bodyLength < INIT_IN_SIZE) return this.#refuseMalformed(request, body);
    const negotiation = negotiate(body);
    if (negotiation.kind === "refused") {
      this.#send(this.#reply.refuse(request, Errno.EPROTO));
    } else {
      const agreement = negotiation.kind === "agreed" ? negotiation.agreement : null;
      this.#reply.nameSeconds = agreement?.nameSeconds ?? 0;
      this.#reply.init((words) => fillInit(words, agreement));
      this.#send(this.#reply.seal(request));
    }
    this.#onNegotiated(negotiation);
  }

  #logFailure(request: Request, error: unknown): void {
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error("a FUSE request failed", { operation: opcodeName(request.opcode), cause });
  }
}

/** RENAME and RENAME2 are one operation to whoever reads of it. */
function verb(opcode: number): string {
  return opcodeName(opcode).toLowerCase().replace("rename2", "rename");
}

/** The name in a request, or null when it is about none. That it holds no name may be why it fails. */
function nameIn(body: RequestBuffer, at: number | undefined): Buffer | null {
  try {
    return at === undefined ? null : body.name(at);
  } catch {
    return null;
  }
}

/** The 64 bits of a request's `unique` as a key: more than a number holds. */
function keyOf(high: number, low: number): string {
  return `${high}:${low}`;
}
