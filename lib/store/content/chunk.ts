/** Content as pieces: ready to be stored, or stored. */

import type { Hash } from "./hash.ts";

/** Content, or a piece of it, under its digest. */
export interface ContentReference {
  readonly hash: Hash;
  readonly length: number;
}

/** A piece of content. */
export interface Chunk extends ContentReference {
  /** Null when the store has it already. */
  readonly bytes: Buffer | null;
}

/** Content ready to be stored. */
export interface FinishedContent {
  readonly hash: Hash;
  readonly size: number;
  /** Chunks that the store may not have yet. */
  readonly chunks: readonly Chunk[];
  /** How the content is put together; null when it is one chunk or empty. */
  readonly manifest: Buffer | null;
  /** Bytes of chunks that were stored before, and are not counted as history yet. */
  readonly offloaded: number;
  /** It only adds a few bytes to content that the store has. */
  readonly extends: boolean;
  /** Stored content that the bytes, which are all in one chunk, begin with; null when that is not known. */
  readonly begins: ContentReference | null;
}

/** Content that the store has already. */
export interface StoredContent {
  /** Its chunks from the start; null for content stored as one value. What follows them is not cut yet. */
  readonly chunks: readonly ContentReference[] | null;
  /** What a few more bytes can be added to without storing anything of it again. */
  readonly extendable: ContentReference | null;
  read(): Buffer;
}
