/** What has to change so that one memory has the content of one of its versions again. */

import { MemfsError } from "../../errors.ts";
import { formatId } from "../../id.ts";
import type { Arrangement, PlacedFile } from "./arrangement.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import { pathOf } from "../tree/tree.ts";
import type { StoreState } from "../state.ts";
import type { VersionRecord } from "../records/version-record.ts";

export interface MemoryRollback {
  readonly memory: MemoryRecord;
  readonly to: VersionRecord;
  /** Back at the version's path, too. */
  readonly withPath: boolean;
  /** At this path (absolute, bytes); null for none in particular. */
  readonly as: string | null;
}

/**
 * A deleted memory returns, with its id, to its last path unless another is asked for.
 * @throws MemfsError `not_found` when the version has no content
 */
export function planRollback(state: StoreState, rollback: MemoryRollback): Arrangement {
  const { memory, to } = rollback;
  if (to.hash === null) {
    const id = formatId("memver", to.version);
    const reason = to.erased ? "redacted" : "a deletion";
    throw new MemfsError("not_found", `${id} has no content to go back to (it is ${reason}); see: memfs log`);
  }
  if (memory.state === "folded") throw new MemfsError("not_found", "the memory was a step of saving another one");
  const content = { hash: to.hash, size: to.size };
  const mode = memory.state === "live" ? null : to.made.mode;
  const file: PlacedFile = { memory: memory.memory, paths: pathsOf(state, rollback), content, mode, mtime: null };
  return { files: [file], directories: [], links: [], removedLinks: [], emptied: [] };
}

/** Its own path changes; other names of the file stay. */
function pathsOf(state: StoreState, { memory, to, withPath, as }: MemoryRollback): readonly string[] | null {
  const path = as ?? (withPath ? to.path : null) ?? memory.path;
  if (memory.state !== "live") return [path];
  if (path === memory.path) return null;
  const { names } = state.nodeOrDamaged(memory.node);
  const paths = names.map((name) => pathOf({ node: (number) => state.nodeOrDamaged(number) }, name));
  return [path, ...paths.filter((other) => other !== path && other !== memory.path)];
}
