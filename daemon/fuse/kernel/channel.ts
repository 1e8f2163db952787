/** One connection to the kernel: the descriptor of `/dev/fuse`, its requests and answers. */

import type { Logger } from "../../../lib/log.ts";
import type { Filesystem } from "../../../lib/vfs/filesystem.ts";
import { Dispatcher } from "./dispatch.ts";
import { Errno, errnoName } from "./errno.ts";
import type { Agreement, Negotiation } from "./negotiation.ts";
import type { ReplyMemory, ReplySink } from "./reply.ts";
import type { RequestBuffer } from "./request.ts";
import type { Syscalls } from "./syscalls.ts";

/** What all channels of a driver share; requests are served one at a time. */
export interface ChannelShared {
  readonly calls: Syscalls;
  readonly requests: RequestBuffer;
  readonly replies: ReplyMemory;
  readonly log: Logger;
}

/** What is told about a channel as it happens. */
export interface ChannelEvents {
  readonly onNegotiated: (negotiation: Negotiation) => void;
  readonly onSettled: () => void;
  /** The kernel has let go; comes once. */
  readonly onEnded: () => void;
}

/** Results of a read that say nothing is wrong: nothing there, a signal, a request that was taken back. */
const TRANSIENT: readonly number[] = [-Errno.EAGAIN, -Errno.EINTR, -Errno.ENOENT, -Errno.ENOMEM];

/** Results of a read after an unmount and after an abort. */
const GONE: readonly number[] = [-Errno.ENODEV, -Errno.ECONNABORTED, -Errno.ENOTCONN];

/** Results of an answer to a request that no longer waits, or on a connection that is gone. */
const UNWANTED: readonly number[] = [-Errno.ENOENT, ...GONE];

/** Serves one descriptor. The descriptor is non-blocking and belongs to the caller, who closes it after {@link end}. */
export class Channel implements ReplySink {
  readonly fd: number;
  readonly #filesystem: Filesystem;
  readonly #shared: ChannelShared;
  readonly #events: ChannelEvents;
  readonly #dispatcher: Dispatcher;
  #agreement: Agreement | null = null;
  #ended = false;

  constructor(fd: number, filesystem: Filesystem, options: { shared: ChannelShared; events: ChannelEvents }) {
    this.fd = fd;
    this.#filesystem = filesystem;
    this.#shared = options.shared;
    this.#events = options.events;
    this.#dispatcher = new Dispatcher({
      filesystem,
      sink: this,
      memory: options.shared.replies,
      log: options.shared.log,
      onNegotiated: (negotiation) => this.#negotiated(negotiation),
      onSettled: options.events.onSettled,
    });
  }

  /** What INIT agreed on; null before. */
  get agreement(): Agreement | null {
    return this.#agreement;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Requests that wait for a promise. */
  get waiting(): number {
    return this.#dispatcher.waiting;
  }

  /** Requests should wait at the door; {@link relieved} resolves when not. */
  get pressed(): boolean {
    return this.#filesystem.pressed;
  }

  async relieved(): Promise<void> {
    await this.#filesystem.relieved();
  }

  /** Reads and serves what is there, at most `limit` requests; returns how many. Never throws. */
  drain(limit: number): number {
    const { calls, requests } = this.#shared;
    for (let served = 0; served < limit; served += 1) {
      if (this.#ended || this.#filesystem.pressed) return served;
      const length = calls.read(this.fd, requests.bytes, requests.bytes.length);
      if (length <= 0) {
        this.#readFailed(length);
        return served;
      }
      requests.length = length;
      this.#dispatcher.dispatch(requests);
    }
    return limit;
  }

  send(bytes: Buffer, length: number): void {
    if (this.#ended) return;
    const result = this.#shared.calls.write(this.fd, bytes, length);
    if (result >= 0 || UNWANTED.includes(result)) return;
    // The kernel found the answer unfit and has failed the request itself.
    this.#shared.log.error("the kernel refused an answer", { errno: errnoName(-result), length });
  }

  /**
   * Sends a notification from this thread: only kinds that never wait (see `invalidator.ts`). That the kernel does not
   * hold the node (ENOENT) is as good as having dropped it.
   */
  notify(bytes: Buffer): void {
    if (!this.#ended) this.#shared.calls.write(this.fd, bytes, bytes.length);
  }

  /** Sends a notification from the thread pool. `bytes` must not change until it is done. Never rejects. */
  async notifyLater(bytes: Buffer): Promise<void> {
    if (this.#ended) return;
    try {
      await this.#shared.calls.writeLater(this.fd, bytes, bytes.length);
    } catch (error) {
      this.#shared.log.error("a notification could not be sent", { cause: String(error) });
    }
  }

  /** Stops reading and answering. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onEnded();
  }

  #negotiated(negotiation: Negotiation): void {
    if (negotiation.kind === "agreed") this.#agreement = negotiation.agreement;
    this.#events.onNegotiated(negotiation);
  }

  #readFailed(result: number): void {
    if (TRANSIENT.includes(result)) return;
    if (!GONE.includes(result)) {
      this.#shared.log.error("reading FUSE requests failed; the mount ends", { errno: errnoName(-result) });
    }
    this.end();
  }
}
