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

for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGHUP", 1],
] as const) {
  process.once(signal, () => void teardown().finally(() => process.exit(128 + number)));
}
