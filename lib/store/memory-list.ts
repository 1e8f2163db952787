/** Lists of memories in path order, with prefixes rolled up. */

import { MemfsError } from "../errors.ts";
import { formatId } from "../id.ts";
import { EMPTY_HASH, hex } from "./content/hash.ts";
import { S_IFDIR } from "./tree/mode.ts";
import { toBytes } from "./tree/names.ts";
import type { EntryRecord } from "./records/entry-record.ts";
import type { MemoryRecord } from "./records/memory-record.ts";
import type { StoreState } from "./state.ts";
import { nodeAt } from "./tree/tree.ts";
import type { ListMemories, MemoryInfo, Page, PrefixInfo } from "./types.ts";

/** As callers see it. */
export function memoryInfo(memory: MemoryRecord): MemoryInfo {
  return {
    id: formatId("mem", memory.memory),
    path: toBytes(memory.path),
    headId: formatId("memver", memory.head),
    headN: memory.headN,
    sha256: hex(memory.hash ?? EMPTY_HASH),
    size: memory.size,
    createdAt: memory.createdAt,
    updatedAt: memory.updatedAt,
  };
}

type Item = MemoryInfo | PrefixInfo;

/**
 * Memories below a prefix in byte order of their paths. The cursor is the last path given, so the list is stable: what
 * was there throughout is given once.
 * @throws MemfsError `invalid_argument` when the prefix does not end with `/`
 */
export async function listMemories(state: StoreState, options: ListMemories): Promise<Page<Item>> {
  const prefix = (options.prefix ?? Buffer.from("/")).toString("latin1");
  if (!prefix.startsWith("/") || !prefix.endsWith("/")) {
    throw new MemfsError("invalid_argument", "path_prefix starts and ends with a slash");
  }
  const after = options.cursor === undefined ? "" : Buffer.from(options.cursor, "base64url").toString("latin1");
  const start = nodeAt(state, prefix);
  const items: Item[] = [];
  if (start === null) return { items, next: null };
  const walk = { after, rollUp: options.depth === 1 };
  for await (const item of below(state, { node: start.number, path: prefix }, walk)) {
    const last = items.at(-1);
    if (items.length === options.limit && last !== undefined) return { items, next: cursorOf(last) };
    items.push(item);
  }
  return { items, next: null };
}

function cursorOf(item: Item): string {
  return ("prefix" in item ? item.prefix : item.path).toString("base64url");
}

interface Walk {
  /** Paths up to and including this one were given before. */
  readonly after: string;
  readonly rollUp: boolean;
}

async function* below(state: StoreState, at: { node: number; path: string }, walk: Walk): AsyncGenerator<Item> {
  const listing = await state.listings.load(at.node);
  for (const { path, entry } of inPathOrder(at.path, listing.values())) {
    const isDirectory = entry.type === S_IFDIR;
    if (path <= walk.after && !(isDirectory && walk.after.startsWith(path) && !walk.rollUp)) continue;
    if (!isDirectory) {
      const memory = memoryOf(state, entry, path);
      if (memory !== null) yield memoryInfo(memory);
    } else if (!walk.rollUp) {
      yield* below(state, { node: entry.node, path }, walk);
    } else if (await holdsMemories(state, { node: entry.node, path })) {
      yield { prefix: toBytes(path) };
    }
  }
}

/** A directory sorts as its name and a slash, so that the walk meets paths in byte order. */
function inPathOrder(parent: string, entries: Iterable<EntryRecord>): { path: string; entry: EntryRecord }[] {
  const found = [...entries].map((entry) => ({
    path: parent + entry.name + (entry.type === S_IFDIR ? "/" : ""),
    entry,
  }));
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The memory listed at a name: a memory with several names is listed at its path only. */
function memoryOf(state: StoreState, entry: EntryRecord, path: string): MemoryRecord | null {
  const uid = state.node(entry.node)?.memory ?? null;
  const memory = uid === null ? undefined : state.memory(uid);
  return memory !== undefined && memory.path === path ? memory : null;
}

async function holdsMemories(state: StoreState, directory: { node: number; path: string }): Promise<boolean> {
  const found = await below(state, directory, { after: "", rollUp: false }).next();
  return found.done !== true;
}
