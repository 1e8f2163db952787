/**
 * Dropping what the kernel has cached. Which notification may wait for the kernel decides who sends it:
 * attribute-only INVAL_INODE and INC_EPOCH never wait and go out from the main thread before the caller goes on;
 * INVAL_INODE of pages waits for reads and writes of the node that this very thread has yet to answer, and may cause a
 * WRITE, so it is sent from the thread pool, one at a time. Only who is given a lock waits for it.
 */

import type { Invalidator, NodeRef } from "../../../lib/vfs/filesystem.ts";
import type { Channel } from "./channel.ts";
import { incrementEpoch, invalidateAttributes, invalidatePages } from "./notifications.ts";

interface PageJob {
  readonly channel: Channel;
  readonly node: NodeRef;
  /** Those who want to know when it is over. */
  readonly done: (() => void)[];
}

function keyOf(channel: Channel, node: NodeRef): string {
  return `${String(channel.fd)}:${String(node.slot)}:${String(node.number)}`;
}

/** The page invalidations of all mounts, oldest first. A node that waits is not queued a second time. */
export class PageInvalidations {
  readonly #queue = new Map<string, PageJob>();
  #running = false;
  /** What the thread pool is doing now. */
  #current: { readonly channel: Channel; readonly key: string; readonly done: Promise<void> } | null = null;

  /** Drops the pages of a node some time soon. */
  push(channel: Channel, node: NodeRef): void {
    const key = keyOf(channel, node);
    if (!this.#queue.has(key)) this.#queue.set(key, { channel, node, done: [] });
    if (!this.#running) void this.#run();
  }

  /** Resolves when the pages of a node that wait to be dropped are; null when none do. */
  dropped(channel: Channel, node: NodeRef): Promise<void> | null {
    const key = keyOf(channel, node);
    const queued = this.#queue.get(key);
    if (queued !== undefined) return new Promise((resolve) => queued.done.push(resolve));
    return this.#current?.key === key ? this.#current.done : null;
  }

  /** Forgets what is queued for a channel; resolves when nothing of it is under way. */
  async drop(channel: Channel): Promise<void> {
    for (const [key, job] of this.#queue) {
      if (job.channel !== channel) continue;
      this.#queue.delete(key);
      for (const done of job.done) done();
    }
    while (this.#current?.channel === channel) await this.#current.done;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (const [key, job] of this.#queue) {
      // Taken out first: a change during the call needs another one.
      this.#queue.delete(key);
      const { channel } = job;
      const done = channel.notifyLater(invalidatePages(job.node));
      this.#current = { channel, key, done };
      await done;
      this.#current = null;
      for (const waits of job.done) waits();
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

  dropped(node: NodeRef): Promise<void> | null {
    const channel = this.#open();
    return channel === null ? null : this.#pages.dropped(channel, node);
  }

  #open(): Channel | null {
    const channel = this.#channel;
    return channel === null || channel.ended || channel.agreement === null ? null : channel;
  }
}
