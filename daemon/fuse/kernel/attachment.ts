/** One mount of the kernel driver, from mount(2) until the kernel has let go. */

import { close } from "node:fs";
import { promisify } from "node:util";
import { MemfsError } from "../../../lib/errors.ts";
import type { Filesystem } from "../../../lib/vfs/filesystem.ts";
import type { Attachment, AttachOptions } from "../driver.ts";
import { endedWithin } from "../within.ts";
import type { ChannelShared } from "./channel.ts";
import { Channel } from "./channel.ts";
import type { PageInvalidations } from "./invalidator.ts";
import { KernelInvalidator } from "./invalidator.ts";
import type { Connection } from "./mount.ts";
import { disconnect } from "./mount.ts";
import type { Negotiation } from "./negotiation.ts";
import type { Poller } from "./poller.ts";

/**
 * Milliseconds to wait for the kernel after an unmount that succeeded. It lets go at once, unless files of a lazily
 * detached mount are still open, or a copy of the mount lives in another mount namespace.
 */
const GRACE = 1000;

/** What the attachments of one driver share. */
export interface AttachmentShared extends ChannelShared {
  readonly poller: Poller;
  readonly pages: PageInvalidations;
}

const closeLater = promisify(close);

/** Serves a connection for as long as it lives. */
export class KernelAttachment implements Attachment {
  readonly mountpoint: string;
  readonly ended: Promise<void>;
  /** Resolves with the result of INIT. */
  readonly negotiated: Promise<Negotiation>;
  readonly #connection: Connection;
  readonly #shared: AttachmentShared;
  readonly #filesystem: Filesystem;
  readonly #channel: Channel;
  readonly #invalidator: KernelInvalidator;
  #finished: () => void = () => undefined;

  /** Takes the connection over: from here on it is closed when it ends. */
  constructor(connection: Connection, options: AttachOptions, shared: AttachmentShared) {
    this.mountpoint = options.mountpoint;
    this.#connection = connection;
    this.#shared = shared;
    this.#invalidator = new KernelInvalidator(shared.pages);
    this.ended = new Promise((resolve) => {
      this.#finished = resolve;
    });
    this.#filesystem = options.filesystem(this.#invalidator);
    let negotiated: (negotiation: Negotiation) => void = () => undefined;
    this.negotiated = new Promise((resolve) => {
      negotiated = resolve;
    });
    this.#channel = new Channel(connection.fd, this.#filesystem, {
      shared,
      events: {
        onNegotiated: (negotiation) => {
          if (negotiation.kind !== "again") negotiated(negotiation);
        },
        onSettled: () => shared.poller.resume(),
        onEnded: () => {
          negotiated({ kind: "refused", reason: "the mount ended before the kernel had introduced itself" });
          void this.#finish();
        },
      },
    });
    this.#invalidator.connect(this.#channel);
    shared.poller.add(this.#channel);
  }

  async detach(options: { lazy: boolean }): Promise<void> {
    if (this.#channel.ended) return this.ended;
    await disconnect(this.#shared.calls, this.#connection.path, options);
    if (options.lazy || (await endedWithin(this.ended, GRACE))) return;
    this.#shared.log.warn("an unmounted mount lives on", { mountpoint: this.mountpoint });
  }

  /** Detaches at any price: what is still open after a while fails from then on. Never rejects. */
  async destroy(): Promise<void> {
    try {
      await this.detach({ lazy: true });
    } catch (error) {
      this.#shared.log.warn("a mount could not be unmounted", { cause: String(error) });
    }
    await endedWithin(this.ended, GRACE);
    // A page invalidation may wait for a READ, so it has to end while requests are still answered.
    this.#invalidator.disconnect();
    await this.#shared.pages.drop(this.#channel);
    this.#channel.end();
    await this.ended;
  }

  /** The order matters: no new requests, no call on the descriptor under way, drafts committed, descriptor closed. */
  async #finish(): Promise<void> {
    this.#shared.poller.remove(this.#channel);
    await this.#shared.pages.drop(this.#channel);
    try {
      await this.#filesystem.detach();
    } catch (error) {
      const cause = error instanceof MemfsError ? error.message : String((error as Error).stack ?? error);
      this.#shared.log.error("detaching a filesystem failed", { cause });
    }
    await closeLater(this.#connection.fd).catch(() => undefined);
    this.#finished();
  }
}
