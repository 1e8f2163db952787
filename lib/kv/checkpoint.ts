/**
 * How far LevelDB has taken the redo log. Written in the same batch as the values, so the two always agree.
 * Sequence numbers tell on start which records are still needed, and whether one of those is missing.
 */
import { crc32 } from "node:zlib";
import { MemfsError } from "../errors.ts";
import { readUint64, writeUint64 } from "./redo-record.ts";

/** Redo records of one space that LevelDB has not taken, although it has taken newer ones of other spaces. */
export interface Withheld {
  /** Sequence numbers of the first and the last of them. Older ones of the space may still stand in the log. */
  readonly first: number;
  readonly through: number;
  readonly records: number;
}

export interface Checkpoint {
  /** Every record up to this number is in LevelDB, but those withheld. */
  readonly applied: number;
  /** Number of the newest redo file that was known to be durable. */
  readonly newestFile: number;
  readonly withheld: ReadonlyMap<number, Withheld>;
}

export const EMPTY_CHECKPOINT: Checkpoint = Object.freeze({ applied: 0, newestFile: 0, withheld: new Map() });

const HEADER_SIZE = 16;
const WITHHELD_SIZE = 24;
/** As long as there was no first one. */
const OLD_WITHHELD_SIZE = 16;
const CRC_SIZE = 4;

/** u64 applied, u32 newest file, u32 count; per withheld space u32 id, u64 through, u32 records, u64 first; u32 CRC-32 of it all. */
export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  const size = HEADER_SIZE + checkpoint.withheld.size * WITHHELD_SIZE;
  const bytes = Buffer.alloc(size + CRC_SIZE);
  writeUint64(bytes, checkpoint.applied, 0);
  bytes.writeUInt32BE(checkpoint.newestFile, 8);
  bytes.writeUInt32BE(checkpoint.withheld.size, 12);
  let at = HEADER_SIZE;
  for (const [space, withheld] of checkpoint.withheld) {
    bytes.writeUInt32BE(space, at);
    writeUint64(bytes, withheld.through, at + 4);
    bytes.writeUInt32BE(withheld.records, at + 12);
    writeUint64(bytes, withheld.first, at + 16);
    at += WITHHELD_SIZE;
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(0, size)), size);
  return bytes;
}

/** @throws MemfsError `damaged` */
export function decodeCheckpoint(bytes: Buffer | undefined): Checkpoint {
  const size = (bytes?.length ?? 0) - CRC_SIZE;
  if (bytes === undefined || size < HEADER_SIZE || bytes.readUInt32BE(size) !== crc32(bytes.subarray(0, size))) {
    throw new MemfsError("damaged", "the database has no valid checkpoint; restore the home from a backup");
  }
  const withheld = new Map<number, Withheld>();
  const isOld = size === HEADER_SIZE + bytes.readUInt32BE(12) * OLD_WITHHELD_SIZE;
  for (let at = HEADER_SIZE; at < size; at += isOld ? OLD_WITHHELD_SIZE : WITHHELD_SIZE) {
    const first = isOld ? 0 : readUint64(bytes, at + 16);
    const [through, records] = [readUint64(bytes, at + 4), bytes.readUInt32BE(at + 12)];
    withheld.set(bytes.readUInt32BE(at), { first, through, records });
  }
  return { applied: readUint64(bytes, 0), newestFile: bytes.readUInt32BE(8), withheld };
}
