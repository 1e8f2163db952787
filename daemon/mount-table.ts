/**
 * The file in the home that remembers where this daemon has mounts: after its death nobody else knows, and a dead
 * mount answers nothing but "Transport endpoint is not connected".
 */

import { readFile } from "node:fs/promises";
import { writeFileAtomic } from "../lib/atomic-file.ts";
import type { Logger } from "../lib/log.ts";
import { clearIfDead } from "./mountpoint.ts";

/** Mountpoints on disk, in step with what is mounted. */
export class MountTable {
  readonly #file: string;
  /** By the id of the mount: one may end at a mountpoint while the next begins there. */
  readonly #mountpoints = new Map<string, string>();
  readonly #cleared = new Set<string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** Mountpoints that {@link clearStale} found dead or gone, without those that were mounted on again. */
  get cleared(): readonly string[] {
    return [...this.#cleared];
  }

  /** Clears away the mounts of a predecessor that died. Never fails: what cannot be cleared is logged. */
  async clearStale(log: Logger): Promise<void> {
    for (const mountpoint of await this.#read(log)) {
      try {
        if (await clearIfDead(mountpoint, log)) this.#cleared.add(mountpoint);
      } catch (error) {
        log.warn("could not clear the mount of a dead daemon", { mountpoint, error: String(error) });
      }
    }
    await this.#write();
  }

  /** On disk before the kernel mounts: a crash in between leaves an entry too many, never one too few. */
  add(id: string, mountpoint: string): Promise<void> {
    this.#mountpoints.set(id, mountpoint);
    this.#cleared.delete(mountpoint);
    return this.#write();
  }

  remove(id: string): Promise<void> {
    this.#mountpoints.delete(id);
    return this.#write();
  }

  async #read(log: Logger): Promise<readonly string[]> {
    try {
      const table: unknown = JSON.parse(await readFile(this.#file, "utf8"));
      if (Array.isArray(table) && table.every((entry) => typeof entry === "string")) return table;
      log.warn("the mount table is damaged and is written anew", { file: this.#file });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        log.warn("the mount table cannot be read and is written anew", { file: this.#file, error: String(error) });
      }
    }
    return [];
  }

  /** One write at a time, each with what holds when its turn comes. */
  #write(): Promise<void> {
    const next = this.#writing.then(() =>
      writeFileAtomic(this.#file, `${JSON.stringify([...new Set(this.#mountpoints.values())])}\n`),
    );
    this.#writing = next.catch(() => undefined);
    return next;
  }
}
