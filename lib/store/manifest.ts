/** Manifests: content as a sequence of chunks, each a digest and a length, in the order of the content. */

import { Reader, Writer } from "./codec.ts";
import type { Chunk } from "./chunk.ts";
import type { Hash } from "./hash.ts";

const FORMAT = 1;
const HASH_BYTES = 32;
/** Kind of a stored content value: the bytes themselves, or a manifest. The kind follows the record format. */
export const RAW = 0;
export const MANIFEST = 1;
/** Record format and kind. */
export const HEADER_BYTES = 2;

/** A chunk of stored content. */
export interface ChunkReference {
  readonly hash: Hash;
  readonly length: number;
}

/** The value under which bytes are stored as they are. */
export function encodeRaw(bytes: Buffer): Buffer {
  const value = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  value[0] = FORMAT;
  value[1] = RAW;
  bytes.copy(value, HEADER_BYTES);
  return value;
}

/** A manifest that grows at its end. */
export class ManifestWriter {
  readonly #out = new Writer().u8(FORMAT).u8(MANIFEST);

  add({ hash, length }: ChunkReference): void {
    this.#out.fixed(hash).varint(length);
  }

  /** The manifest of all chunks so far and a last one, which is not kept. */
  finish(last: ChunkReference | null): Buffer {
    if (last === null) return this.#out.take();
    const end = new Writer().fixed(last.hash).varint(last.length);
    return Buffer.concat([this.#out.view(), end.view()]);
  }
}

/** The chunks of a stored manifest, from behind its header. @throws MemfsError `damaged` */
export function readManifest(stored: Buffer): (ChunkReference & Pick<Chunk, "bytes">)[] {
  const from = new Reader(stored.subarray(HEADER_BYTES));
  const chunks: (ChunkReference & Pick<Chunk, "bytes">)[] = [];
  while (!from.ended) chunks.push({ hash: from.fixed(HASH_BYTES), length: from.varint(), bytes: null });
  return chunks;
}
