/** A directory as it was, in the words of lists. */

import { MemfsError } from "../../errors.ts";
import { formatId } from "../../id.ts";
import { AtView, type PastName } from "./at.ts";
import { hex } from "../content/hash.ts";
import { isDirectory, isFile } from "../tree/mode.ts";
import { toBytes } from "../tree/names.ts";
import type { StoreState } from "../state.ts";
import type { MemoryInfo, Page, PrefixInfo } from "../types.ts";

/** What to list. */
export interface ListAt {
  /** The journal entry after which it is seen. */
  readonly seq: number;
  /** Path of a directory in bytes, without a slash at the end. */
  readonly directory: string;
  /** 1 to 100. */
  readonly limit: number;
  readonly cursor?: string;
}

/**
 * Memories and directories that were in a directory, none when it was not there: in an order that never changes, which is
 * not that of their names.
 * @throws MemfsError `invalid_argument` for a cursor that is none, `damaged`
 */
export async function listAt(state: StoreState, asked: ListAt): Promise<Page<MemoryInfo | PrefixInfo>> {
  const { seq, directory, limit, cursor } = asked;
  const view = new AtView(state, seq);
  const node = await view.find(directory);
  if (node === null || !isDirectory(node.mode)) return { items: [], next: null };
  const items: (MemoryInfo | PrefixInfo)[] = [];
  let last = "";
  for await (const name of view.list(node.node, cursor === undefined ? null : readCursor(cursor))) {
    const item = await itemOf(state, view, { name, path: `${directory}/${name.name}` });
    if (item === null) continue;
    if (items.length === limit) return { items, next: cursorOf(last) };
    items.push(item);
    last = name.name;
  }
  return { items, next: null };
}

interface Named {
  readonly name: PastName;
  readonly path: string;
}

/** Null for what lists do not show, and for a file that had no content. */
async function itemOf(state: StoreState, view: AtView, { name, path }: Named): Promise<MemoryInfo | PrefixInfo | null> {
  if (isDirectory(name.type)) return { prefix: toBytes(`${path}/`) };
  const version = isFile(name.type) ? ((await view.resolve(name))?.version ?? null) : null;
  if (version === null || version.hash === null) return null;
  return {
    id: formatId("mem", version.memory),
    path: toBytes(path),
    headId: formatId("memver", version.version),
    headN: version.n,
    sha256: hex(version.hash),
    size: version.size,
    createdAt: state.memory(version.memory)?.createdAt ?? version.createdAt,
    updatedAt: version.createdAt,
  };
}

function cursorOf(name: string): string {
  return Buffer.from(`n${name}`, "latin1").toString("base64url");
}

function readCursor(cursor: string): string {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  if (text.length > 1 && text.startsWith("n")) return text.slice(1);
  throw new MemfsError("invalid_argument", "the page cursor is not valid");
}
