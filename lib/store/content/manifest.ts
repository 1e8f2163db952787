/**
 * How content is stored: as its bytes, or as a manifest, which is content by reference and the bytes that follow.
 * The references are chunks; or one of them is a whole content that a few bytes were added to (a growing log).
 *
 * | field | |
 * |---|---|
 * | u8 | record format |
 * | u8 | 0: the bytes follow; 1: a manifest follows; 2: they are in a value file, its place follows |
 * | varint, bytes | the end of the content: what is behind the references |
 * | 32 bytes, varint; repeated | digest and length of each reference, in order |
 *
 * A place is the varints number of the value file, offset, and length there.
 */

import type { Place, Separation } from "../../kv/kv.ts";
import type { ContentReference } from "./chunk.ts";
import { Reader, Writer } from "../records/codec.ts";
import { contentKey } from "../records/keys.ts";
import { begin, HASH_BYTES } from "../records/record.ts";

const FORMAT = 1;
const RAW = 0;
const MANIFEST = 1;
const PLACED = 2;
/** Record format and kind. */
const HEADER_BYTES = 2;
/** First byte of the keys of content. */
const CONTENT_KEY = contentKey("").charCodeAt(0);
/** From here on (bytes) a reference is so much smaller than the content that LevelDB, which writes values several times, gets that. */
const SEPARATE_BYTES = 1024;

/** Content by reference, and its end. */
export interface Manifest {
  readonly references: readonly ContentReference[];
  readonly end: Buffer;
}

/** The value under which bytes are stored as they are: valid until the next record is begun. */
export function encodeRaw(bytes: Buffer): Buffer {
  return begin().u8(RAW).raw(bytes).view();
}

/** The value under which bytes are found that were appended to a value file. */
export function encodePlace({ file, offset, length }: Place): Buffer {
  return new Writer().u8(FORMAT).u8(PLACED).varint(file).varint(offset).varint(length).view();
}

/** Content that is stored as its bytes goes to the value files when it is not tiny. */
export const contentSeparation: Separation = Object.freeze({
  least: HEADER_BYTES + SEPARATE_BYTES,
  separate: (key: Buffer, value: Buffer) =>
    key[0] === CONTENT_KEY && value[1] === RAW ? value.subarray(HEADER_BYTES) : null,
  reference: encodePlace,
});

/** The references of a manifest that only grows: each is encoded once. */
export class ManifestWriter {
  readonly #references = new Writer();

  add({ hash, length }: ContentReference): void {
    this.#references.fixed(hash).varint(length);
  }

  /** The manifest of all references so far and what comes behind them. */
  finish(end: Buffer): Buffer {
    const head = new Writer().u8(FORMAT).u8(MANIFEST).varint(end.length);
    return Buffer.concat([head.view(), end, this.#references.view()]);
  }
}

/** A manifest of one reference: valid until the next record is begun. */
export function encodeExtension({ hash, length }: ContentReference, end: Buffer): Buffer {
  return begin().u8(MANIFEST).varint(end.length).raw(end).fixed(hash).varint(length).view();
}

/** What a stored value says. @throws MemfsError `damaged` */
export function decodeContent(stored: Buffer): Buffer | Manifest | Place {
  if (stored[1] === RAW) return stored.subarray(HEADER_BYTES);
  const from = new Reader(stored.subarray(HEADER_BYTES));
  if (stored[1] === PLACED) return { file: from.varint(), offset: from.varint(), length: from.varint() };
  const end = from.raw(from.varint());
  const references: ContentReference[] = [];
  while (!from.ended) references.push({ hash: from.fixed(HASH_BYTES), length: from.varint() });
  return { references, end };
}
