/** The interface both drivers implement: attach a filesystem to a directory, tell when it is gone. */

import type { Filesystem, Invalidator } from "../../lib/vfs/filesystem.ts";

/** How a filesystem is attached. */
export interface AttachOptions {
  /** Absolute path of an existing directory. */
  readonly mountpoint: string;
  /** Shown as the device in `/proc/mounts`: `memfs:notes`. */
  readonly source: string;
  readonly readOnly: boolean;
  readonly allowOther: boolean;
  /** Let the kernel check modes and ownership. */
  readonly defaultPermissions: boolean;
  /** Honour set-user-id bits, and devices; an ordinary user may not ask for either. */
  readonly suid: boolean;
  readonly dev: boolean;
  /** Owner of the mount, as the kernel's `user_id` and `group_id`. */
  readonly uid: number;
  readonly gid: number;
  /** Makes the filesystem, given the way to drop what the kernel has cached of it. */
  readonly filesystem: (invalidator: Invalidator) => Filesystem;
}

/** An attached filesystem. */
export interface Attachment {
  readonly mountpoint: string;
  /** Resolves when the kernel has let go of it, however that came (detach, umount by hand, abort). Never rejects. */
  readonly ended: Promise<void>;
  /**
   * Unmounts. Never blocks the event loop.
   * @throws MemfsError `mountpoint_busy` when files are open and `lazy` is false
   */
  detach(options: { lazy: boolean }): Promise<void>;
}

/** Speaks to the kernel for any number of attachments. */
export interface Driver {
  readonly name: "kernel" | "native";
  /** Version of the FUSE protocol that was agreed with the kernel, as `7.45`; null before the first attachment, and where a library negotiates. */
  readonly protocol: string | null;
  /** @throws MemfsError `fuse_unavailable`, `not_permitted`, `access_denied`, `mountpoint_missing`, `mountpoint_unusable` */
  attach(options: AttachOptions): Promise<Attachment>;
  /** Detaches what is left (lazily) and frees everything. Idempotent. */
  close(): Promise<void>;
}
