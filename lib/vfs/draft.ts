/**
 * A node as one mount is changing it: its own bytes on top of a base version. Nobody else sees them until the commit.
 *
 * Bytes that only ever grow at the end (a new file, a log) go to a ContentWriter, which cuts and hashes as they arrive
 * and stores the chunks of large content at once; so do those of small files, wherever they are written. Any other write
 * turns the draft into blocks over what was there. So a draft takes a bounded part of the memory whatever its size.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Uid } from "../id.ts";
import type { Base, MadeFrom } from "../store/merge/base.ts";
import type { FinishedContent } from "../store/content/chunk.ts";
import { type ChunkSink, ContentWriter, finishedContent } from "../store/content/content-writer.ts";
import { EMPTY_HASH, type Hash } from "../store/content/hash.ts";
import { INLINE_BYTES } from "../store/content/small-memory.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import type { Timestamp } from "../store/records/record.ts";
import { type Below, BlockBytes, type Stretch } from "./block-bytes.ts";
import type { BlockPool } from "./block-pool.ts";
import type { FileHandle } from "./handle.ts";

/** What a draft needs of the store. */
export interface DraftSource {
  readonly blocks: BlockPool;
  /** Takes the chunks of large content before the commit. */
  readonly sink: ChunkSink;
  content(hash: Hash | null): Buffer;
  contentRange(hash: Hash | null, range: { offset: number; length: number }): Buffer;
  /** A writer that goes on from stored content; null when that takes more than a moment. */
  resume(hash: Hash | null, size: number): ContentWriter | null;
  /** True when {@link resume} gives one. */
  resumable(hash: Hash | null, size: number): boolean;
}

/** Stored content of a node: digest (null: none yet) and size. */
export interface Head {
  readonly hash: Hash | null;
  readonly size: number;
}

/** What is to be committed. */
export type DraftContent = FinishedContent | { readonly hash: Hash; readonly size: number };

/** Content up to this many bytes is finished in one turn of the event loop. */
const LIGHT_BYTES = 1024 * 1024;
/** Bytes between two looks at the clock, and milliseconds of work per turn, when it is finished in many. */
const PIECE_BYTES = 256 * 1024;
const SLICE = 3;

const NEW: Head = Object.freeze({ hash: null, size: 0 });

export class Draft {
  readonly node: number;
  readonly #source: DraftSource;
  /** Content of the file when the draft was made; null for a file that was never committed. */
  readonly baseHash: Hash | null;
  /** The head when the draft was made, and its size: what bytes written in place are on top of. */
  readonly #headVersion: Uid | null;
  readonly #headSize: number;
  /** Nothing of the head is left in the bytes. */
  #rewritten = false;
  /** What was committed last, when that did not become the head as it was, and the file stayed open. */
  #recorded: Base | null = null;
  /** The bytes are what {@link #recorded} says. */
  isRecorded = false;
  /** A commit was refused, because others changed the same. */
  refused = false;
  /** Stored content that the bytes are, or are a change of: that of the base, or a copied one. */
  #under: Head;
  /** Null while nothing is different from what is under them. */
  #bytes: ContentWriter | BlockBytes | null = null;
  #size: number;
  /**
   * Everything from here on was appended, to `#after`, and nothing else was done: it can be put after another head, too.
   * Null when something else was done.
   */
  #appendedFrom: number | null;
  #after: Hash | null;
  /** Bytes were written since the last commit: a close by the opener commits. */
  written = false;
  /** The handle that wrote last: the evidence when nobody closes the file before the commit. */
  author: FileHandle | null = null;
  /** The bytes were put after a head that is not the base: what this mount has cached of them is not right. */
  moved = false;
  mtime: Timestamp;
  ctime: Timestamp;
  /** When (ms, monotonic) it is committed though nobody asks; Infinity while all of it is recorded. */
  due = Infinity;

  /** @param headVersion of the memory, null when the file is none yet */
  constructor(source: DraftSource, node: NodeRecord, headVersion: Uid | null) {
    this.node = node.number;
    this.#source = source;
    this.#headVersion = headVersion;
    this.#headSize = node.size;
    this.baseHash = node.content;
    this.#under = { hash: node.content, size: node.size };
    this.#size = node.size;
    this.#appendedFrom = node.size;
    this.#after = node.content;
    this.mtime = node.mtime;
    this.ctime = node.ctime;
  }

  get size(): number {
    return this.#size;
  }

