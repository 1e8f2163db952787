/** Finding what a request names. */

import type { VersionInfo, VersionSpec } from "../../lib/store/types.ts";
import type { Store } from "../../lib/store/store.ts";
import { MemfsError } from "../../lib/errors.ts";
import { pathsOf } from "../../lib/path.ts";
import { parseTime } from "../../lib/time.ts";

/** A memory by its path in the API, and that path's bytes. */
export interface Located {
  readonly path: Buffer;
  readonly memoryId: string;
}

/** The memory at the path, else the last one that was, or null. */
export async function locate(store: Store, text: string): Promise<Located | null> {
  if (!text.startsWith("/")) throw new MemfsError("invalid_argument", `the path ${text} does not start with /; add it`);
  for (const path of pathsOf(text)) {
    try {
      return { path, memoryId: await store.history.memoryOnceAt(path) };
    } catch (error) {
      if (!(error instanceof MemfsError) || error.code !== "not_found") throw error;
    }
  }
  return null;
}

/** As {@link locate}. @throws MemfsError `not_found` */
export async function locateOrThrow(store: Store, text: string): Promise<Located> {
  const located = await locate(store, text);
  if (located !== null) return located;
  throw new MemfsError("not_found", `no memory is or was at ${text} in store ${store.info.name}; look with: memfs ls`);
}

/**
 * A version of the memory that is or was at the path: by its name, or the newest. One named by its id may also be of a
 * former memory there; a moment finds the memory that had content there then, the present one first.
 * @throws MemfsError `not_found`, `invalid_argument`
 */
export async function findVersion(store: Store, path: string, name: string | undefined): Promise<VersionInfo> {
  const { path: bytes, memoryId } = await locateOrThrow(store, path);
  const spec = name === undefined ? { n: 0 } : parseVersionSpec(name);
  if ("n" in spec) return store.history.resolve(memoryId, spec);
  if ("id" in spec) return versionOfAny(store, await store.history.memoriesOnceAt(bytes), { id: spec.id, path });
  let found: VersionInfo | null = null;
  for (const id of await store.history.memoriesOnceAt(bytes)) {
    const version = await resolveOrNull(store, id, spec);
    if (version !== null && version.sha256 !== null) return version;
    found ??= version;
  }
  return found ?? store.history.resolve(memoryId, spec);
}

function versionOfAny(
  store: Store,
  memories: readonly string[],
  { id, path }: { id: string; path: string },
): VersionInfo {
  const version = store.history.version(id);
  if (memories.includes(version.memoryId)) return version;
  throw new MemfsError("not_found", `${id} is no version of a memory that is or was at ${path}; look with: memfs log`);
}

async function resolveOrNull(store: Store, memoryId: string, spec: VersionSpec): Promise<VersionInfo | null> {
  try {
    return await store.history.resolve(memoryId, spec);
  } catch (error) {
    if (error instanceof MemfsError && error.code === "not_found") return null;
    throw error;
  }
}

/**
 * A version as it is named: `memver_…`, `head`, a number from 1, a negative one counted back from the head, `#SEQ`, or a
 * time.
 */
export function parseVersionSpec(text: string): VersionSpec {
  if (text === "head") return { n: 0 };
  if (/^memver_\w+$/.test(text)) return { id: text };
  if (/^-?\d{1,15}$/.test(text) && Number(text) !== 0) return { n: Number(text) };
  if (/^#[1-9]\d{0,14}$/.test(text)) return { seq: Number(text.slice(1)) };
  const at = parseTime(text);
  if (at !== null) return { at };
  throw new MemfsError(
    "invalid_argument",
    `${JSON.stringify(text)} is no version; give memver_…, a number from 1, -1 for the one before the head, #SEQ, or a time`,
  );
}

/**
 * The last journal entry of a moment: `head`, `#SEQ`, `memver_…`, or a time.
 * @throws MemfsError `invalid_argument`, `not_found` for one that is unknown, before the first entry, or still to come
 */
export function findMoment(store: Store, text: string): number {
  if (text === "head") return store.usage().headSeq;
  const spec = parseVersionSpec(text);
  if ("n" in spec) {
    const forms = `a time, #${Math.abs(spec.n)} for an entry of the journal, or memver_…`;
    throw new MemfsError("invalid_argument", `${text} counts versions of one memory and is no moment; give ${forms}`);
  }
  const seq = store.past.seqOf("id" in spec ? { version: spec.id } : spec);
  if (seq !== null) return seq;
  const { name } = store.info;
  throw new MemfsError("not_found", `${text} is before store ${name} began, still to come, or unknown; see: memfs log`);
}

/** Microseconds of a time in a query. @throws MemfsError `invalid_argument` */
export function parseTimeParameter(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = parseTime(text);
  if (at !== null) return at;
  throw new MemfsError(
    "invalid_argument",
    `${name} is ${JSON.stringify(text)}, which is no time; give one in RFC 3339 with a zone`,
  );
}

/**
 * Bytes of a prefix; a described one (with `%XX`) only ever comes from a list of this API.
 * @throws MemfsError `invalid_argument`
 */
export function prefixOf(text: string): Buffer {
  if (!text.startsWith("/") || !text.endsWith("/")) {
    throw new MemfsError("invalid_argument", `path_prefix ${text} is no directory; start and end it with /`);
  }
  const described = pathsOf(text.slice(0, -1)).at(-1) ?? Buffer.alloc(0);
  return Buffer.concat([described, Buffer.from("/")]);
}
