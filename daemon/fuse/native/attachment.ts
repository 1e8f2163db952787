/** One mount of the native driver, from libfuse's mount until the kernel has let go. */

import { setTimeout as delay } from "node:timers/promises";
import { MemfsError } from "../../../lib/errors.ts";
import type { Logger } from "../../../lib/log.ts";
import type { Filesystem, Invalidator } from "../../../lib/vfs/filesystem.ts";
import type { Attachment, AttachOptions } from "../driver.ts";
import { endedWithin } from "../within.ts";
import { disconnect } from "../kernel/mount.ts";
import { syscalls } from "../kernel/syscalls.ts";
import type { Addon, MountedThreads } from "./addon.ts";
import { Connection, duplicateOf } from "./connection.ts";
import { mountOptions } from "./options.ts";
import { Session } from "./session.ts";

/** Milliseconds for libfuse and the kernel to agree. */
const INIT_PATIENCE = 10_000;
/**
 * Milliseconds to wait for the kernel after an unmount that succeeded. It lets go at once, unless files of a lazily
 * detached mount are still open, or a copy of the mount lives in another mount namespace.
 */
const GRACE = 1000;

/** libfuse 2 takes nothing back through this addon. Mounts keep nothing in the kernel instead: see `options.ts`. */
const NOTHING_CACHED: Invalidator = Object.freeze({
  attributes: () => undefined,
  content: () => undefined,
  names: () => undefined,
  dropped: () => null,
});

/** A mount that is served. */
export class NativeAttachment implements Attachment {
  readonly mountpoint: string;
  readonly ended: Promise<void>;
  readonly #filesystem: Filesystem;
  readonly #session: Session;
  readonly #log: Logger;
  readonly #serving: Promise<void>;
  #threads: MountedThreads | null = null;
  #connection: Connection | null = null;
  #finishing = false;
  #finished: () => void = () => undefined;

  private constructor(addon: Addon, options: AttachOptions, log: Logger) {
    this.mountpoint = options.mountpoint;
    this.#log = log;
    this.ended = new Promise((resolve) => {
      this.#finished = resolve;
    });
    let serving: () => void = () => undefined;
    this.#serving = new Promise((resolve) => {
      serving = resolve;
    });
    this.#filesystem = options.filesystem(NOTHING_CACHED);
    this.#session = new Session({
      addon,
      filesystem: this.#filesystem,
      caller: { uid: options.uid, gid: options.gid, pid: 0, uniqueHigh: 0, uniqueLow: 0 },
      log,
      onServing: serving,
    });
  }

  /**
   * Mounts on an existing directory without symbolic links in its path.
   * @throws MemfsError `fuse_unavailable`, `mountpoint_unusable`
   */
  static async open(addon: Addon, options: AttachOptions, log: Logger): Promise<NativeAttachment> {
    const attachment = new NativeAttachment(addon, options, log);
    try {
      await attachment.#mount(addon, options);
    } catch (cause) {
      await attachment.#abandon();
      if (cause instanceof MemfsError) throw cause;
      const advice = "see what libfuse says in the log of the daemon, or use the kernel driver";
      throw new MemfsError("fuse_unavailable", `libfuse could not mount on ${options.mountpoint}; ${advice}`, {
        cause,
      });
    }
    return attachment;
  }

  async detach(options: { lazy: boolean }): Promise<void> {
    if (this.#finishing) return this.ended;
    this.#session.finish();
    await disconnect(syscalls(), this.mountpoint, options);
    this.#connection?.expectEnd();
    if (options.lazy || (await endedWithin(this.ended, GRACE))) return;
    this.#log.warn("an unmounted mount lives on", { mountpoint: this.mountpoint });
  }

  /** Detaches at any price: what is still open after a while fails from then on. Never rejects. */
  async destroy(): Promise<void> {
    try {
      await this.detach({ lazy: true });
    } catch (error) {
      this.#log.warn("a mount could not be unmounted", { cause: String(error) });
    }
    await endedWithin(this.ended, GRACE);
    await this.#finish();
  }

  async #mount(addon: Addon, options: AttachOptions): Promise<void> {
    const call = {
      ...{ mountpoint: options.mountpoint, options: mountOptions(options) },
      handlers: this.#session.handlers(),
    };
    const fd = duplicateOf(() => {
      this.#threads = addon.mount(call);
    });
    this.#connection = new Connection(fd, () => void this.#finish());
    const late = delay(INIT_PATIENCE, "late", { ref: false });
    if ((await Promise.race([this.#serving, late])) === "late")
      throw new MemfsError("fuse_unavailable", "libfuse does not serve; use the kernel driver");
  }

  async #finish(): Promise<void> {
    if (this.#finishing) return this.ended;
    this.#finishing = true;
    this.#connection?.close();
    this.#session.finish();
    this.#session.end();
    try {
      await this.#filesystem.detach();
    } catch (error) {
      const cause = error instanceof MemfsError ? error.message : String((error as Error).stack ?? error);
      this.#log.error("detaching a filesystem failed", { cause });
    }
    this.#threads?.release();
    this.#finished();
  }

  /** Mounting failed half-way. */
  async #abandon(): Promise<void> {
    if (this.#threads !== null) await disconnect(syscalls(), this.mountpoint, { lazy: true }).catch(() => undefined);
    await this.#finish();
  }
}