  /** What the bytes were made from; `"seen"`: from what the mount last saw of the file, else from {@link head}. */
  get base(): MadeFrom | "seen" {
    if (this.#recorded !== null) return this.#recorded;
    if (this.onlyAppends && this.baseHash !== null) return "head";
    return this.#rewritten ? "seen" : this.head;
  }

  /** The head when the draft was made; null for a file that was never committed. */
  get head(): Base | null {
    if (this.baseHash === null) return null;
    return { version: this.#headVersion, hash: this.baseHash, size: this.#headSize };
  }

  /** True when nothing of what was there is left in the bytes. */
  get isRewrite(): boolean {
    return this.#rewritten || this.baseHash === null;
  }

  /** True when all that was written came to the end, wherever that was. */
  get onlyAppends(): boolean {
    return this.#appendedFrom !== null;
  }

  /** The bytes were committed and are not the head: what is written next is made from them. */
  goOnFrom(committed: Base): void {
    this.#recorded = committed;
    this.isRecorded = true;
    this.refused = false;
    this.due = Infinity;
    this.#appendedFrom = null;
    this.written = false;
  }

  /** The bytes changed just now. */
  touch(now: Timestamp): void {
    this.mtime = now;
    this.ctime = now;
  }

  /**
   * Undefined, or what to wait for before more is written: the store takes the bytes more slowly than they come. It
   * rejects with `no_space` or `io` when the store cannot take what was written already.
   */
  room(): Promise<void> | undefined {
    return this.#bytes instanceof ContentWriter ? this.#bytes.room() : undefined;
  }

  /** Writes at the end, wherever that is. */
  append(data: Buffer): void {
    this.#bytes ??= this.#source.resume(this.#under.hash, this.#under.size) ?? this.#blocks();
    if (this.#bytes instanceof BlockBytes) this.#bytes.write(this.#size, data);
    else this.#bytes.append(data);
    this.#size += data.length;
    this.written = true;
    this.isRecorded = false;
  }

  /** @throws MemfsError `no_space`, `io`, `damaged`: nothing changed then */
  write(offset: number, data: Buffer): void {
    const size = Math.max(this.#size, offset + data.length);
    if (this.#bytes === null) {
      // What covers the whole base needs none of its bytes.
      if (offset === 0 && data.length >= this.#size) this.#bytes = new ContentWriter(this.#source.sink);
      // A small file; or whoever goes on where it ends, without O_APPEND: a log that is kept open and synced.
      else if (size <= INLINE_BYTES || offset === this.#size)
        this.#bytes = this.#source.resume(this.#under.hash, this.#under.size);
    }
    const written = this.#bytes instanceof ContentWriter && this.#bytes.write(offset, data);
    if (!written) this.#blocks().write(offset, data);
    this.#appendedFrom = null;
    this.#size = size;
    this.written = true;
    this.isRecorded = false;
  }

  /** Sets the size; what is new is zero. @throws MemfsError `no_space`, `io` */
  truncate(size: number): void {
    if (size === 0) {
      this.#replace(new ContentWriter(this.#source.sink));
      this.#rewritten = true;
    } else if (size !== this.#size) this.#blocks().truncate(size);
    this.#appendedFrom = null;
    this.#size = size;
    this.isRecorded = false;
  }

  /** Makes a range within the size zero. @throws MemfsError `no_space`, `io`, `damaged` */
  zero(offset: number, length: number): void {
    if (offset >= this.#size || length === 0) return;
    this.#blocks().zero(offset, length);
    this.#appendedFrom = null;
    this.written = true;
    this.isRecorded = false;
  }

  read(offset: number, length: number): Buffer {
    if (this.#bytes instanceof BlockBytes) return this.#bytes.read(offset, length);
    if (this.#bytes === null) return this.#source.contentRange(this.#under.hash, { offset, length });
    return this.#bytes.read(offset, length, (hash) => this.#source.content(hash));
  }

  /** Becomes a copy of stored content, at no cost. */
  adopt(content: Head): void {
    this.free();
    this.#bytes = null;
    this.#under = content;
    this.#size = content.size;
    this.#appendedFrom = null;
    this.#rewritten = true;
    this.written = true;
    this.isRecorded = false;
  }

  /** The stored content the bytes are equal to; null when they were changed. */
  get stored(): Head | null {
    return this.#bytes === null ? this.#under : null;
  }

  /** The stretch of blocks an offset is in; null where the content has to be asked. */
  stretch(offset: number): Stretch | null {
    return this.#bytes instanceof BlockBytes ? this.#bytes.stretch(offset) : null;
  }

  /** True when finishing takes more than a moment: {@link lighten} it first, and write nothing meanwhile. */
  isHeavy(head: Head): boolean {
    if (this.#bytes === null) return false;
    if (this.#moves(head)) {
      return this.#size - (this.#appendedFrom ?? 0) > LIGHT_BYTES || !this.#source.resumable(head.hash, head.size);
    }
    return this.#bytes instanceof BlockBytes ? this.#size > LIGHT_BYTES : this.#bytes.pending > LIGHT_BYTES;
  }

  /** Does most of the work of {@link finish} in many turns of the event loop. @throws MemfsError `no_space`, `io`, `damaged` */
  async lighten(head: Head): Promise<void> {
    if (this.#moves(head)) this.#settleAfter(head, await this.#rebuild(head, this.#appendedFrom ?? 0));
    else if (this.#bytes instanceof BlockBytes) this.#replace(await this.#rebuild(NEW, 0));
    if (this.#bytes instanceof ContentWriter) await this.#bytes.settle();
  }

  /** The content to commit. When the head moved and this draft only appended, its bytes come after the new head. */
  finish(head: Head): DraftContent {
    if (this.#bytes === null) return this.#unchanged(head);
    if (this.#moves(head)) this.#settleAfter(head, this.#movedAfter(head));
    if (this.#bytes instanceof ContentWriter) return this.#bytes.finish();
    return finishedContent(this.#bytes.read(0, this.#size));
  }

  /** The writer, to go on from after the commit; null when there is none. */
  get writer(): ContentWriter | null {
    return this.#bytes instanceof ContentWriter ? this.#bytes : null;
  }

  /** The draft is dropped: gives back the memory of its bytes. What it was read or finished as is not used any more. */
  free(): void {
    this.#bytes?.free();
  }

  /** Nothing was written: what is there stays. A copy is what was copied. */
  #unchanged(head: Head): DraftContent {
    const { hash, size } = this.#appendedFrom === null ? this.#under : head;
    return { hash: hash ?? EMPTY_HASH, size };
  }

  #moves(head: Head): boolean {
    return this.#appendedFrom !== null && head.hash !== this.#after;
  }

  #movedAfter(head: Head): ContentWriter {
    const writer = this.#resumed(head);
    writer.append(this.read(this.#appendedFrom ?? 0, this.#size));
    return writer;
  }

  #settleAfter(head: Head, writer: ContentWriter): void {
    this.#replace(writer);
    this.#size = writer.size;
    this.#appendedFrom = head.size;
    this.#after = head.hash;
    this.moved = true;
  }

  #resumed(head: Head): ContentWriter {
    return this.#source.resume(head.hash, head.size) ?? new ContentWriter(this.#source.sink);
  }

  /** A writer of `before` and what this draft has from `from` on. */
  async #rebuild(before: Head, from: number): Promise<ContentWriter> {
    const writer = this.#resumed(before);
    const stored = (offset: number, length: number): Buffer =>
      this.#source.contentRange(before.hash, { offset, length });
    await copyInTurns(writer, { read: stored, from: writer.size, to: before.size });
    await copyInTurns(writer, { read: (offset, length) => this.read(offset, length), from, to: this.#size });
    return writer;
  }

  #replace(bytes: ContentWriter): void {
    this.free();
    this.#bytes = bytes;
  }

  #blocks(): BlockBytes {
    if (this.#bytes instanceof BlockBytes) return this.#bytes;
    const blocks = new BlockBytes(this.#source.blocks, this.#below(this.#bytes));
    this.#bytes = blocks;
    return blocks;
  }

  #below(writer: ContentWriter | null): Below {
    const source = this.#source;
    const { hash, size } = this.#under;
    if (writer === null) {
      return { size, read: (offset, length) => source.contentRange(hash, { offset, length }) };
    }
    return { size: writer.size, read: (at, length) => writer.read(at, length, (chunk) => source.content(chunk)) };
  }
}

interface Piecewise {
  readonly read: (offset: number, length: number) => Buffer;
  readonly from: number;
  readonly to: number;
}

async function copyInTurns(writer: ContentWriter, { read, from, to }: Piecewise): Promise<void> {
  let end = performance.now() + SLICE;
  for (let at = from; at < to; at += PIECE_BYTES) {
    writer.append(read(at, Math.min(PIECE_BYTES, to - at)));
    await writer.room();
    if (performance.now() < end) continue;
    await nextTurn();
    end = performance.now() + SLICE;
  }
}
