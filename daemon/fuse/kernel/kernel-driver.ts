/** The driver that speaks the FUSE protocol itself, on `/dev/fuse`. */

import { closeSync } from "node:fs";
import { endianness } from "node:os";
import { MemfsError } from "../../../lib/errors.ts";
import type { Logger } from "../../../lib/log.ts";
import type { Attachment, AttachOptions, Driver } from "../driver.ts";
import { MAX_TRANSFER, PROTOCOL_MAJOR } from "./abi.ts";
import type { AttachmentShared } from "./attachment.ts";
import { KernelAttachment } from "./attachment.ts";
import { PageInvalidations } from "./invalidator.ts";
import { connect, disconnect } from "./mount.ts";
import { Pacing } from "./pacing.ts";
import { Poller } from "./poller.ts";
import { ReplyMemory } from "./reply.ts";
import { RequestBuffer } from "./request.ts";
import { syscalls } from "./syscalls.ts";

/** Room for headers and names in front of the largest WRITE. */
const REQUEST_HEADROOM = 4096;

/**
 * Makes the driver. The asynchronous wait of its loop holds one thread of libuv's pool for good, and one page
 * invalidation at a time may hold another: raise `UV_THREADPOOL_SIZE` accordingly.
 * @throws MemfsError `fuse_unavailable` on a host that cannot run it
 */
export function createKernelDriver(options: { log: Logger }): Driver {
  // Structures are written as 32-bit words with the low half first.
  if (endianness() !== "LE")
    throw new MemfsError("fuse_unavailable", "the kernel driver needs a little-endian host; use another machine");
  return new KernelDriver(options.log);
}

class KernelDriver implements Driver {
  readonly name = "kernel";
  readonly #shared: AttachmentShared;
  readonly #attachments = new Set<KernelAttachment>();
  #protocol: string | null = null;
  #closing: Promise<void> | null = null;

  constructor(log: Logger) {
    const calls = syscalls();
    this.#shared = {
      calls,
      log,
      requests: new RequestBuffer(MAX_TRANSFER + REQUEST_HEADROOM),
      replies: new ReplyMemory(),
      poller: new Poller(calls, new Pacing()),
      pages: new PageInvalidations(),
    };
  }

  get protocol(): string | null {
    return this.#protocol;
  }

  async attach(options: AttachOptions): Promise<Attachment> {
    this.#assertOpen();
    const { calls } = this.#shared;
    const connection = await connect(calls, options);
    let attachment: KernelAttachment;
    try {
      this.#assertOpen();
      attachment = new KernelAttachment(connection, options, this.#shared);
    } catch (error) {
      closeSync(connection.fd);
      await disconnect(calls, connection.path, { lazy: true });
      throw error;
    }
    this.#attachments.add(attachment);
    void attachment.ended.then(() => this.#attachments.delete(attachment));
    const negotiation = await attachment.negotiated;
    if (negotiation.kind === "agreed") {
      this.#protocol = `${PROTOCOL_MAJOR}.${negotiation.agreement.minor}`;
      return attachment;
    }
    await attachment.destroy();
    const reason = negotiation.kind === "refused" ? negotiation.reason : "no common FUSE protocol";
    throw new MemfsError(
      "fuse_unavailable",
      `${options.mountpoint} cannot be served: ${reason}; look at the log of the daemon`,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#attachments].map((attachment) => attachment.destroy()));
    await this.#shared.poller.close();
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new MemfsError("closed", "the kernel driver is closed; start the daemon again");
  }
}
