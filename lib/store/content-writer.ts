/**
 * Builds content by appending: cut and hashed as bytes arrive, so that finishing costs little whatever the size.
 * What was stored before (the chunks of the content it goes on from) is not stored again. With a sink, the chunks of
 * large content are stored while it grows, so that it takes a bounded part of the memory.
 */

import { createHash, type Hash as RunningHash } from "node:crypto";
import { Chunker } from "./chunker.ts";
import { type Hash, sha256 } from "./hash.ts";
import type { Chunk, ContentReference, FinishedContent, StoredContent } from "./chunk.ts";
import { encodeExtension, ManifestWriter } from "./manifest.ts";

/** Content up to this many bytes is stored as one value. */
export const INLINE_BYTES = 8 * 1024;
/** Up to this many added bytes are stored with a reference to what they were added to. */
const EXTENSION_BYTES = 2 * 1024;

/** Chunks go to the sink when they are this many bytes. */
const SEND_BYTES = 2 * 1024 * 1024;
/** More than this is not taken before the sink has taken some. */
const PENDING_BYTES = 8 * 1024 * 1024;
/** Bytes of chunks that are left to be stored with the content itself. */
const LEFT_BYTES = 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** Where the chunks of large content go before it is finished. Nothing refers to them until then. */
export interface ChunkSink {
  /** Resolves when they are stored durably, with the bytes this added. @throws MemfsError `no_space`, `io` */
  store(chunks: readonly Chunk[]): Promise<number>;
}

export class ContentWriter {
  #size = 0;
  /** All bytes while they are few; null after that. */
  #small: Buffer | null = NOTHING;
  readonly #chunks: Chunk[] = [];
  readonly #starts: number[] = [];
  /** Made anew for each chunk it would cost more than the rest of an append to a long log. */
  #manifest: ManifestWriter | null = null;
  #chunker: Chunker | null = null;
  #running: RunningHash | null = null;
  /** What the store has of it, stored for itself and not as an extension. */
  #extendable: ContentReference | null = null;
  readonly #sink: ChunkSink | null;
  /** Chunks before this one are stored. */
  #sent = 0;
  /** Bytes of the chunks that are not, those on their way included. */
  #pending = 0;
  #sending: Promise<void> | null = null;
  #offloaded = 0;

  constructor(sink: ChunkSink | null = null) {
    this.#sink = sink;
  }

  get size(): number {
    return this.#size;
  }

  /** Goes on from stored content: what follows its last chunk is cut anew. */
  static resume(stored: StoredContent, sink: ChunkSink | null = null): ContentWriter {
    const writer = new ContentWriter(sink);
    const bytes = stored.read();
    if (stored.chunks === null || bytes.length <= INLINE_BYTES) {
      writer.append(bytes);
      return writer;
    }
    const start = stored.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    writer.#small = null;
    writer.#size = start;
    for (const { hash, length } of stored.chunks) writer.#keep({ hash, length, bytes: null });
    writer.#sent = writer.#chunks.length;
    writer.#running = createHash("sha256").update(bytes.subarray(0, start));
    writer.#chunker = new Chunker(start);
    writer.#appendLarge(bytes.subarray(start));
    writer.#extendable = stored.extendable;
    return writer;
  }

  /** What was finished is stored now: its bytes need not be kept. */
  stored(finished: FinishedContent): void {
    this.#offloaded = 0;
    if (finished.extends || this.#small !== null) return;
    this.#extendable = { hash: finished.hash, length: finished.size };
    this.#forget(this.#chunks.length);
  }

  /** The bytes of chunks before `end` are in the store. */
  #forget(end: number): void {
    for (; this.#sent < end; this.#sent++) {
      const chunk = this.#chunks[this.#sent];
      if (chunk === undefined || chunk.bytes === null) continue;
      this.#pending -= chunk.length;
      this.#chunks[this.#sent] = { hash: chunk.hash, length: chunk.length, bytes: null };
    }
  }

