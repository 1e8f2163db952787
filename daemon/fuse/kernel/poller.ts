/**
 * The wait loop. One loop on the main thread serves all mounts: after a request it spins for the next one, then
 * lingers asleep in the kernel, then hands the waiting over to one asynchronous `epoll_wait` in the thread pool and
 * returns to the event loop. So it answers like a dedicated thread while there is work, and costs nothing when idle.
 */

import { closeSync } from "node:fs";
import type { Channel } from "./channel.ts";
import type { Pacing } from "./pacing.ts";
import { check } from "./syscalls.ts";
import type { EpollLimits, Syscalls } from "./syscalls.ts";

/** `EPOLL_CTL_ADD`, `EPOLL_CTL_DEL`, `EPOLLIN` (also `POLLIN`), `EPOLL_CLOEXEC`, `EFD_CLOEXEC | EFD_NONBLOCK`. */
const CTL_ADD = 1;
const CTL_DEL = 2;
const IN = 0x001;
const CLOEXEC = 0o2000000;
const CLOEXEC_NONBLOCK = 0o2004000;

/** Requests served from one descriptor before the others have their turn. */
const TURN = 16;

/** Nanoseconds asleep in the kernel before the waiting is handed over. */
const LINGER = 100_000;

/** Milliseconds of unbroken work before timers, HTTP and the completions of the pool have their turn. */
const SLICE = 1;

/**
 * Milliseconds for which the event loop is kept turning for an answer that waits, an fsync mostly: two wake-ups dearer
 * than a turn are saved, of this thread by the pool and by the next request. Between turns it yields: the thread of the
 * pool that the answer comes from may be waiting for this CPU, and would for a whole time slice (1.4 ms on two CPUs).
 */
const HOT = 1;

/** `struct epoll_event` in 32-bit words: packed on x86-64 only, and with padding between elsewhere. */
const EVENT_WORDS = process.arch === "x64" ? 3 : 4;
const EVENT_DATA = process.arch === "x64" ? 1 : 2;
const EVENTS = 16;

const NO_WAIT: EpollLimits = Object.freeze({ events: EVENTS, milliseconds: 0 });
const WAIT: EpollLimits = Object.freeze({ events: 1, milliseconds: -1 });

/** Bytes that are also seen as 32-bit words. */
function cells(words: number): { bytes: Buffer; words: Uint32Array } {
  const memory = new ArrayBuffer(words * 4);
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory) };
}

/** Serves channels until they end or are removed. Its owner hears of an end from the channel and removes it. */
export class Poller {
  readonly #calls: Syscalls;
  readonly #pacing: Pacing;
  /** All descriptors; its events carry the descriptor as their data. */
  readonly #epoll: number;
  /** Wakes the asynchronous wait when there is nothing left to wait for. */
  readonly #bell: number;
  readonly #events = cells(EVENTS * EVENT_WORDS);
  readonly #asleep = cells(EVENT_WORDS);
  readonly #control = cells(EVENT_WORDS);
  readonly #pollfd = cells(2);
  readonly #timeout = cells(4);
  readonly #ringing = cells(2);
  /** By descriptor: those that are read, and those that are left alone until their filesystem is relieved. */
  readonly #active = new Map<number, Channel>();
  readonly #parked = new Map<number, Channel>();
  #scheduled = false;
  /** When the loop stops turning for answers that wait; no request came since they began to. */
  #hotUntil = 0;
  /** The asynchronous wait in the pool, while there is one. */
  #sleep: Promise<void> | null = null;
  #closed = false;
  readonly #onExit = (): void => this.#ring();

