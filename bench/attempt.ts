import { interrupted } from "./teardown.ts";

/** A part that fails leaves the others' results: null, and the bench fails at the end. */
export async function attempt<T>(part: () => Promise<T>): Promise<T | null> {
  try {
    return await part();
  } catch (error) {
    interrupted.throwIfAborted();
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    return null;
  }
}
