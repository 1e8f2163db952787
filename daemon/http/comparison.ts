/** What a request wants compared: versions of memories, or moments of a directory. */

import { MemfsError } from "../../lib/errors.ts";
import { pathsOf } from "../../lib/path.ts";
import type { FileDiff } from "../../lib/store/history/diff.ts";
import { isDirectory } from "../../lib/store/tree/mode.ts";
import type { Store } from "../../lib/store/store.ts";
import type { TreeDiff } from "../../lib/store/history/tree-diff.ts";
import { findMoment, findVersion, locate } from "./lookup.ts";

export interface Comparison {
  /** Default: the whole store. */
  readonly path?: string;
  /** Of the other memory; default `path`. */
  readonly to_path?: string;
  /** Default for a memory: what was before `to`; with `to_path`, the newest. */
  readonly from?: string;
  /** Default: the newest. */
  readonly to?: string;
}

/** The files that differ. @throws MemfsError `not_found`, `invalid_argument`, `damaged` */
export async function filesThatDiffer(store: Store, asked: Comparison): Promise<AsyncIterable<FileDiff>> {
  const directory = await directoryOf(store, asked);
  if (directory === null) return only(await diffOfMemories(store, asked));
  return store.history.diffTrees(momentsOf(store, directory, asked));
}

async function* only(file: FileDiff | null): AsyncGenerator<FileDiff> {
  if (file !== null) yield file;
}

async function diffOfMemories(store: Store, asked: Comparison): Promise<FileDiff | null> {
  const { path = "/", to_path: toPath = path } = asked;
  const to = await findVersion(store, toPath, asked.to);
  if (asked.from === undefined && toPath === path) return store.history.diff(null, to.id);
  const from = await findVersion(store, path, asked.from);
  return store.history.diff(from.id, to.id);
}

function momentsOf(store: Store, directory: string, asked: Comparison): TreeDiff {
  const { path = "/", from, to = "head", to_path: toPath = path } = asked;
  if (toPath !== path) {
    const message = `a directory is compared with itself at another moment, not with ${toPath}; name the same path`;
    throw new MemfsError("invalid_argument", message);
  }
  if (from === undefined) {
    const message = `${path} is compared between moments; name one, as in "2h ago", a time, or #1234`;
    throw new MemfsError("invalid_argument", message);
  }
  return { from: findMoment(store, from), to: findMoment(store, to), directory };
}

/**
 * The bytes of the path, without a slash at the end, when it is a directory: now, or, where no memory is or was, at one of
 * the moments. Null for a memory's.
 */
async function directoryOf(store: Store, asked: Comparison): Promise<string | null> {
  const path = (asked.path ?? "/").replace(/\/+$/, "");
  if (path === "") return "";
  const now = await directoryAt(store, path, store.usage().headSeq);
  if (now !== null || (await locate(store, path)) !== null) return now;
  for (const moment of [asked.from, asked.to]) {
    if (moment === undefined) continue;
    const found = await directoryAt(store, path, findMoment(store, moment));
    if (found !== null) return found;
  }
  return null;
}

async function directoryAt(store: Store, path: string, seq: number): Promise<string | null> {
  const view = store.past.at(seq);
  for (const bytes of pathsOf(path)) {
    const name = bytes.toString("latin1");
    const node = await view.find(name);
    if (node !== null && isDirectory(node.mode)) return name;
  }
  return null;
}
