/**
 * Removing a file that is open in the same mount. libfuse sends the same request, "rename it to a hidden name", for
 * `unlink(f)` and for `rename(other, f)`; only the next request of the same thread tells them apart. Whoever replaces
 * a file by a rename must never make it absent in between, so the name stays until that is known, and whoever asks for
 * it in this mount waits.
 */

import { MemfsError } from "../../../lib/errors.ts";
import type { Logger } from "../../../lib/log.ts";
import type { Answer, Caller, Filesystem, NodeRef } from "../../../lib/vfs/filesystem.ts";
import type { Worker } from "./addon.ts";
import { after } from "./answers.ts";
import type { HiddenFiles } from "./hidden-files.ts";
import type { Paths, Place } from "./paths.ts";
import type { NativeRequest } from "./request.ts";

/**
 * Milliseconds after which an idle thread is taken to have sent `unlink`. The rename follows within 0.1 ms where there
 * is a CPU for it; should it come later it finds the name absent, and still takes it.
 */
const PATIENCE = 20;

interface Pending {
  readonly path: string;
  readonly node: NodeRef;
  readonly worker: Worker;
  readonly timer: NodeJS.Timeout;
  readonly decided: Promise<void>;
  readonly decide: () => void;
}

export interface RemovalsOptions {
  readonly filesystem: Filesystem;
  readonly caller: Caller;
  readonly paths: Paths;
  readonly hidden: HiddenFiles;
  readonly log: Logger;
}

export class Removals {
  readonly #options: RemovalsOptions;
  readonly #pending = new Map<string, Pending>();

  constructor(options: RemovalsOptions) {
    this.#options = options;
  }

  /**
   * libfuse renames the open file `from` to `to`. Both requests that this may stand for change the directory.
   * @throws MemfsError as they do when they may not
   */
  hide(worker: Worker, from: string, to: string): Answer<void> {
    const { filesystem, caller, hidden, paths } = this.#options;
    return paths.place(from, ({ parent, name }) =>
      after(filesystem.setattr(caller, parent, null, {}), () =>
        after(filesystem.lookup(caller, parent, name), (entry) => {
          if (entry === null) throw new MemfsError("not_found", "no such file or directory");
          hidden.add(to, entry.node);
          this.#add(worker, from, entry.node);
        }),
      ),
    );
  }

  /** What a request must wait for before it is served; null when it need not. */
  before(request: NativeRequest, paths: readonly string[]): Promise<void> | null {
    for (const pending of this.#pending.values()) {
      if (pending.worker === request.worker) {
        if (request.name === "rename" && paths[1] === pending.path) {
          this.#settle(pending);
          continue;
        }
        this.#remove(pending);
      }
      if (this.#pending.has(pending.path) && paths.some((path) => concerns(path, pending.path))) return pending.decided;
    }
    return null;
  }

  /** Removes what is still undecided. */
  finish(): void {
    for (const pending of this.#pending.values()) this.#remove(pending);
  }

  #add(worker: Worker, path: string, node: NodeRef): void {
    let decide: () => void = () => undefined;
    const decided = new Promise<void>((resolve) => {
      decide = resolve;
    });
    // The second wait lets a request in that has arrived while this thread was busy.
    const timer = setTimeout(() => setImmediate(() => this.#removeIfPending(pending)), PATIENCE);
    const pending: Pending = { path, node, worker, timer, decided, decide };
    this.#pending.set(path, pending);
  }

  #removeIfPending(pending: Pending): void {
    if (this.#pending.get(pending.path) === pending) this.#remove(pending);
  }

  /** It was `unlink`. */
  #remove(pending: Pending): void {
    const { paths, log } = this.#options;
    const failed = (error: unknown): void => {
      log.error("an open file could not be removed", { error: String(error) });
      this.#settle(pending);
    };
    try {
      const removed = paths.place(pending.path, (place) => this.#unlink(place, pending.node));
      if (removed instanceof Promise) removed.then(() => this.#settle(pending), failed);
      else this.#settle(pending);
    } catch (error) {
      failed(error);
    }
  }

  /** Somebody else may have put another file there meanwhile: that one stays. */
  #unlink({ parent, name }: Place, node: NodeRef): Answer<void> {
    const { filesystem, caller, paths } = this.#options;
    return after(filesystem.lookup(caller, parent, name), (entry) => {
      if (entry === null) return;
      paths.forget(entry.node);
      const same = entry.node.slot === node.slot && entry.node.number === node.number;
      return same ? filesystem.unlink(caller, parent, name) : undefined;
    });
  }

  #settle(pending: Pending): void {
    clearTimeout(pending.timer);
    this.#pending.delete(pending.path);
    pending.decide();
  }
}

/** Whether a request for `path` may tell if the name at `removed` is there: the name itself, or its directory. */
function concerns(path: string, removed: string): boolean {
  return path === removed || path === (removed.slice(0, removed.lastIndexOf("/")) || "/");
}
