/**
 * How a value is framed at rest. The first byte says how, so that both kinds can be told apart for ever:
 * `1 | 12-byte nonce | ciphertext | 16-byte tag` (AES-256-GCM) or `0 | CRC-32 | bytes`.
 */
import { randomFillSync } from "node:crypto";
import { crc32 } from "node:zlib";
import { MemfsError } from "../../errors.ts";
import type { Sealer } from "../../kv/kv.ts";
import { Views } from "../../views.ts";
import { type Aead, createAead, NONCE_SIZE, TAG_SIZE } from "./aead.ts";

const PLAIN_FORMAT = 0;
const AES_FORMAT = 1;
const AES_HEADER = 1 + NONCE_SIZE;
const PLAIN_HEADER = 1 + 4;

/** Random bytes are drawn for many nonces at once: a draw costs ~1 µs however small. */
const NONCES = 512;
const randomBytes = Buffer.allocUnsafeSlow(NONCE_SIZE * NONCES);
const nonces = Array.from({ length: NONCES }, (_, index) =>
  randomBytes.subarray(index * NONCE_SIZE, (index + 1) * NONCE_SIZE),
);
let noncesUsed = NONCES;

/** Random, never a counter: a restored backup or a cloned disk would use the same counter again under the same key. */
function takeNonce(): Buffer {
  if (noncesUsed === NONCES) {
    randomFillSync(randomBytes);
    noncesUsed = 0;
  }
  return nonces[noncesUsed++] as Buffer;
}

/** Format byte and context in one piece, in a buffer that is used again: it is read before the call returns. */
let aad = new Views(Buffer.alloc(512));
function aadOf(context: Uint8Array): Buffer {
  if (aad.bytes.length < context.length + 1) aad = new Views(Buffer.alloc(2 * context.length));
  aad.bytes[0] = AES_FORMAT;
  aad.bytes.set(context, 1);
  return aad.first(context.length + 1);
}

/** Where values are sealed, used again for each; larger ones get memory of their own. */
const SCRATCH_SIZE = 256 * 1024;
const scratch = new Views(Buffer.allocUnsafeSlow(SCRATCH_SIZE));
const scratchBody = scratch.bytes.subarray(AES_HEADER);

/** AES-256-GCM; the context and the format byte are authenticated with the value. */
export class AesSealer implements Sealer {
  readonly #aead: Aead;

  /** `key` is 32 bytes. */
  constructor(key: Uint8Array) {
    this.#aead = createAead(key);
  }

  seal(context: Uint8Array, value: Uint8Array): Buffer {
    const size = this.sealedSize(value.length);
    const isSmall = size <= SCRATCH_SIZE;
    const sealed = isSmall ? scratch.first(size) : Buffer.allocUnsafeSlow(size);
    const nonce = takeNonce();
    sealed[0] = AES_FORMAT;
    sealed.set(nonce, 1);
    const body = isSmall ? scratchBody : sealed.subarray(AES_HEADER);
    this.#aead.seal({ nonce, aad: aadOf(context) }, value, body);
    return sealed;
  }

  sealedSize(length: number): number {
    return AES_HEADER + length + TAG_SIZE;
  }

  sealTo(context: Uint8Array, value: Uint8Array, target: Buffer): void {
    const nonce = takeNonce();
    target[0] = AES_FORMAT;
    target.set(nonce, 1);
    this.#aead.seal({ nonce, aad: aadOf(context) }, value, target.subarray(AES_HEADER));
  }

  open(context: Uint8Array, sealed: Uint8Array): Buffer {
    if (sealed[0] !== AES_FORMAT || sealed.length < AES_HEADER + TAG_SIZE) throw damaged();
    const nonce = sealed.subarray(1, AES_HEADER);
    const value = this.#aead.open({ nonce, aad: aadOf(context) }, sealed.subarray(AES_HEADER));
    if (value === null) throw damaged();
    return value;
  }

  openedSize(length: number): number {
    return Math.max(0, length - AES_HEADER - TAG_SIZE);
  }

  openTo(context: Uint8Array, sealed: Uint8Array, target: Buffer): void {
    if (sealed[0] !== AES_FORMAT || target.length !== sealed.length - AES_HEADER - TAG_SIZE) throw damaged();
    const nonce = sealed.subarray(1, AES_HEADER);
    if (!this.#aead.openTo({ nonce, aad: aadOf(context) }, sealed.subarray(AES_HEADER), target)) throw damaged();
  }
}

/** No encryption, only a checksum over context and value, so that damage is seen as with {@link AesSealer}. */
export class PlainSealer implements Sealer {
  seal(context: Uint8Array, value: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(this.sealedSize(value.length));
    this.sealTo(context, value, sealed);
    return sealed;
  }

  sealedSize(length: number): number {
    return PLAIN_HEADER + length;
  }

  sealTo(context: Uint8Array, value: Uint8Array, target: Buffer): void {
    target[0] = PLAIN_FORMAT;
    target.writeUInt32BE(checksum(context, value), 1);
    target.set(value, PLAIN_HEADER);
  }

  /** The result is a view of `sealed`. */
  open(context: Uint8Array, sealed: Uint8Array): Buffer {
    if (sealed[0] !== PLAIN_FORMAT || sealed.length < PLAIN_HEADER) throw damaged();
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const value = bytes.subarray(PLAIN_HEADER);
    if (bytes.readUInt32BE(1) !== checksum(context, value)) throw damaged();
    return value;
  }

  openedSize(length: number): number {
    return Math.max(0, length - PLAIN_HEADER);
  }

  openTo(context: Uint8Array, sealed: Uint8Array, target: Buffer): void {
    const value = this.open(context, sealed);
    if (value.length !== target.length) throw damaged();
    target.set(value);
  }
}

function checksum(context: Uint8Array, value: Uint8Array): number {
  const start = crc32(context);
  // zlib forgets the start value when an empty buffer has no memory behind it, which depends on how it was made.
  return value.length === 0 ? start : crc32(value, start);
}

function damaged(): MemfsError {
  return new MemfsError(
    "damaged",
    "a stored value was altered or moved, or was sealed with another key; run memfs audit verify",
  );
}
