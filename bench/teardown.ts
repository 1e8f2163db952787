/** Undoes what the benchmark did to the machine, in reverse, however it ends. */

type Closer = () => Promise<void> | void;

const closers: Closer[] = [];

/** Registers what undoes something just done. */
export function onTeardown(closer: Closer): void {
  closers.push(closer);
}

/** Runs all closers, newest first, each once. One that fails is reported and does not stop the others. */
export async function teardown(): Promise<void> {
  for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) {
    try {
      await closer();
    } catch (error) {
      console.error("bench: clean-up:", error instanceof Error ? error.message : error);
    }
  }
}

const interruption = new AbortController();

/**
 * Fires at Ctrl-C and the like. What runs for long listens or looks, and fails: then the benchmark ends as after any
 * error. Tearing down beside what is just being started would leave that behind. A second signal ends it at once.
 */
export const interrupted: AbortSignal = interruption.signal;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => interruption.abort());
}
