/**
 * Dropping what the kernel has cached. Which notification may wait for the kernel decides who sends it:
 * attribute-only INVAL_INODE and INC_EPOCH never wait and go out from the main thread before the caller goes on;
 * INVAL_INODE of pages waits for reads and writes of the node that this very thread has yet to answer, and may cause a
 * WRITE, so it is sent from the thread pool, one at a time, and nobody waits for it.
 */

import type { Invalidator, NodeRef } from "../../../lib/vfs/filesystem.ts";
import type { Channel } from "./channel.ts";
import { incrementEpoch, invalidateAttributes, invalidatePages } from "./notifications.ts";

interface PageJob {
  readonly channel: Channel;
  readonly node: NodeRef;
}

/** The page invalidations of all mounts, oldest first. A node that waits is not queued a second time. */
export class PageInvalidations {
  readonly #queue = new Map<string, PageJob>();
  #running = false;
  /** What the thread pool is doing now. */
  #current: { readonly channel: Channel; readonly done: Promise<void> } | null = null;

  /** Drops the pages of a node some time soon. */
  push(channel: Channel, node: NodeRef): void {
    this.#queue.set(`${String(channel.fd)}:${String(node.slot)}:${String(node.number)}`, { channel, node });
    if (!this.#running) void this.#run();
  }

  /** Forgets what is queued for a channel; resolves when nothing of it is under way. */
  async drop(channel: Channel): Promise<void> {
    for (const [key, job] of this.#queue) if (job.channel === channel) this.#queue.delete(key);
    while (this.#current?.channel === channel) await this.#current.done;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (const [key, { channel, node }] of this.#queue) {
      // Taken out first: a change during the call needs another one.
      this.#queue.delete(key);
      const done = channel.notifyLater(invalidatePages(node));
      this.#current = { channel, done };
      await done;
      this.#current = null;
    }
    this.#running = false;
  }
}

/** The {@link Invalidator} of one mount. Does nothing until the kernel has agreed on a protocol, and after the end. */
export class KernelInvalidator implements Invalidator {
  readonly #pages: PageInvalidations;
  #channel: Channel | null = null;

  constructor(pages: PageInvalidations) {
    this.#pages = pages;
  }

  connect(channel: Channel): void {
    this.#channel = channel;
  }

  disconnect(): void {
    this.#channel = null;
  }

  attributes(node: NodeRef): void {
    this.#open()?.notify(invalidateAttributes(node));
  }

  content(node: NodeRef): void {
    const channel = this.#open();
    if (channel === null) return;
    channel.notify(invalidateAttributes(node));
    this.#pages.push(channel, node);
  }

  /**
   * The epoch makes every name of the mount be looked up again; the attributes of the directory make its listing be
   * read again, because its mtime has grown. A kernel without the epoch was never told to believe a name.
   */
  names(directory: NodeRef): void {
    const channel = this.#open();
    if (channel === null) return;
    if (channel.agreement?.epoch === true) channel.notify(incrementEpoch());
    channel.notify(invalidateAttributes(directory));
  }

  #open(): Channel | null {
    const channel = this.#channel;
    return channel === null || channel.ended || channel.agreement === null ? null : channel;
  }
}
