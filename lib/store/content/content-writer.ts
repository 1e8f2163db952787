/**
 * Builds content by appending: cut and hashed as bytes arrive, so that finishing costs little whatever the size.
 * What was stored before (the chunks of the content it goes on from) is not stored again. With a sink, the chunks of
 * large content are stored while it grows, so that it takes a bounded part of the memory.
 */

import { Chunker } from "./chunker.ts";
import { type Hash, sha256 } from "./hash.ts";
import type { Chunk, ContentReference, FinishedContent, StoredContent } from "./chunk.ts";
import { encodeExtension, ManifestWriter } from "./manifest.ts";
import { type RunningDigest, runningDigest } from "./running-digest.ts";
import { giveBackSmallMemory, INLINE_BYTES, takeSmallMemory } from "./small-memory.ts";

/** Up to this many added bytes are stored with a reference to what they were added to. */
const EXTENSION_BYTES = 2 * 1024;

/** Chunks go to the sink when they are this many bytes. */
const SEND_BYTES = 2 * 1024 * 1024;
/** More than this is not taken before the sink has taken some. */
const PENDING_BYTES = 8 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** Where the chunks of large content go before it is finished. Nothing refers to them until then. */
export interface ChunkSink {
  /** Resolves when they are stored durably, with the bytes this added. @throws MemfsError `no_space`, `io` */
  store(chunks: readonly Chunk[]): Promise<number>;
}

export class ContentWriter {
  #size = 0;
  /** Holds all bytes while they are few (from its start, up to the size); null after that. */
  #small: Buffer | null = NOTHING;
  readonly #chunks: Chunk[] = [];
  readonly #starts: number[] = [];
  /** Made anew for each chunk it would cost more than the rest of an append to a long log. */
  #manifest: ManifestWriter | null = null;
  #chunker: Chunker | null = null;
  /** Of the bytes before `#digested`; of large content it goes on where the chunks are stored. */
  #running: RunningDigest | null = null;
  #digested = 0;
  /** What the store has of it, stored for itself and not as an extension. */
  #extendable: ContentReference | null = null;
  /** Stored content that the bytes begin with, while they are few. */
  #begins: ContentReference | null = null;
  readonly #sink: ChunkSink | null;
  /** Chunks before this one are stored. */
  #sent = 0;
  /** Bytes of the chunks that are not, those on their way included. */
  #pending = 0;
  #sending: Promise<void> | null = null;
  #offloaded = 0;
  /** Chunks were given to somebody who may keep them. */
  #shared = false;

  constructor(sink: ChunkSink | null = null) {
    this.#sink = sink;
  }

  get size(): number {
    return this.#size;
  }

  /** Goes on from stored content at the start of a {@link takeSmallMemory}, which is the writer's from now on. */
  static resumeSmall(memory: Buffer, stored: ContentReference, sink: ChunkSink | null = null): ContentWriter {
    const writer = new ContentWriter(sink);
    writer.#small = memory;
    writer.#size = stored.length;
    writer.#begins = stored;
    return writer;
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
    writer.#running = runningDigest();
    writer.#running.update(bytes.subarray(0, start));
    writer.#digested = start;
    writer.#chunker = new Chunker(start);
    writer.#appendLarge(bytes.subarray(start));
    writer.#extendable = stored.extendable;
    return writer;
  }

  /** What was finished is stored now: its bytes need not be kept. */
  stored(finished: FinishedContent): void {
    this.#offloaded = 0;
    this.#chunker?.shrink();
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
      if (!this.#shared) this.#chunker?.giveBack(chunk.bytes);
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

  /** Waits until no chunk is left to be stored by whoever finishes. @throws MemfsError `no_space`, `io` */
  async settle(): Promise<void> {
    while (this.#sink !== null && (this.#sending !== null || this.#pending > 0)) {
      await (this.#sending ?? this.#send(this.#sink));
    }
  }

  #send(sink: ChunkSink): Promise<void> {
    const sending = this.#sendChunks(sink, this.#chunks.length).finally(() => {
      this.#sending = null;
    });
    // Whoever needs the room hears of a failure; the next piece tries again.
    sending.catch(() => undefined);
    this.#sending = sending;
    return sending;
  }

