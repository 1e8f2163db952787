/** How long somebody else waits while the daemon is busy with something large. */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { end, start } from "./process.ts";
import { onTeardown } from "./teardown.ts";

const WATCHER = fileURLToPath(new URL("watcher.ts", import.meta.url));

/** The longest wait, milliseconds, of each kind of request. */
export interface Waits {
  readonly read: number;
  readonly http: number;
}

/**
 * Opens and reads files, and asks the daemon how it is, while `work` is done. In a process of its own: this one is busy
 * with the answer to `work`.
 */
export async function waitsDuring<T>(
  work: () => Promise<T>,
  { files, socket }: { files: readonly string[]; socket: string },
): Promise<{ result: T; waits: Waits }> {
  const child = start([process.execPath, "--import=tsx", WATCHER, socket, ...files]);
  onTeardown(() => end(child));
  if (child.stdout === null) throw new Error("the watcher has no output");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the watcher ended early");
    return value;
  };
  await line(); // it watches
  const result = await work();
  child.kill("SIGTERM");
  return { result, waits: JSON.parse(await line()) as Waits };
}