  constructor(calls: Syscalls, pacing: Pacing) {
    this.#calls = calls;
    this.#pacing = pacing;
    this.#epoll = check(calls.epollCreate(CLOEXEC), "epoll_create1");
    this.#bell = check(calls.eventfd(0, CLOEXEC_NONBLOCK), "eventfd");
    this.#watch(this.#bell);
    this.#timeout.words[2] = LINGER;
    this.#pollfd.words[0] = this.#epoll;
    this.#pollfd.words[1] = IN;
    // exit() joins the threads of the pool: one that waits for a mount would hold the process for ever.
    process.once("exit", this.#onExit);
  }

  /** Starts to serve a channel. */
  add(channel: Channel): void {
    this.#parked.delete(channel.fd);
    this.#active.set(channel.fd, channel);
    this.#watch(channel.fd);
    this.resume();
  }

  /** Stops serving a channel; must come before its descriptor is closed. */
  remove(channel: Channel): void {
    this.#parked.delete(channel.fd);
    if (!this.#active.delete(channel.fd)) return;
    this.#unwatch(channel.fd);
    if (this.#active.size === 0) this.#ring();
  }

  /** Looks for requests soon, though nothing in the kernel has changed: an answer was sent, a mount was added. */
  resume(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  /** Frees everything, once no call of the pool uses it. The channels are removed before. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    process.removeListener("exit", this.#onExit);
    this.#ring();
    await this.#sleep;
    closeSync(this.#epoll);
    closeSync(this.#bell);
  }

  /** One stretch of work: until nothing comes any more, or others should have their turn. */
  #run(): void {
    if (this.#closed) return;
    const end = performance.now() + SLICE;
    let served = this.#sweep();
    while (this.#active.size > 0) {
      // The completion that an answer (or a parked mount) waits for needs the event loop.
      if (this.#answersWait()) break;
      served = this.#await();
      if (served === 0) break;
      if (performance.now() > end) break;
    }
    this.#pacing.refresh();
    if (served > 0) {
      this.#hotUntil = performance.now() + HOT;
      this.resume();
    } else if (this.#isHot()) {
      this.#calls.yield();
      this.resume();
    } else this.#handOver();
  }

  /** True while it pays to turn the event loop for an answer that will come soon. */
  #isHot(): boolean {
    return this.#answersWait() && performance.now() < this.#hotUntil;
  }

  /** Waits for requests a moment and serves them; returns how many. */
  #await(): number {
    const spin = this.#pacing.spin();
    if (spin > 0) {
      const end = performance.now() + spin;
      do {
        const served = this.#sweep();
        if (served > 0) {
          this.#pacing.hit();
          return served;
        }
      } while (performance.now() < end);
      this.#pacing.miss();
    }
    return this.#calls.ppoll(this.#pollfd.bytes, this.#timeout.bytes) > 0 ? this.#sweep() : 0;
  }

  /** Serves what is ready now, without waiting; returns how many requests. */
  #sweep(): number {
    // With one mount the read itself says whether something is there.
    if (this.#active.size === 1) {
      for (const channel of this.#active.values()) return this.#drain(channel);
    }
    const ready = this.#calls.epollWait(this.#epoll, this.#events.bytes, NO_WAIT);
    let served = 0;
    for (let index = 0; index < ready; index += 1) {
      const channel = this.#active.get(this.#events.words[index * EVENT_WORDS + EVENT_DATA] as number);
      if (channel !== undefined) served += this.#drain(channel);
    }
    return served;
  }

  #drain(channel: Channel): number {
    const served = channel.drain(TURN);
    if (channel.pressed && !channel.ended) this.#park(channel);
    return served;
  }

  #answersWait(): boolean {
    if (this.#parked.size > 0) return true;
    for (const channel of this.#active.values()) if (channel.waiting > 0) return true;
    return false;
  }

  /** Leaves a channel alone until its filesystem has caught up: its requests wait in the kernel. */
  #park(channel: Channel): void {
    this.#active.delete(channel.fd);
    this.#unwatch(channel.fd);
    this.#parked.set(channel.fd, channel);
    const unpark = (): void => {
      if (this.#parked.get(channel.fd) === channel) this.add(channel);
    };
    channel.relieved().then(unpark, unpark);
  }

  /** Waits in the thread pool, unless that goes on already or there is nothing to wait for. */
  #handOver(): void {
    if (this.#sleep !== null || this.#active.size === 0 || this.#closed) return;
    const woken = (): void => {
      this.#sleep = null;
      this.#calls.read(this.#bell, this.#ringing.bytes, 8);
      this.#run();
    };
    // A failed wait is no reason to stop serving: the next one is made when there is nothing more to do.
    this.#sleep = this.#calls.epollWaitLater(this.#epoll, this.#asleep.bytes, WAIT).then(woken, woken);
  }

  #ring(): void {
    if (this.#sleep === null) return;
    this.#ringing.words.set([1, 0]);
    this.#calls.write(this.#bell, this.#ringing.bytes, 8);
  }

  #watch(fd: number): void {
    this.#control.words[0] = IN;
    this.#control.words[EVENT_DATA] = fd;
    check(this.#calls.epollControl(this.#epoll, CTL_ADD, fd, this.#control.bytes), "epoll_ctl");
  }

  #unwatch(fd: number): void {
    this.#calls.epollControl(this.#epoll, CTL_DEL, fd, this.#control.bytes);
  }
}
