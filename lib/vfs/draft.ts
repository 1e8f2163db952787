/**
 * A node as one mount is changing it: its own bytes on top of a base version. Nobody else sees them until the commit.
 *
 * Bytes that only ever grow at the end (a new file, a log) go to a ContentWriter, which cuts and hashes as they arrive;
 * any other write turns the draft into one flat buffer.
 */

import type { Uid } from "../id.ts";
import type { FinishedContent } from "../store/chunk.ts";
import { ContentWriter, finishedContent } from "../store/content-writer.ts";
import type { Hash } from "../store/hash.ts";
import type { NodeRecord } from "../store/node-record.ts";
import type { Timestamp } from "../store/record.ts";
import type { FileHandle } from "./handle.ts";
import { FlatBytes } from "./flat-bytes.ts";

/** What a draft needs of the store. */
export interface DraftSource {
  content(hash: Hash | null): Buffer;
  /** A writer that goes on from stored content. */
  resume(hash: Hash | null): ContentWriter;
}

export class Draft {
  readonly node: number;
  readonly #source: DraftSource;
  /** The version the bytes are made from; null for a new file. */
  readonly base: Uid | null;
  /** Content of the base; null for a file that was never committed. */
  readonly baseHash: Hash | null;
  #bytes: ContentWriter | FlatBytes | null = null;
  #size: number;
  /** Everything appended since the base, when nothing else was done: it can be put after another head, too. */
  #appended: Buffer[] | null = [];
  /** Bytes were written since the last commit: a close by the opener commits. */
  written = false;
  /** The handle that wrote last: the evidence when nobody closes the file before the commit. */
  author: FileHandle | null = null;
  /** The bytes were put after a head that is not the base: what this mount has cached of them is not right. */
  moved = false;
  mtime: Timestamp;
  ctime: Timestamp;

  constructor(source: DraftSource, node: NodeRecord, base: { version: Uid | null; hash: Hash | null; size: number }) {
    this.node = node.number;
    this.#source = source;
    this.base = base.version;
    this.baseHash = base.hash;
    this.#size = base.size;
    this.mtime = node.mtime;
    this.ctime = node.ctime;
  }

  get size(): number {
    return this.#size;
  }

  /** The bytes changed just now. */
  touch(now: Timestamp): void {
    this.mtime = now;
    this.ctime = now;
  }

  /** Writes at the end, wherever that is. */
  append(data: Buffer): void {
    this.#bytes ??= this.#source.resume(this.baseHash);
    if (this.#bytes instanceof FlatBytes) this.#bytes.write(this.#size, data);
    else this.#bytes.append(data);
    this.#appended?.push(Buffer.from(data));
    this.#size += data.length;
    this.written = true;
  }

  write(offset: number, data: Buffer): void {
    // What covers the whole base needs none of its bytes.
    if (this.#bytes === null && offset === 0 && data.length >= this.#size) this.#bytes = new ContentWriter();
    if (this.#bytes instanceof ContentWriter && offset === this.#bytes.size) this.#bytes.append(data);
    else this.#flat().write(offset, data);
    this.#appended = null;
    this.#size = Math.max(this.#size, offset + data.length);
    this.written = true;
  }

  /** Sets the size; what is new is zero. */
  truncate(size: number): void {
    if (size === 0) this.#bytes = new ContentWriter();
    else if (size !== this.#size) this.#flat().truncate(size);
    this.#appended = null;
    this.#size = size;
  }

  read(offset: number, length: number): Buffer {
    if (this.#bytes === null) return this.#source.content(this.baseHash).subarray(offset, offset + length);
    if (this.#bytes instanceof FlatBytes) return this.#bytes.read(offset, length);
    return this.#bytes.read(offset, length, (hash) => this.#source.content(hash));
  }

  /** The content to commit. When the head moved and this draft only appended, its bytes come after the new head. */
  finish(head: Hash | null): FinishedContent {
    if (this.#appended !== null && head !== this.baseHash) this.#moveAfter(head, this.#appended);
    this.#bytes ??= this.#source.resume(this.baseHash);
    return this.#bytes instanceof FlatBytes ? finishedContent(this.#bytes.all()) : this.#bytes.finish();
  }

  #moveAfter(head: Hash | null, appended: readonly Buffer[]): void {
    const writer = this.#source.resume(head);
    for (const data of appended) writer.append(data);
    this.#bytes = writer;
    this.#size = writer.size;
    this.moved = true;
  }

  /** The writer, to go on from after the commit; null when the bytes are flat. */
  get writer(): ContentWriter | null {
    return this.#bytes instanceof ContentWriter ? this.#bytes : null;
  }

  #flat(): FlatBytes {
    if (this.#bytes instanceof FlatBytes) return this.#bytes;
    const flat = new FlatBytes(this.read(0, this.#size));
    this.#bytes = flat;
    return flat;
  }
}
