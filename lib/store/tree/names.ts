/** Bytes held as latin1 strings, and what people read. */

/** The bytes of a name or path as text for a message; what is not UTF-8 shows as U+FFFD. */
export function printable(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Bytes as callers of the store give and get them. */
export const toBytes = (name: string): Buffer => Buffer.from(name, "latin1");

/** Bytes as records hold them. */
export const fromBytes = (bytes: Buffer): string => bytes.toString("latin1");
