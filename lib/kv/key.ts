/** Physical keys: 4 bytes big-endian space id, then the key's bytes, so that one space is one contiguous range. */
import type { Key } from "./kv.ts";

/** Bytes of the space id in front of every physical key. */
export const SPACE_BYTES = 4;

/** The space that belongs to the key-value layer itself: format version and checkpoint. */
export const OWN_SPACE = 0;

/** The largest space id: one below the last, so that every space has an end that is a space start. */
export const MAX_SPACE = 0xffff_fffe;

export function physicalKey(space: number, key: Key | Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(SPACE_BYTES + key.length);
  bytes.writeUInt32BE(space, 0);
  if (typeof key === "string") bytes.write(key, SPACE_BYTES, "latin1");
  else bytes.set(key, SPACE_BYTES);
  return bytes;
}

/** The key within its space. */
export function keyOf(physical: Buffer): Key {
  return physical.toString("latin1", SPACE_BYTES);
}

/** First physical key of the space; that of the next space is its exclusive end. */
export function spaceStart(space: number): Buffer {
  return physicalKey(space, "");
}
