/** The drivers of this daemon, each made when a mount first asks for it. */

import { MemfsError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Driver } from "./fuse/driver.ts";
import { createKernelDriver } from "./fuse/kernel/kernel-driver.ts";

export type DriverName = Driver["name"];

/** What a mount may need of its driver. */
export interface DriverNeeds {
  /** To know who asks: new files belong to them. */
  readonly posixOwner: boolean;
}

/** Who asked for it was told why there is none. */
const ignore = (): void => undefined;

export class Drivers {
  readonly #log: Logger;
  readonly #made = new Map<DriverName, Promise<Driver>>();
  #kernel: Driver | null = null;
  #closed = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** What the kernel driver has agreed on, see {@link Driver.protocol}. */
  get protocol(): string | null {
    return this.#kernel?.protocol ?? null;
  }

  /**
   * The driver of that name.
   * @throws MemfsError `not_supported` when it cannot do what the mount needs, `fuse_unavailable`, `closed`
   */
  async get(name: DriverName, needs: DriverNeeds): Promise<Driver> {
    if (this.#closed) throw new MemfsError("closed", "the daemon is stopping; try again");
    if (name === "native" && needs.posixOwner) {
      const what = "the native driver is not told who asks, so files cannot have owners of their own";
      throw new MemfsError("not_supported", `${what}; leave --posix-owner out, or use the kernel driver`);
    }
    let driver = this.#made.get(name);
    if (driver === undefined) {
      driver = this.#make(name);
      this.#made.set(name, driver);
    }
    return driver;
  }

  /** Detaches what is left. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#made.values()].map((made) => made.then((driver) => driver.close(), ignore)));
  }

  async #make(name: DriverName): Promise<Driver> {
    if (name === "kernel") return (this.#kernel = createKernelDriver({ log: this.#log }));
    // Only who asks for it pays for loading it.
    const { createNativeDriver } = await import("./fuse/native/native-driver.ts");
    return createNativeDriver({ log: this.#log });
  }
}
