/**
 * The locks on the files of one store, through all of its mounts: flock(2) by open file, fcntl(2) by ranges of bytes.
 * The two kinds do not see each other, as on any Linux file system.
 *
 * Who owns an fcntl lock, a process or an open file (OFD), the kernel does not tell; both are 64 bits that it uses again
 * for others later. So every lock also keeps its handle, and goes with whichever ends first. Whether its process is
 * alive is not asked: `flock 9` in a shell leaves the lock to the open file and ends.
 */

import { MemfsError } from "../errors.ts";
import { type Claim, FileLocks, type LockHolder, sameOwner, type Waiter } from "./file-locks.ts";
import type { LockOwner } from "./filesystem.ts";
import { Parked } from "./parked.ts";

/** Locks held, and claims that wait, in one store: each costs a look by every request for a lock of the same file. */
const MAX_HELD = 8192;
const MAX_WAITERS = 1024;
/** Files remembered to have had range locks. */
const MAX_RANGED = 4096;

export class LockTable {
  readonly #flocks = new Map<number, FileLocks>();
  readonly #ranges = new Map<number, FileLocks>();
  readonly #waiters = new Set<Waiter>();
  /** Files that range locks were taken on lately, see {@link wantsFlush}. */
  readonly #ranged = new Set<number>();
  #held = 0;

  /** Locks held. While it is 0 nothing below need be told that a file was closed. */
  get held(): number {
    return this.#held;
  }

  /** Claims that wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * True when closing any descriptor of the file may free locks, so that the table must hear of it. Programs that lock
   * a file do it again and again, so it stays true for a while after the last lock is gone.
   */
  wantsFlush(node: number): boolean {
    return this.#ranged.has(node);
  }

  /** True when programs have locks on the file, or had range locks on it lately. */
  concern(node: number): boolean {
    return this.#ranged.has(node) || this.#flocks.has(node) || this.#ranges.has(node);
  }

  /** The lock that stands against a claim; null when it would be granted. */
  test(claim: Claim): Claim | null {
    return this.#kind(claim).get(claim.node)?.firstAgainst(claim) ?? null;
  }

  /**
   * Grants a claim, or returns a lock that stands against it.
   * A flock that is converted is given up first, also when the new one is then refused, as flock(2) says: two holders
   * of shared locks that both want an exclusive one would wait for each other for ever.
   * @throws MemfsError `no_locks` when the store has too many
   */
  take(claim: Claim): Claim | null {
    const file = this.#file(claim);
    const converted = claim.flock ? file.own(claim) : null;
    if (converted?.exclusive === claim.exclusive) return null;
    if (converted !== null) this.#change(file, () => file.free(converted));
    const against = file.firstAgainst(claim);
    const full = against === null && this.#held >= MAX_HELD;
    if (against === null && !full) this.#hold(file, claim);
    this.#wake(claim.node, claim.flock);
    if (full) throw new MemfsError("no_locks", `the store has ${MAX_HELD} locks, the most there can be; release some`);
    return against;
  }

