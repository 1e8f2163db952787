/** One request as the addon delivers it. */

import koffi from "koffi";
import { MemfsError } from "../../../lib/errors.ts";
import type { LockOwner } from "../../../lib/vfs/filesystem.ts";
import type { OperationName, Worker } from "./addon.ts";

const TWO_32 = 0x1_0000_0000;

/** Offsets in the worker's record (`fuse_thread_locals_t` of the addon, 64-bit hosts). */
const INFO_POINTER = 48;
const ATIME = 104;
const MTIME = 112;

/** Offsets in libfuse 2's `struct fuse_file_info`. */
const OPEN_FLAGS = 0n;
const WRITE_PAGE = 16n;
const LOCK_OWNER = 32n;

/** A request; only valid until it is answered. */
export class NativeRequest {
  readonly name: OperationName;
  readonly worker: Worker;
  readonly #args: readonly unknown[];

  constructor(name: OperationName, worker: Worker, args: readonly unknown[]) {
    this.name = name;
    this.worker = worker;
    this.#args = args;
  }

  /** A string argument: bytes as latin1, thanks to the character conversion the mount is made with. */
  text(index: number): string {
    return this.#args[index] as string;
  }

  u32(index: number): number {
    return (this.#args[index] as number) >>> 0;
  }

  /** A 64-bit argument, passed as two halves, the low one first. */
  u64(index: number): number {
    return this.u32(index) + this.u32(index + 1) * TWO_32;
  }

  /** Memory of the worker. */
  memory(index: number): Buffer {
    return this.#args[index] as Buffer;
  }

  /** O_* flags of the open file, in `create` and `write`, where the addon does not pass them on. */
  get openFlags(): number {
    return this.#info(OPEN_FLAGS, "int32_t");
  }

  /** True in a `write` of a page that was changed through a mapping. */
  get writesPage(): boolean {
    return this.#info(WRITE_PAGE, "int32_t") !== 0;
  }

  /** The kernel's number for the file table that `write` or `flush` came through: one process, as a rule. */
  get lockOwner(): LockOwner {
    return {
      ownerLow: this.#info(LOCK_OWNER, "uint32_t"),
      ownerHigh: this.#info(LOCK_OWNER + 4n, "uint32_t"),
    };
  }

  /**
   * Times of `utimens` in milliseconds. The addon passes the access time twice, so the other one is read where it got
   * it from; that the first is found there, too, shows that the place is right.
   * @throws MemfsError `internal` when it is not
   */
  get times(): { atime: number; mtime: number } {
    const atime = this.u64(1);
    if (this.worker.readBigUInt64LE(ATIME) !== BigInt(atime))
      throw new MemfsError("internal", "the addon of fuse-native is built otherwise than its version says; report it");
    return { atime, mtime: Number(this.worker.readBigUInt64LE(MTIME)) };
  }

  #info(offset: bigint, type: "int32_t" | "uint32_t"): number {
    return koffi.decode(this.worker.readBigUInt64LE(INFO_POINTER) + offset, type) as number;
  }
}
