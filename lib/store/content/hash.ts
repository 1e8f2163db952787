/** SHA-256, the identity of content and the links of the journal. */

import { hash } from "node:crypto";

/** A SHA-256 digest: 32 bytes as a latin1 string, so that it compares, and serves as a map key, at string speed. */
export type Hash = string;

/** The digest of the bytes. */
export function sha256(bytes: Uint8Array): Hash {
  return hash("sha256", bytes, "binary");
}

/** As people and clients read it. */
export function hex(digest: Hash): string {
  return Buffer.from(digest, "latin1").toString("hex");
}

/** Digest of no bytes: the content of every empty file. */
export const EMPTY_HASH: Hash = sha256(Buffer.alloc(0));

/** What the first journal entry links to. */
export const ZERO_HASH: Hash = "\0".repeat(32);
