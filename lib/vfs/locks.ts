/** Locks as one mount asks for them: what the table of the store grants, and what a lock promises beyond exclusion. */

import { setImmediate as turn } from "node:timers/promises";
import { MemfsError } from "../errors.ts";
import type { Claim, LockHolder } from "./file-locks.ts";
import type { Answer, HandleRef, Lock, LockRequest } from "./filesystem.ts";
import type { Handles } from "./handle.ts";
import type { LockTable } from "./lock-table.ts";
import type { Parked } from "./parked.ts";

/** What a mount's locks are about: its open files, and the table they share with other mounts. */
export interface LockingView extends LockHolder {
  readonly live: { readonly locks: LockTable };
  readonly handles: Pick<Handles, "file">;
  /** Nodes with uncommitted bytes. */
  readonly drafts: { has(node: number): boolean };
  /** Drafts that others may look at. */
  readonly waiting: { add(node: number): unknown };
}

export class Locks {
  readonly #view: LockingView;
  #ended = false;

  constructor(view: LockingView) {
    this.#view = view;
  }

  /** @throws MemfsError `bad_handle` */
  get(number: number, handle: HandleRef, request: LockRequest): Lock | null {
    const against = this.#view.live.locks.test(this.#claim(number, handle, request));
    if (against === null) return null;
    const { exclusive, start, end, pid } = against;
    return { type: exclusive ? "write" : "read", start, end, pid };
  }

  /** @throws MemfsError `bad_handle`, `would_block`, `deadlock`, `no_locks` */
  set(number: number, handle: HandleRef, request: LockRequest): Answer<void> | Parked {
    const { live } = this.#view;
    const claim = this.#claim(number, handle, request);
    if (request.type !== "write") this.#offer(number);
    if (request.type === "unlock") return live.locks.free(claim);
    this.#requireMounted();
    const against = live.locks.take(claim);
    if (against === null) return this.#view.granted(number) ?? undefined;
    if (request.wait) return live.locks.wait(claim);
    if (against.mount === this.#view) throw wouldBlock();
    return this.#takeAfterOthers(claim);
  }

  /** The mount is taken away, though the kernel may go on using it for what is open: it holds no locks any more. */
  end(): void {
    this.#ended = true;
    this.#view.live.locks.detached(this.#view);
  }

  #claim(node: number, ref: HandleRef, { type, owner, flock, start, end, pid }: LockRequest): Claim {
    const handle = this.#view.handles.file(ref, node).id;
    return { mount: this.#view, owner, handle, node, flock, exclusive: type === "write", start, end, pid };
  }

  /**
   * A program that gives a lock up, or lets readers in, offers what it wrote to the next one, although it keeps the
   * file open. Whether that needs a commit shows when another mount looks.
   */
  #offer(number: number): void {
    if (this.#view.drafts.has(number)) this.#view.waiting.add(number);
  }

  /**
   * A descriptor that was closed in another mount frees its locks with a RELEASE that may still be unread, though
   * `close` has returned. Two turns of the event loop let every mount's requests be read.
   */
  async #takeAfterOthers(claim: Claim): Promise<void> {
    await turn();
    await turn();
    this.#requireMounted();
    if (this.#view.live.locks.take(claim) !== null) throw wouldBlock();
    await this.#view.granted(claim.node);
  }

  #requireMounted(): void {
    if (this.#ended) throw new MemfsError("no_locks", "the mount was taken away; open the file in another one");
  }
}

function wouldBlock(): MemfsError {
  return new MemfsError("would_block", "somebody else holds a lock; try again later");
}
