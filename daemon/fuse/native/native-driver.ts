/** The driver over libfuse 2, through the optional package fuse-native. */

import { realpath, stat } from "node:fs/promises";
import { MemfsError } from "../../../lib/errors.ts";
import type { Logger } from "../../../lib/log.ts";
import type { Attachment, AttachOptions, Driver } from "../driver.ts";
import { loadAddon } from "./addon.ts";
import { NativeAttachment } from "./attachment.ts";

/** Makes the driver. Package and library are loaded with the first mount, and missed only then. */
export function createNativeDriver(options: { log: Logger }): Driver {
  return new NativeDriver(options.log);
}

class NativeDriver implements Driver {
  readonly name = "native";
  readonly protocol = null;
  readonly #log: Logger;
  readonly #attachments = new Set<NativeAttachment>();
  #closing: Promise<void> | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  async attach(options: AttachOptions): Promise<Attachment> {
    this.#assertOpen();
    const addon = loadAddon();
    const mountpoint = await resolveMountpoint(options.mountpoint);
    this.#assertOpen();
    const attachment = await NativeAttachment.open(addon, { ...options, mountpoint }, this.#log);
    this.#attachments.add(attachment);
    void attachment.ended.then(() => this.#attachments.delete(attachment));
    if (this.#closing !== null) await attachment.destroy();
    this.#assertOpen();
    return attachment;
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#attachments].map((attachment) => attachment.destroy())).then(
      () => undefined,
    );
    return this.#closing;
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new MemfsError("closed", "the native driver is closed; start the daemon again");
  }
}

/** @throws MemfsError `mountpoint_missing`, `mountpoint_unusable` */
async function resolveMountpoint(mountpoint: string): Promise<string> {
  let directory: boolean;
  let path: string;
  try {
    path = await realpath(mountpoint);
    directory = (await stat(path)).isDirectory();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT")
      throw new MemfsError("mountpoint_missing", `${mountpoint} does not exist; make the directory first`, { cause });
    const { message } = cause as Error;
    throw new MemfsError("mountpoint_unusable", `${mountpoint} cannot be reached: ${message}; mount elsewhere`, {
      cause,
    });
  }
  if (!directory) throw new MemfsError("mountpoint_unusable", `${mountpoint} is not a directory; mount on one`);
  return path;
}
