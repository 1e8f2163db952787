/** Tells the filesystem about a request that was refused: it keeps for the user what an errno cannot say. */

import { meaningOf } from "../../../lib/errors.ts";
import type { NativeOperation, Services } from "./operations/operation.ts";
import type { NativeRequest } from "./request.ts";

/** Said all the time and never worth telling; finding the node would double the lookups of whoever looks for files. */
const EVERYDAY: ReadonlySet<string> = new Set(["ENOENT", "ENODATA", "EOPNOTSUPP", "EEXIST"]);

/** Never throws, and waits for nothing. */
export function tellFailure(
  services: Services,
  { operation, request }: { operation: NativeOperation<unknown>; request: NativeRequest },
  error: unknown,
): void {
  if (EVERYDAY.has(meaningOf(error).errno)) return;
  const { filesystem, paths, files } = services;
  const { name } = operation;
  try {
    const index = operation.paths.at(-1);
    if (index === undefined) {
      const { node } = files.get(request.u32(name === "fsync" ? 2 : 1));
      filesystem.failed(node, error, () => ({ operation: name, name: null }));
      return;
    }
    const told = paths.place(request.text(index), (place) =>
      filesystem.failed(place.parent, error, () => ({ operation: name, name: place.name })),
    );
    if (told instanceof Promise) told.catch(() => undefined);
  } catch {
    // What the request was about cannot be named: closed, or gone meanwhile.
  }
}
