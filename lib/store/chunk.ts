/** Content as pieces: ready to be stored, or stored. */

import type { Hash } from "./hash.ts";

/** A piece of content under its own digest. */
export interface Chunk {
  readonly hash: Hash;
  readonly length: number;
  /** Null when the store has it already. */
  readonly bytes: Buffer | null;
}

/** Content ready to be stored. */
export interface FinishedContent {
  readonly hash: Hash;
  readonly size: number;
  /** Chunks that the store may not have yet; the last one is the end of the content. */
  readonly chunks: readonly Chunk[];
  /** How the content is put together; null when it is one chunk or empty. */
  readonly manifest: Buffer | null;
}

/** Content that the store has already. */
export interface StoredContent {
  readonly size: number;
  /** Null for content stored as one value. */
  readonly chunks: readonly Chunk[] | null;
  read(): Buffer;
}
