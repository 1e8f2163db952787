/** Unsigned integers of 48 bits as bytes. */

/** Six bytes, big-endian, as a latin1 string. */
export function u48(value: number): string {
  const high = Math.floor(value / 2 ** 32);
  return String.fromCharCode(
    (high >>> 8) & 255,
    high & 255,
    (value >>> 24) & 255,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  );
}
