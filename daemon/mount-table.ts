/**
 * The file in the home that remembers where this daemon has mounts: after its death nobody else knows, and a dead
 * mount answers nothing but "Transport endpoint is not connected". Of mounts that are to come back it has everything.
 */

import { readFile, rename } from "node:fs/promises";
import { writeFileAtomic } from "../lib/atomic-file.ts";
import type { Logger } from "../lib/log.ts";
import { isMountInfo, type MountInfo } from "./mount-info.ts";
import { clearIfDead } from "./mountpoint.ts";

/** A mountpoint to clear, or a mount to make again. */
type Entry = string | MountInfo;

/** Mounts on disk, in step with what is mounted. */
export class MountTable {
  readonly #file: string;
  /** By the id of the mount: one may end at a mountpoint while the next begins there. */
  readonly #mounts = new Map<string, MountInfo>();
  readonly #cleared = new Set<string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** Mountpoints that {@link open} found dead or gone, without those that were mounted on again. */
  get cleared(): readonly string[] {
    return [...this.#cleared];
  }

  /**
   * Clears away the mounts of a predecessor that died, and returns those that are to come back. Never fails: what cannot
   * be cleared is logged.
   */
  async open(log: Logger): Promise<readonly MountInfo[]> {
    for (const entry of await this.#read(log)) {
      if (typeof entry !== "string") this.#mounts.set(entry.id, entry);
      const mountpoint = typeof entry === "string" ? entry : entry.mountpoint;
      try {
        if (await clearIfDead(mountpoint, log)) this.#cleared.add(mountpoint);
      } catch (error) {
        log.warn("could not clear the mount of a dead daemon", { mountpoint, error: String(error) });
      }
    }
    await this.#write();
    return [...this.#mounts.values()];
  }

  /** On disk before the kernel mounts: a crash in between leaves an entry too many, never one too few. */
  add(mount: MountInfo): Promise<void> {
    this.#mounts.set(mount.id, mount);
    this.#cleared.delete(mount.mountpoint);
    return this.#write();
  }

  remove(id: string): Promise<void> {
    this.#mounts.delete(id);
    return this.#write();
  }

  async #read(log: Logger): Promise<readonly Entry[]> {
    let damage = "it is no table of mounts";
    try {
      const table: unknown = JSON.parse(await readFile(this.#file, "utf8"));
      if (Array.isArray(table) && table.every(isEntry)) return table;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      damage = String(error);
    }
    // Kept for whoever wants to know which mounts were to come back.
    await rename(this.#file, `${this.#file}.damaged`).catch(() => undefined);
    log.error("the mount table is damaged and begins anew", { file: this.#file, damage });
    return [];
  }

  /** One write at a time, each with what holds when its turn comes. */
  #write(): Promise<void> {
    const next = this.#writing.then(() => {
      const entries = [...this.#mounts.values()].map((mount): Entry => (mount.persist ? mount : mount.mountpoint));
      return writeFileAtomic(this.#file, `${JSON.stringify([...new Set(entries)])}\n`);
    });
    this.#writing = next.catch(() => undefined);
    return next;
  }
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "string" || isMountInfo(value);
}
