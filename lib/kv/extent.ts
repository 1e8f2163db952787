/** A stretch of a value file that was appended at once: the values in it, one after the other. */
import { crc32 } from "node:zlib";

export interface Extent {
  readonly space: number;
  /** Number of the value file. */
  readonly file: number;
  /** Offsets of the first byte, and of the first one behind. */
  readonly start: number;
  readonly end: number;
  /** Of the values in it, see {@link fingerprint}. */
  readonly fingerprint: number;
}

/** Of each sealed value: its nonce, or its checksum. */
const FINGERPRINT_BYTES = 16;

/**
 * Tells these values from others that stood in the same place, of an attempt that failed: those are sound, too. Goes on from
 * that of the values before; 0 for none.
 */
export function fingerprint(before: number, sealed: Uint8Array): number {
  return crc32(sealed.subarray(0, FINGERPRINT_BYTES), before);
}
