/** Writing answers. */

import type {
  Attributes,
  FilesystemStatistics,
  Lock,
  NodeEntry,
  NodeRef,
  OpenedHandle,
} from "../../../lib/vfs/filesystem.ts";
import {
  ATTR_OUT_SIZE,
  ENTRY_OUT_SIZE,
  INIT_OUT_SIZE,
  KSTATFS_SIZE,
  LK_OUT_SIZE,
  LOCK_TYPES,
  MAX_TRANSFER,
  OPEN_OUT_SIZE,
  OpenReply,
  OUT_HEADER_SIZE,
  STATX_OUT_SIZE,
} from "./abi.ts";
import { attributeSeconds, put64, putAttributes, putEntry, putStatx } from "./encode.ts";
import type { Request } from "./request.ts";

/** Where finished answers go. */
export interface ReplySink {
  /** The first `length` bytes of `bytes` are one answer. They are valid until the call returns. Never throws. */
  send(bytes: Buffer, length: number): void;
}

/** Memory for one answer. An answer is written and sent without a pause, so all connections share it. */
export class ReplyMemory {
  readonly bytes: Buffer;
  readonly words: Uint32Array;

  constructor() {
    const memory = new ArrayBuffer(OUT_HEADER_SIZE + MAX_TRANSFER);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
  }
}

/** Word behind the header, where bodies start. */
const BODY = OUT_HEADER_SIZE / 4;

/** Writes the answers of one connection: a method of a body, then {@link seal}, or {@link refuse} alone. */
export class ReplyWriter {
  /** Seconds the kernel may believe a name, as INIT decided. */
  nameSeconds = 0;
  readonly bytes: Buffer;
  readonly #words: Uint32Array;
  #length = OUT_HEADER_SIZE;

  constructor(memory: ReplyMemory) {
    this.bytes = memory.bytes;
    this.#words = memory.words;
  }

  /** Puts the header of a success before the body; returns the length of the answer. */
  seal(request: Request): number {
    return this.#header(request, 0);
  }

  /** Writes an answer that is only an errno (positive); returns its length. */
  refuse(request: Request, errno: number): number {
    this.empty();
    return this.#header(request, -errno);
  }

  empty(): void {
    this.#length = OUT_HEADER_SIZE;
  }

  entry(entry: NodeEntry | null): void {
    putEntry(this.#words, BODY, entry, this.nameSeconds);
    this.#length = OUT_HEADER_SIZE + ENTRY_OUT_SIZE;
  }

  attributes(node: NodeRef, attributes: Attributes): void {
    put64(this.#words, BODY, attributeSeconds(node));
    put64(this.#words, BODY + 2, 0);
    putAttributes(this.#words, BODY + 4, node, attributes);
    this.#length = OUT_HEADER_SIZE + ATTR_OUT_SIZE;
  }

  statx(node: NodeRef, attributes: Attributes): void {
    this.#words.fill(0, BODY, BODY + STATX_OUT_SIZE / 4);
    put64(this.#words, BODY, attributeSeconds(node));
    putStatx(this.#words, BODY + 8, node, attributes);
    this.#length = OUT_HEADER_SIZE + STATX_OUT_SIZE;
  }

  opened(opened: OpenedHandle): void {
    this.#putOpened(BODY, opened, openFlags(opened));
    this.#length = OUT_HEADER_SIZE + OPEN_OUT_SIZE;
  }

  /** CACHE_DIR lets the kernel fill its cache of the listing, KEEP_CACHE lets it use what is there. */
  openedDirectory(opened: OpenedHandle): void {
    const flags = OpenReply.CACHE_DIR | (opened.keepCache ? OpenReply.KEEP_CACHE : 0);
    this.#putOpened(BODY, opened, opened.directIo ? 0 : flags);
    this.#length = OUT_HEADER_SIZE + OPEN_OUT_SIZE;
  }

  created(entry: NodeEntry, opened: OpenedHandle): void {
    putEntry(this.#words, BODY, entry, this.nameSeconds);
    this.#putOpened(BODY + ENTRY_OUT_SIZE / 4, opened, openFlags(opened));
    this.#length = OUT_HEADER_SIZE + ENTRY_OUT_SIZE + OPEN_OUT_SIZE;
  }

  /** Copies `data` behind the header: cheaper than a gathering write up to the largest READ there is. */
  data(data: Buffer): void {
    if (data.length > MAX_TRANSFER) throw new Error("an answer is larger than any request asks for");
    data.copy(this.bytes, OUT_HEADER_SIZE);
    this.#length = OUT_HEADER_SIZE + data.length;
  }

  /** A number of bytes: what a WRITE took, or how long an extended attribute is. */
  written(size: number): void {
    put64(this.#words, BODY, size);
    this.#length = OUT_HEADER_SIZE + 8;
  }

  /** The lock that stands in the way; null: none does. */
  lock(lock: Lock | null): void {
    const words = this.#words;
    words.fill(0, BODY, BODY + LK_OUT_SIZE / 4);
    words[BODY + 4] = LOCK_TYPES.indexOf(lock?.type ?? "unlock");
    if (lock !== null) {
      this.bytes.writeBigUInt64LE(lock.start, OUT_HEADER_SIZE);
      this.bytes.writeBigUInt64LE(lock.end, OUT_HEADER_SIZE + 8);
      words[BODY + 5] = lock.pid;
    }
    this.#length = OUT_HEADER_SIZE + LK_OUT_SIZE;
  }

  /** A 64-bit offset or count, up to 2^53. */
  offset(offset: number): void {
    put64(this.#words, BODY, offset);
    this.#length = OUT_HEADER_SIZE + 8;
  }

  statistics(statistics: FilesystemStatistics): void {
    const words = this.#words;
    put64(words, BODY, statistics.blocks);
    put64(words, BODY + 2, statistics.blocksFree);
    put64(words, BODY + 4, statistics.blocksFree);
    put64(words, BODY + 6, statistics.files);
    put64(words, BODY + 8, statistics.filesFree);
    words[BODY + 10] = statistics.blockSize;
    words[BODY + 11] = statistics.nameMax;
    words[BODY + 12] = statistics.blockSize;
    words.fill(0, BODY + 13, BODY + KSTATFS_SIZE / 4);
    this.#length = OUT_HEADER_SIZE + KSTATFS_SIZE;
  }

  /** The body of an answer to INIT, as `negotiation.ts` fills it. */
  init(fill: (words: Uint32Array) => void): void {
    const body = this.#words.subarray(BODY, BODY + INIT_OUT_SIZE / 4);
    body.fill(0);
    fill(body);
    this.#length = OUT_HEADER_SIZE + INIT_OUT_SIZE;
  }

  #putOpened(at: number, opened: OpenedHandle, flags: number): void {
    this.#words[at] = opened.fhLow;
    this.#words[at + 1] = opened.fhHigh;
    this.#words[at + 2] = flags;
    this.#words[at + 3] = 0;
  }

  #header(request: Request, error: number): number {
    this.#words[0] = this.#length;
    this.#words[1] = error;
    this.#words[2] = request.uniqueLow;
    this.#words[3] = request.uniqueHigh;
    return this.#length;
  }
}

function openFlags(opened: OpenedHandle): number {
  return (
    (opened.keepCache ? OpenReply.KEEP_CACHE : 0) |
    (opened.directIo ? OpenReply.DIRECT_IO : 0) |
    // Saves a round trip on every `cat`. Kernels before 7.35 send FLUSH anyway.
    (opened.noFlush ? OpenReply.NOFLUSH : 0)
  );
}