  /**
   * Waits, behind those that came before, until nothing stands against a claim that {@link take} has just not granted.
   * @throws MemfsError `deadlock` when somebody it would wait for waits for its owner; `no_locks`
   */
  wait(claim: Claim): Parked {
    const file = this.#file(claim);
    if (this.#waiters.size >= MAX_WAITERS)
      throw new MemfsError("no_locks", `${MAX_WAITERS} wait for locks of the store, the most that can; try again`);
    if (this.#deadlocks(file, claim)) throw deadlock();
    const waiter: Waiter = { claim, parked: new Parked(() => this.#refuse(waiter, interrupted())) };
    file.waiters.push(waiter);
    this.#waiters.add(waiter);
    return waiter.parked;
  }

  /**
   * Gives up what the claim's owner holds in its range.
   * @throws MemfsError `no_locks` when that would leave two locks of one and the store has too many
   */
  free(claim: Claim): void {
    const file = this.#kind(claim).get(claim.node);
    if (file === undefined) return;
    if (this.#held >= MAX_HELD && file.splitBy(claim))
      throw new MemfsError("no_locks", `the store has ${MAX_HELD} locks, the most there can be; release whole ones`);
    this.#change(file, () => file.free(claim));
    this.#wake(claim.node, claim.flock);
  }

  /** A process closed a descriptor of the file: its range locks there are gone, through whichever handle they came. */
  closed(mount: LockHolder, node: number, { ownerHigh, ownerLow }: LockOwner): void {
    const owns = ({ mount: of, owner }: Claim): boolean =>
      of === mount && owner.ownerLow === ownerLow && owner.ownerHigh === ownerHigh;
    this.#drop(this.#ranges.get(node), owns);
    this.#wake(node, false);
  }

  /** Nobody has the handle any more. */
  released(mount: LockHolder, node: number, handle: number): void {
    const through = (held: Claim): boolean => held.handle === handle && held.mount === mount;
    for (const flock of [false, true]) {
      this.#drop((flock ? this.#flocks : this.#ranges).get(node), through);
      this.#wake(node, flock);
    }
  }

  /** The mount is gone: its locks are dropped, those who wait in it are refused with `no_locks`. */
  detached(mount: LockHolder): void {
    for (const waiter of [...this.#waiters]) if (waiter.claim.mount === mount) this.#refuse(waiter, unmounted());
    for (const flock of [false, true]) {
      for (const [node, file] of [...(flock ? this.#flocks : this.#ranges)]) {
        this.#drop(file, (held) => held.mount === mount);
        this.#wake(node, flock);
      }
    }
  }

  #kind({ flock }: Claim): Map<number, FileLocks> {
    return flock ? this.#flocks : this.#ranges;
  }

  #file(claim: Claim): FileLocks {
    const files = this.#kind(claim);
    const known = files.get(claim.node);
    if (known !== undefined) return known;
    if (!claim.flock) this.#noteRanged(claim.node);
    const file = new FileLocks();
    files.set(claim.node, file);
    return file;
  }

  #noteRanged(node: number): void {
    if (this.#ranged.has(node)) return;
    if (this.#ranged.size >= MAX_RANGED) {
      this.#ranged.clear();
      for (const locked of this.#ranges.keys()) this.#ranged.add(locked);
    }
    this.#ranged.add(node);
  }

  /** Every change of what is held goes through here, and is counted. */
  #change(file: FileLocks, change: () => void): void {
    const before = file.size;
    change();
    this.#held += file.size - before;
  }

  #drop(file: FileLocks | undefined, matches: (held: Claim) => boolean): void {
    if (file !== undefined) this.#change(file, () => file.drop(matches));
  }

  #hold(file: FileLocks, claim: Claim): void {
    this.#change(file, () => file.take(claim));
    if (claim.flock || this.#waiters.size === 0) return;
    // Who waits for this owner now did not when it began to; that matters when a thread of the owner waits itself.
    if (![...this.#waiters].some((waiter) => sameOwner(waiter.claim, claim))) return;
    for (const waiter of [...file.waiters]) if (this.#deadlocks(file, waiter.claim)) this.#refuse(waiter, deadlock());
  }

  /** Grants what can be granted now, first come first served. A grant may free something: so from the start again. */
  #wake(node: number, flock: boolean): void {
    const file = (flock ? this.#flocks : this.#ranges).get(node);
    if (file === undefined) return;
    for (let waiter = file.nextWaiter(); waiter !== null; waiter = file.nextWaiter()) {
      this.#leave(file, waiter);
      this.#hold(file, waiter.claim);
      answer(waiter);
    }
    this.#forget(node, flock);
  }

  #forget(node: number, flock: boolean): void {
    const files = flock ? this.#flocks : this.#ranges;
    if (files.get(node)?.idle === true) files.delete(node);
  }

  #leave(file: FileLocks, waiter: Waiter): void {
    file.waiters.splice(file.waiters.indexOf(waiter), 1);
    this.#waiters.delete(waiter);
  }

  /** Nothing when the waiter was answered before. */
  #refuse(waiter: Waiter, refusal: MemfsError): void {
    if (!this.#waiters.has(waiter)) return;
    const { node, flock } = waiter.claim;
    this.#leave(this.#file(waiter.claim), waiter);
    this.#forget(node, flock);
    waiter.parked.settle(refusal);
  }

  /**
   * Follows who waits for whom through the range locks of the store. Not for flock, where Linux looks for none either.
   * An owner with several threads may wait for several things.
   */
  #deadlocks(file: FileLocks, claim: Claim): boolean {
    if (claim.flock) return false;
    const met = new Set<Waiter>();
    const chain: { file: FileLocks; claim: Claim }[] = [{ file, claim }];
    for (const link of chain) {
      for (const holder of link.file.against(link.claim)) {
        if (sameOwner(holder, claim)) return true;
        for (const waiter of this.#waiters) {
          if (waiter.claim.flock || met.has(waiter) || !sameOwner(waiter.claim, holder)) continue;
          met.add(waiter);
          chain.push({ file: this.#file(waiter.claim), claim: waiter.claim });
        }
      }
    }
    return false;
  }
}

/** A mount may have to make the file current first. */
function answer({ claim, parked }: Waiter): void {
  const ready = claim.mount.granted(claim.node);
  if (ready === null) parked.settle(null);
  else void ready.then(() => parked.settle(null));
}

function deadlock(): MemfsError {
  return new MemfsError("deadlock", "the owner of the lock waits for this one; release yours first");
}

function interrupted(): MemfsError {
  return new MemfsError("interrupted", "a signal came while waiting for a lock; try again");
}

function unmounted(): MemfsError {
  return new MemfsError("no_locks", "the mount was taken away; open the file in another one");
}
