/**
 * One redo record: a fixed header in the clear, then the sealed payload (the reply of the request, then the operations).
 * The header is the context of the seal, so a payload cannot be moved under another header.
 *
 * ```
 *  0 u32 length of the payload        16 u64 sequence number
 *  4 u32 CRC-32 of all that follows   24 u64 connection of the request, 0 if none
 *  8 u8  record format                32 u64 FUSE unique of the request
 *  9 u8  flags                        40 u32 bytes of the reply in the payload
 * 10 u16 promised                     44 u32 number of operations
 * 12 u32 space                        48 payload
 * ```
 * The operations are those of `batch.ts`. All integers are big-endian.
 *
 * Promised: when this record was written, somebody had been told that all records up to the one so many before it survive
 * power loss. 0: that is not known. So a record that is missing or bad was lost to nobody, or is damage.
 *
 * Flag 1: the record says that values were appended to a value file. Its payload is in the clear, so that it can be
 * checked without a key: u32 number of the file, u64 start, u64 end, u32 fingerprint (see `extent.ts`).
 *
 * Flag 2: all values that records up to a number tell of are on the disk. Payload, in the clear: u64 that number.
 */
import { crc32 } from "node:zlib";
import { MemfsError } from "../errors.ts";
import { Batch, DELETE, OPERATION_HEADER_SIZE } from "./batch.ts";
import type { Origin, Sealer } from "./kv.ts";
import type { Extent } from "./extent.ts";

export const RECORD_HEADER_SIZE = 48;
/** Format written into each record, and the only one there is. */
export const RECORD_FORMAT = 1;
const EXTENT_FLAG = 1;
const EXTENT_SIZE = 24;
const SYNCED_FLAG = 2;
const SYNCED_SIZE = 8;
/** Largest payload, before sealing: far above any commit, far below what the length field could not hold. */
const MAX_PAYLOAD = 512 * 1024 * 1024;

const AT_CRC = 4;
const AT_FORMAT = 8;
const AT_FLAGS = 9;
const AT_PROMISED = 10;
const AT_SPACE = 12;
const AT_SEQ = 16;
const AT_CONNECTION = 24;
const AT_UNIQUE = 32;
const AT_REPLY = 40;
const AT_OPERATIONS = 44;

const TWO_32 = 0x1_0000_0000;
const MAX_DISTANCE = 0xffff;
/** Buffers kept between commits; larger ones, of rare large commits, are given back. */
const KEPT_BUFFER = 256 * 1024;

/** A record as it stands in the log, its payload still sealed. */
export interface RedoRecord {
  readonly space: number;
  readonly seq: number;
  readonly origin: Origin;
  readonly replyLength: number;
  readonly operations: number;
  /** The values it speaks of, if it is a record of flag 1. */
  readonly extent: Extent | null;
  /** All values that records up to this one tell of are on the disk, says a record of flag 2; else 0. */
  readonly valuesSynced: number;
  /** Records up to this number were promised to survive power loss when this one was written; 0 if that is not known. */
  readonly promised: number;
  /** The authenticated part of the header. */
  readonly context: Buffer;
  readonly payload: Buffer;
}

/** Where a record stands in the log. */
export interface RecordPosition {
  readonly seq: number;
  /** See {@link RedoRecord.promised}. */
  readonly promised: number;
  /** Start value of the checksum, different in each file: see `redo-file.ts`. */
  readonly salt: number;
}

export interface RecordInput extends RecordPosition {
  readonly space: number;
  readonly sealer: Sealer;
  readonly batch: Batch;
  readonly origin: Origin | undefined;
}

export function writeUint64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32BE(Math.floor(value / TWO_32), offset);
  buffer.writeUInt32BE(value >>> 0, offset + 4);
}

export function readUint64(buffer: Buffer, offset: number): number {
  return buffer.readUInt32BE(offset) * TWO_32 + buffer.readUInt32BE(offset + 4);
}

/** Builds records in a buffer of its own, so that a commit leaves no garbage. */
export class RecordEncoder {
  #record: Buffer = Buffer.alloc(0);
  /** Views of it: what the seal is about, and where the sealed payload goes. */
  #context: Buffer = this.#record;
  #payload: Buffer = this.#record;

