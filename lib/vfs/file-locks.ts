/** The locks of one kind (flock, or ranges of bytes) on one file, and who waits for them. */

import type { LockOwner } from "./filesystem.ts";
import type { Parked } from "./parked.ts";

/** A mount that holds locks. */
export interface LockHolder {
  /** Called when the mount has just been given a lock. What is returned must resolve before its program goes on. */
  granted(node: number): Promise<void> | null;
}

/** A lock, held or wanted. */
export interface Claim {
  /** Owners are compared within one mount only. */
  readonly mount: LockHolder;
  readonly owner: LockOwner;
  /** Number of the handle it came through: gone with it. */
  readonly handle: number;
  readonly node: number;
  readonly flock: boolean;
  readonly exclusive: boolean;
  /** First and last byte. */
  readonly start: bigint;
  readonly end: bigint;
  /** The process that asked; 0 when unknown. */
  readonly pid: number;
}

/** A claim that waits for others' locks to go. */
export interface Waiter {
  readonly claim: Claim;
  readonly parked: Parked;
}

/** The same owner: its locks never stand against each other. */
export function sameOwner(one: Claim, other: Claim): boolean {
  const [a, b] = [one.owner, other.owner];
  return one.mount === other.mount && a.ownerLow === b.ownerLow && a.ownerHigh === b.ownerHigh;
}

function overlap(one: Claim, other: Claim): boolean {
  return one.start <= other.end && other.start <= one.end;
}

/** Two locks that become one: what is otherwise the same, side by side or overlapping. */
function joins(one: Claim, other: Claim): boolean {
  const alike = one.exclusive === other.exclusive && one.handle === other.handle && one.pid === other.pid;
  return alike && one.start <= other.end + 1n && other.start <= one.end + 1n;
}

/** Written out, not spread: every claim keeps one shape. */
function resized(claim: Claim, start: bigint, end: bigint): Claim {
  const { mount, owner, handle, node, flock, exclusive, pid } = claim;
  return { mount, owner, handle, node, flock, exclusive, start, end, pid };
}

/** INVARIANT: locks of one owner do not overlap; of two owners' locks that overlap neither is exclusive. */
export class FileLocks {
  #held: Claim[] = [];
  /** In the order they came. */
  readonly waiters: Waiter[] = [];

  /** How many locks are held. */
  get size(): number {
    return this.#held.length;
  }

  /** Nobody holds anything and nobody waits. */
  get idle(): boolean {
    return this.#held.length === 0 && this.waiters.length === 0;
  }

  /** The locks of others that a claim cannot be granted beside. */
  *against(claim: Claim): Generator<Claim> {
    for (const held of this.#held) {
      if ((held.exclusive || claim.exclusive) && overlap(held, claim) && !sameOwner(held, claim)) yield held;
    }
  }

  /** The first of {@link against} by position, null when there is none. */
  firstAgainst(claim: Claim): Claim | null {
    let first: Claim | null = null;
    for (const held of this.against(claim)) if (first === null || held.start < first.start) first = held;
    return first;
  }

  /** The lock of the claim's owner; for flock, of which an owner has at most one. */
  own(claim: Claim): Claim | null {
    return this.#held.find((held) => sameOwner(held, claim)) ?? null;
  }

  /** The first waiter that nothing stands against; null when there is none. */
  nextWaiter(): Waiter | null {
    return this.waiters.find(({ claim }) => this.firstAgainst(claim) === null) ?? null;
  }

  /** True when freeing the claim's range takes the middle out of a lock, which leaves two. */
  splitBy(claim: Claim): boolean {
    return this.#held.some((held) => sameOwner(held, claim) && held.start < claim.start && held.end > claim.end);
  }

  /** Holds the claim, in place of what its owner held in that range. Nothing may stand {@link against} it. */
  take(claim: Claim): void {
    let { start, end } = claim;
    this.#held = this.#held.filter((held) => {
      if (!sameOwner(held, claim) || !joins(held, claim)) return true;
      if (held.start < start) start = held.start;
      if (held.end > end) end = held.end;
      return false;
    });
    this.free(claim);
    this.#held.push(resized(claim, start, end));
  }

  /** Frees the claim's range of what its owner holds there. */
  free(claim: Claim): void {
    this.#held = this.#held.flatMap((held) => {
      if (!sameOwner(held, claim) || !overlap(held, claim)) return [held];
      const rest: Claim[] = [];
      if (held.start < claim.start) rest.push(resized(held, held.start, claim.start - 1n));
      if (held.end > claim.end) rest.push(resized(held, claim.end + 1n, held.end));
      return rest;
    });
  }

  /** Frees every lock that matches. */
  drop(matches: (held: Claim) => boolean): void {
    this.#held = this.#held.filter((held) => !matches(held));
  }
}