  async #sendChunks(sink: ChunkSink, end: number): Promise<void> {
    const digesting = this.#digestLater(end);
    try {
      this.#offloaded += await sink.store(this.#chunks.slice(this.#sent, end));
    } finally {
      // Also when that fails: nobody may write where it reads.
      await digesting;
    }
    this.#forget(end);
  }

  /** Digests the chunks before `end` in the thread pool. Whoever finishes meanwhile does it himself. */
  async #digestLater(end: number): Promise<void> {
    const to = this.#startOf(end);
    if (this.#running === null || to <= this.#digested) return;
    const running = await this.#running.later(this.#pieces(this.#digested, to));
    if (to <= this.#digested) return;
    this.#running = running;
    this.#digested = to;
  }

  /** Bytes that are still in memory. */
  #pieces(from: number, to: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let index = this.#chunkAt(from); index < this.#chunks.length; index++) {
      const start = this.#startOf(index);
      if (start >= to) break;
      const bytes = this.#chunks[index]?.bytes?.subarray(Math.max(0, from - start), to - start);
      const last = pieces.at(-1);
      if (bytes === undefined) throw new RangeError("bytes are kept until they are digested");
      if (last !== undefined && areOne(last, bytes)) {
        pieces[pieces.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + bytes.length);
      } else pieces.push(bytes);
    }
    return pieces;
  }

  /** Copies the bytes in. */
  append(bytes: Buffer): void {
    if (this.#small === null) this.#appendLarge(bytes);
    else if (this.#size + bytes.length <= INLINE_BYTES) this.#writeSmall(this.#small, this.#size, bytes);
    else this.#outgrow(this.#small, bytes);
  }

  /** Copies the bytes in at the end, or, as long as all are few, anywhere. False where that cannot be done: nothing changed. */
  write(offset: number, bytes: Buffer): boolean {
    if (offset === this.#size) this.append(bytes);
    else if (this.#small === null || offset + bytes.length > INLINE_BYTES) return false;
    else this.#writeSmall(this.#small, offset, bytes);
    return true;
  }

  #writeSmall(small: Buffer, offset: number, bytes: Buffer): void {
    if (small.length === 0) this.#small = small = takeSmallMemory();
    if (offset > this.#size) small.fill(0, this.#size, offset);
    if (this.#begins !== null && offset < this.#begins.length) this.#begins = null;
    small.set(bytes, offset);
    this.#size = Math.max(this.#size, offset + bytes.length);
  }

  #outgrow(small: Buffer, bytes: Buffer): void {
    const first = small.subarray(0, this.#size);
    this.#small = null;
    this.#size = 0;
    this.#running = runningDigest();
    this.#chunker = new Chunker(0);
    this.#appendLarge(first);
    this.#appendLarge(bytes);
    if (small.length > 0) giveBackSmallMemory(small);
  }

  /** The writer is not used any more, nor what it finished or what was read from it. */
  free(): void {
    if (this.#small === null || this.#small.length === 0) return;
    giveBackSmallMemory(this.#small);
    this.#small = NOTHING;
    this.#size = 0;
  }

  #appendLarge(bytes: Buffer): void {
    if (this.#digested === this.#size && (this.#sink === null || this.#size < SEND_BYTES)) {
      this.#running?.update(bytes);
      this.#digested += bytes.length;
    }
    this.#size += bytes.length;
    this.#chunker?.push(bytes, (chunk, hash) => this.#keep({ hash, length: chunk.length, bytes: chunk }));
    if (this.#pending >= SEND_BYTES && this.#sending === null && this.#sink !== null) void this.#send(this.#sink);
  }

  #keep(chunk: Chunk): void {
    this.#starts.push(this.#startOf(this.#chunks.length));
    this.#chunks.push(chunk);
    if (chunk.bytes !== null) this.#pending += chunk.length;
    this.#manifest ??= new ManifestWriter();
    this.#manifest.add(chunk);
  }

  /** The content so far; the writer can go on, and then what was finished before is not used any more. */
  finish(): FinishedContent {
    if (this.#small !== null) return inlineContent(this.#small.subarray(0, this.#size), this.#begins);
    const hash = this.#digest();
    this.#shared = true;
    const base = this.#extendable;
    // INVARIANT: content is not stored as an extension of itself. What nothing was added to is stored.
    if (base?.length === this.#size) return this.#large({ hash, chunks: [], manifest: null, extends: true });
    if (base !== null && this.#size - base.length <= EXTENSION_BYTES) return this.#extension(hash, base);
    const end = this.#chunker?.tail ?? NOTHING;
    // One chunk is stored under the digest of the whole already.
    const isOneChunk = this.#chunks.length === 1 && end.length === 0;
    const manifest = isOneChunk ? null : (this.#manifest ?? new ManifestWriter()).finish(end);
    const chunks = this.#chunks.slice(this.#sent);
    return this.#large({ hash, chunks, manifest, extends: false });
  }

  #large(parts: Pick<FinishedContent, "hash" | "chunks" | "manifest" | "extends">): FinishedContent {
    return { ...parts, size: this.#size, offloaded: this.#offloaded, begins: null };
  }

  #digest(): Hash {
    const running = this.#running ?? runningDigest();
    const tail = this.#chunker?.tail ?? NOTHING;
    const tailStart = this.#size - tail.length;
    for (const piece of this.#pieces(this.#digested, tailStart)) running.update(piece);
    running.update(tail.subarray(Math.max(0, this.#digested - tailStart)));
    this.#digested = this.#size;
    return running.digest();
  }

  #extension(hash: Hash, base: ContentReference): FinishedContent {
    const added = this.read(base.length, this.#size - base.length, () => {
      throw new RangeError("bytes added to stored content are kept until they are stored");
    });
    const manifest = Buffer.from(encodeExtension(base, added));
    return this.#large({ hash, chunks: [], manifest, extends: true });
  }

  /** Bytes of what was written, valid until more is. `stored` reads a chunk that the store has. */
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

  /** Offset of a chunk, or of what comes behind the last one. */
  #startOf(index: number): number {
    const start = this.#starts[index];
    if (start !== undefined || index === 0) return start ?? 0;
    return (this.#starts[index - 1] ?? 0) + (this.#chunks[index - 1]?.length ?? 0);
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

/** True when the second bytes follow the first ones in memory. */
function areOne(first: Buffer, second: Buffer): boolean {
  return first.buffer === second.buffer && first.byteOffset + first.length === second.byteOffset;
}

function inlineContent(bytes: Buffer, begins: ContentReference | null = null): FinishedContent {
  const hash = sha256(bytes);
  const chunks = bytes.length === 0 ? [] : [{ hash, length: bytes.length, bytes }];
  return { hash, size: bytes.length, chunks, manifest: null, offloaded: 0, extends: false, begins };
}

/** Content that is there as a whole. The bytes must not change until it is stored. */
export function finishedContent(bytes: Buffer): FinishedContent {
  if (bytes.length <= INLINE_BYTES) return inlineContent(bytes);
  const writer = new ContentWriter();
  writer.append(bytes);
  return writer.finish();
}