  /** Bytes of chunks that the store does not have. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Undefined, or what to wait for before more is appended. It rejects when the sink cannot take what it has to; nothing
   * is lost then, and the next call tries again.
   */
  room(): Promise<void> | undefined {
    if (this.#pending < PENDING_BYTES || this.#sink === null) return undefined;
    return this.#sending ?? this.#send(this.#sink);
  }

  /** Waits until few chunks are left to be stored by whoever finishes. @throws MemfsError `no_space`, `io` */
  async settle(): Promise<void> {
    while (this.#sink !== null && (this.#sending !== null || this.#pending > LEFT_BYTES)) {
      await (this.#sending ?? this.#send(this.#sink));
    }
  }

  #send(sink: ChunkSink): Promise<void> {
    const end = this.#chunks.length;
    const sending = sink.store(this.#chunks.slice(this.#sent, end)).then(
      (bytes) => {
        this.#offloaded += bytes;
        this.#forget(end);
        this.#sending = null;
      },
      (error: unknown) => {
        this.#sending = null;
        throw error;
      },
    );
    // Whoever needs the room hears of a failure; the next piece tries again.
    sending.catch(() => undefined);
    this.#sending = sending;
    return sending;
  }

  /** Copies the bytes in. */
  append(bytes: Buffer): void {
    if (this.#small === null) this.#appendLarge(bytes);
    else if (this.#size + bytes.length <= INLINE_BYTES) this.#appendSmall(this.#small, bytes);
    else this.#outgrow(this.#small, bytes);
  }

  #appendSmall(small: Buffer, bytes: Buffer): void {
    this.#small = small.length === 0 ? Buffer.from(bytes) : Buffer.concat([small, bytes]);
    this.#size += bytes.length;
  }

  #outgrow(small: Buffer, bytes: Buffer): void {
    this.#small = null;
    this.#size = 0;
    this.#running = createHash("sha256");
    this.#chunker = new Chunker(0);
    this.#appendLarge(small);
    this.#appendLarge(bytes);
  }

  #appendLarge(bytes: Buffer): void {
    this.#running?.update(bytes);
    this.#size += bytes.length;
    this.#chunker?.push(bytes, (chunk, hash) => this.#keep({ hash, length: chunk.length, bytes: chunk }));
    if (this.#pending >= SEND_BYTES && this.#sending === null && this.#sink !== null) void this.#send(this.#sink);
  }

  #keep(chunk: Chunk): void {
    const last = this.#chunks.length - 1;
    this.#starts.push(last < 0 ? 0 : (this.#starts[last] ?? 0) + (this.#chunks[last]?.length ?? 0));
    this.#chunks.push(chunk);
    if (chunk.bytes !== null) this.#pending += chunk.length;
    this.#manifest ??= new ManifestWriter();
    this.#manifest.add(chunk);
  }

  /** The content so far; the writer can go on. */
  finish(): FinishedContent {
    if (this.#small !== null) return inlineContent(this.#small);
    const hash = this.#running?.copy().digest("binary") ?? "";
    const base = this.#extendable;
    if (base !== null && this.#size - base.length <= EXTENSION_BYTES) return this.#extension(hash, base);
    const end = this.#chunker?.tail ?? NOTHING;
    // One chunk is stored under the digest of the whole already.
    const isOneChunk = this.#chunks.length === 1 && end.length === 0;
    const manifest = isOneChunk ? null : (this.#manifest ?? new ManifestWriter()).finish(end);
    const chunks = this.#chunks.slice(this.#sent);
    return { hash, size: this.#size, chunks, manifest, offloaded: this.#offloaded, extends: false };
  }

  #extension(hash: Hash, base: ContentReference): FinishedContent {
    const added = this.read(base.length, this.#size - base.length, () => {
      throw new RangeError("bytes added to stored content are kept until they are stored");
    });
    const manifest = encodeExtension(base, added);
    return { hash, size: this.#size, chunks: [], manifest, offloaded: this.#offloaded, extends: true };
  }

  /** Bytes of what was appended. `stored` reads a chunk that the store has. */
  read(offset: number, length: number, stored: (chunk: Hash) => Buffer): Buffer {
    const end = Math.min(offset + length, this.#size);
    if (offset >= end) return NOTHING;
    if (this.#small !== null) return this.#small.subarray(offset, end);
    const parts: Buffer[] = [];
    for (let index = this.#chunkAt(offset); index < this.#chunks.length; index++) {
      const start = this.#starts[index] ?? 0;
      const chunk = this.#chunks[index];
      if (chunk === undefined || start >= end) break;
      const bytes = chunk.bytes ?? stored(chunk.hash);
      parts.push(bytes.subarray(Math.max(0, offset - start), end - start));
    }
    const tail = this.#chunker?.tail ?? NOTHING;
    const tailStart = this.#size - tail.length;
    if (end > tailStart) parts.push(tail.subarray(Math.max(0, offset - tailStart), end - tailStart));
    return Buffer.concat(parts);
  }

  /** Index of the chunk that holds the offset, or the number of chunks. */
  #chunkAt(offset: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const end = (this.#starts[middle] ?? 0) + (this.#chunks[middle]?.length ?? 0);
      if (end <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function inlineContent(bytes: Buffer): FinishedContent {
  const hash = sha256(bytes);
  const chunks = bytes.length === 0 ? [] : [{ hash, length: bytes.length, bytes }];
  return { hash, size: bytes.length, chunks, manifest: null, offloaded: 0, extends: false };
}

/** Content that is there as a whole. */
export function finishedContent(bytes: Buffer): FinishedContent {
  const writer = new ContentWriter();
  writer.append(bytes);
  return writer.finish();
}
