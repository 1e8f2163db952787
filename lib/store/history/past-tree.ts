/** A tree as it was, whole: what rolling it back works towards. */

import type { Uid } from "../../id.ts";
import type { AtView, PastNode } from "./at.ts";
import { isDirectory, isFile } from "../tree/mode.ts";
import type { VersionRecord } from "../records/version-record.ts";
import type { Timestamp } from "../records/record.ts";

/** A memory as it was. */
export interface PastFile {
  /** Absolute, bytes; the memory's own first. */
  readonly paths: readonly string[];
  readonly version: VersionRecord;
  readonly mode: number;
  readonly mtime: Timestamp;
}

export interface PastDirectory {
  readonly path: string;
  readonly node: number;
  readonly mode: number;
}

export interface PastLink {
  readonly path: string;
  readonly target: string;
  readonly mode: number;
  readonly mtime: Timestamp;
}

/** All there was below a directory, and the directory, unless it is the root. */
export interface PastTree {
  readonly files: ReadonlyMap<Uid, PastFile>;
  /** Parents before what is in them. */
  readonly directories: readonly PastDirectory[];
  readonly links: readonly PastLink[];
}

/** Reads it in turns with other work. `path`: of the directory `top`, empty for the root. @throws MemfsError `damaged` */
export async function readPastTree(view: AtView, top: PastNode, path: string): Promise<PastTree> {
  const files = new Map<Uid, PastFile>();
  const links: PastLink[] = [];
  const directories: PastDirectory[] = path === "" ? [] : [{ path, node: top.node, mode: top.mode }];
  const queue = [{ path, node: top.node }];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for await (const listed of view.list(next.node)) {
      const node = await view.resolve(listed);
      if (node === null) continue;
      const at = { path: `${next.path}/${listed.name}`, node: node.node };
      if (isFile(node.mode)) addFile(files, at.path, node);
      else if (!isDirectory(node.mode))
        links.push({ path: at.path, target: node.target ?? "", mode: node.mode, mtime: node.mtime });
      else {
        directories.push({ ...at, mode: node.mode });
        queue.push(at);
      }
    }
  }
  return { files, directories, links };
}

function addFile(files: Map<Uid, PastFile>, path: string, { version, mode, mtime }: PastNode): void {
  if (version === null) return;
  const paths = files.get(version.memory)?.paths ?? [];
  const all = path === version.path ? [path, ...paths] : [...paths, path];
  files.set(version.memory, { paths: all, version, mode, mtime });
}
