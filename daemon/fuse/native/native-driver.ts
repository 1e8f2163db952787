/** The driver over libfuse 2, through the optional package fuse-native. */

import { MemfsError } from "../../../lib/errors.ts";
import type { Logger } from "../../../lib/log.ts";
import type { Attachment, AttachOptions, Driver } from "../driver.ts";
import { resolveMountpoint } from "../resolve-mountpoint.ts";
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
