/** Bytes of values in their file: how they are framed, sealed and read. */
import { readSync } from "node:fs";
import { diskError } from "./disk.ts";
import { writeUint64 } from "./redo-record.ts";

export const VALUE_MAGIC = Buffer.from("memfsval", "latin1");
/** The length in front of each value. */
export const LENGTH_SIZE = 4;

/** Reads until `target` is full or the file ends; how many bytes there were. @throws MemfsError `io` */
export function readFully(fd: number, path: string, target: Buffer, position: number): number {
  let done = 0;
  try {
    for (let read = -1; done < target.length && read !== 0; done += read) {
      read = readSync(fd, target, done, target.length - done, position + done);
    }
  } catch (error) {
    throw diskError(`cannot read value file ${path}`, error);
  }
  return done;
}

const CONTEXT = Buffer.alloc(VALUE_MAGIC.length + 12);
CONTEXT.set(VALUE_MAGIC);

/** Where a value belongs: what it is sealed with. Valid until the next call. */
export function valueContext(number: number, offset: number): Buffer {
  CONTEXT.writeUInt32BE(number, VALUE_MAGIC.length);
  writeUint64(CONTEXT, offset, VALUE_MAGIC.length + 4);
  return CONTEXT;
}
