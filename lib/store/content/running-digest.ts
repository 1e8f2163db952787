/**
 * The SHA-256 of bytes as they come. Of large content it is a third of the work of the main thread, and it has to be done
 * in order; so it can also go on in the thread pool.
 */

import { createHash, type Hash as NodeHash } from "node:crypto";
import type { Hash } from "./hash.ts";
import { loadSha256, type Sha256, SHA256_STATE_BYTES } from "../crypto/openssl.ts";

export interface RunningDigest {
  update(bytes: Uint8Array): void;
  /** A copy that has gone on by these pieces, which must not change until it is there. Never rejects. */
  later(pieces: readonly Uint8Array[]): Promise<RunningDigest>;
  /** Of all bytes so far; it can go on. */
  digest(): Hash;
}

export function runningDigest(): RunningDigest {
  const sha256 = loadSha256();
  return sha256 === null ? new NodeDigest(createHash("sha256")) : OpensslDigest.start(sha256);
}

/** Through OpenSSL's own interface. */
class OpensslDigest implements RunningDigest {
  readonly #sha256: Sha256;
  readonly #state: Buffer;

  private constructor(sha256: Sha256, state: Buffer) {
    this.#sha256 = sha256;
    this.#state = state;
  }

  static start(sha256: Sha256): OpensslDigest {
    const state = Buffer.alloc(SHA256_STATE_BYTES);
    sha256.init(state);
    return new OpensslDigest(sha256, state);
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(this.#state, bytes);
  }

  async later(pieces: readonly Uint8Array[]): Promise<RunningDigest> {
    const state = Buffer.from(this.#state);
    for (const piece of pieces) await this.#sha256.updateLater(state, piece);
    return new OpensslDigest(this.#sha256, state);
  }

  digest(): Hash {
    const digest = Buffer.alloc(32);
    this.#sha256.final(digest, Buffer.from(this.#state));
    return digest.toString("latin1");
  }
}

/** Through `node:crypto`, which knows no thread pool for this. */
export class NodeDigest implements RunningDigest {
  readonly #hash: NodeHash;

  constructor(hash: NodeHash) {
    this.#hash = hash;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  later(pieces: readonly Uint8Array[]): Promise<RunningDigest> {
    const hash = this.#hash.copy();
    for (const piece of pieces) hash.update(piece);
    return Promise.resolve(new NodeDigest(hash));
  }

  digest(): Hash {
    return this.#hash.copy().digest("binary");
  }
}