  /** The record's bytes, valid until the next call. @throws MemfsError `too_large` */
  encode(input: RecordInput): Buffer {
    const reply = input.origin?.reply;
    const plain = payloadOf(input.batch, reply);
    const length = input.sealer.sealedSize(plain.length);
    this.#reserve(RECORD_HEADER_SIZE + length);
    const header = this.#record;
    header[AT_FORMAT] = RECORD_FORMAT;
    header[AT_FLAGS] = 0;
    header.writeUInt16BE(distance(input.seq, input.promised), AT_PROMISED);
    header.writeUInt32BE(input.space, AT_SPACE);
    writeUint64(header, input.seq, AT_SEQ);
    writeUint64(header, input.origin?.connection ?? 0, AT_CONNECTION);
    header.writeUInt32BE(input.origin?.uniqueHigh ?? 0, AT_UNIQUE);
    header.writeUInt32BE(input.origin?.uniqueLow ?? 0, AT_UNIQUE + 4);
    header.writeUInt32BE(reply?.length ?? 0, AT_REPLY);
    header.writeUInt32BE(input.batch.size, AT_OPERATIONS);
    input.sealer.sealTo(this.#context, plain, this.#payload);
    const record = header.subarray(0, RECORD_HEADER_SIZE + length);
    record.writeUInt32BE(length, 0);
    record.writeUInt32BE(crc32(record.subarray(AT_FORMAT), input.salt), AT_CRC);
    return record;
  }

  #reserve(size: number): void {
    const record = resized(this.#record, size);
    if (record === this.#record) return;
    this.#record = record;
    this.#context = record.subarray(AT_FORMAT, RECORD_HEADER_SIZE);
    this.#payload = record.subarray(RECORD_HEADER_SIZE);
  }
}

/** The reply, which most records do not have, and the operations. @throws MemfsError `too_large` */
function payloadOf(batch: Batch, reply: Uint8Array | undefined): Buffer {
  const payload = reply === undefined || reply.length === 0 ? batch.bytes : Buffer.concat([reply, batch.bytes]);
  if (payload.length <= MAX_PAYLOAD) return payload;
  const limit = `the limit is ${MAX_PAYLOAD}`;
  throw new MemfsError("too_large", `a commit of ${payload.length} bytes is too large; ${limit}`);
}

/** A record that says that values were appended. */
export function encodeExtent(extent: Extent, position: RecordPosition): Buffer {
  const record = clearRecord(EXTENT_FLAG, EXTENT_SIZE, position);
  record.writeUInt32BE(extent.space, AT_SPACE);
  record.writeUInt32BE(extent.file, RECORD_HEADER_SIZE);
  writeUint64(record, extent.start, RECORD_HEADER_SIZE + 4);
  writeUint64(record, extent.end, RECORD_HEADER_SIZE + 12);
  record.writeUInt32BE(extent.fingerprint, RECORD_HEADER_SIZE + 20);
  return checked(record, position);
}

/** A record that says that all values told of by records up to `through` are on the disk. */
export function encodeValuesSynced(through: number, position: RecordPosition): Buffer {
  const record = clearRecord(SYNCED_FLAG, SYNCED_SIZE, position);
  writeUint64(record, through, RECORD_HEADER_SIZE);
  return checked(record, position);
}

/** A record with its payload in the clear, not filled in. */
function clearRecord(flag: number, size: number, { seq, promised }: RecordPosition): Buffer {
  const record = Buffer.alloc(RECORD_HEADER_SIZE + size);
  record.writeUInt32BE(size, 0);
  record[AT_FORMAT] = RECORD_FORMAT;
  record[AT_FLAGS] = flag;
  record.writeUInt16BE(distance(seq, promised), AT_PROMISED);
  writeUint64(record, seq, AT_SEQ);
  return record;
}

function checked(record: Buffer, { salt }: RecordPosition): Buffer {
  record.writeUInt32BE(crc32(record.subarray(AT_FORMAT), salt), AT_CRC);
  return record;
}

function distance(seq: number, promised: number): number {
  return promised > 0 && seq - promised <= MAX_DISTANCE ? seq - promised : 0;
}

function decodeExtent(bytes: Buffer, record: number): Extent {
  const payload = record + RECORD_HEADER_SIZE;
  return {
    space: bytes.readUInt32BE(record + AT_SPACE),
    file: bytes.readUInt32BE(payload),
    start: readUint64(bytes, payload + 4),
    end: readUint64(bytes, payload + 12),
    fingerprint: bytes.readUInt32BE(payload + 20),
  };
}

function resized(buffer: Buffer, size: number): Buffer {
  if (size > KEPT_BUFFER) return buffer.length >= size ? buffer : Buffer.allocUnsafeSlow(size);
  return buffer.length === KEPT_BUFFER ? buffer : Buffer.allocUnsafeSlow(KEPT_BUFFER);
}

/**
 * The record at `offset`, or null when what stands there is not a whole record with the right checksum.
 * @throws MemfsError `format_newer` when it is one that this version does not know
 */
export function readRecord(bytes: Buffer, offset: number, salt: number): RedoRecord | null {
  if (bytes.length - offset < RECORD_HEADER_SIZE) return null;
  const length = bytes.readUInt32BE(offset);
  const end = offset + RECORD_HEADER_SIZE + length;
  if (end > bytes.length) return null;
  if (crc32(bytes.subarray(offset + AT_FORMAT, end), salt) !== bytes.readUInt32BE(offset + AT_CRC)) return null;
  const flags = bytes[offset + AT_FLAGS] ?? 0;
  const isExtent = flags === EXTENT_FLAG && length === EXTENT_SIZE;
  const isSynced = flags === SYNCED_FLAG && length === SYNCED_SIZE;
  if (bytes[offset + AT_FORMAT] !== RECORD_FORMAT || (flags !== 0 && !isExtent && !isSynced)) {
    throw new MemfsError("format_newer", "the redo log was written by a newer memfs; update memfs");
  }
  const seq = readUint64(bytes, offset + AT_SEQ);
  const before = bytes.readUInt16BE(offset + AT_PROMISED);
  return {
    space: bytes.readUInt32BE(offset + AT_SPACE),
    seq,
    promised: before === 0 ? 0 : seq - before,
    valuesSynced: isSynced ? readUint64(bytes, offset + RECORD_HEADER_SIZE) : 0,
    origin: {
      connection: readUint64(bytes, offset + AT_CONNECTION),
      uniqueHigh: bytes.readUInt32BE(offset + AT_UNIQUE),
      uniqueLow: bytes.readUInt32BE(offset + AT_UNIQUE + 4),
    },
    replyLength: bytes.readUInt32BE(offset + AT_REPLY),
    operations: bytes.readUInt32BE(offset + AT_OPERATIONS),
    extent: isExtent ? decodeExtent(bytes, offset) : null,
    context: bytes.subarray(offset + AT_FORMAT, offset + RECORD_HEADER_SIZE),
    payload: bytes.subarray(offset + RECORD_HEADER_SIZE, end),
  };
}

/** What a record says, opened. @throws MemfsError `damaged` when the seal or the framing of the operations is broken. */
export function openRecord(record: RedoRecord, sealer: Sealer): { readonly reply: Buffer; readonly batch: Batch } {
  const plain = sealer.open(record.context, record.payload);
  const batch = new Batch();
  let at = record.replyLength;
  for (let i = 0; i < record.operations; i++) {
    if (at + OPERATION_HEADER_SIZE > plain.length) throw badFraming(record);
    const keyEnd = at + OPERATION_HEADER_SIZE + plain.readUInt32BE(at);
    const valueLength = plain.readUInt32BE(at + 4);
    const end = valueLength === DELETE ? keyEnd : keyEnd + valueLength;
    if (end > plain.length) throw badFraming(record);
    const key = plain.toString("latin1", at + OPERATION_HEADER_SIZE, keyEnd);
    batch.put(key, valueLength === DELETE ? null : plain.subarray(keyEnd, end));
    at = end;
  }
  if (at !== plain.length) throw badFraming(record);
  return { reply: plain.subarray(0, record.replyLength), batch };
}

function badFraming(record: RedoRecord): MemfsError {
  return new MemfsError("damaged", `redo record ${record.seq} does not hold the operations it announces`);
}
