/**
 * The OpenSSL inside the Node process, called directly. `node:crypto` makes a stream object and looks the cipher up anew for
 * each value; a commit seals eight of them. Names and signatures are those of `openssl/evp.h` (EVP_EncryptInit(3)).
 */

import koffi from "koffi";

const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;
const TAG_SIZE = 16;

/** One value. `output` holds at least as many bytes as `input`; `tag` is 16 bytes. */
export interface Sealing {
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly tag: Uint8Array;
}

/**
 * AES-256-GCM. Lengths are the caller's to check: nothing here knows how large the memory behind a pointer is. A key is known
 * by its object, whose bytes must stay as they are: what is derived from it is kept for the next value.
 */
export interface Openssl {
  /** Fills `output` and `tag`. */
  encrypt(key: Uint8Array, sealing: Sealing): void;
  /** Fills `output`; false when `tag` does not fit, and `output` is then to be thrown away. */
  decrypt(key: Uint8Array, sealing: Sealing): boolean;
}

/** A function of the library, as koffi binds it. */
type Bound = (...args: unknown[]) => number;

let loaded: Openssl | null | undefined;

/** Null when this Node does not export OpenSSL, or there is no koffi for the platform. */
export function loadOpenssl(): Openssl | null {
  if (loaded === undefined) {
    try {
      loaded = bind();
    } catch {
      loaded = null;
    }
  }
  return loaded;
}

function bind(): Openssl {
  const library = koffi.load(null);
  const cipher: unknown = library.func("void *EVP_aes_256_gcm()")();
  const newContext = library.func("void *EVP_CIPHER_CTX_new()");
  const [encryption, decryption]: unknown[] = [newContext(), newContext()];
  const init = (direction: string): Bound =>
    library.func(`int EVP_${direction}Init_ex(void *, void *, void *, void *, void *)`);
  const update = (direction: string): Bound =>
    library.func(`int EVP_${direction}Update(void *, void *, void *, void *, int)`);
  const final = (direction: string): Bound => library.func(`int EVP_${direction}Final_ex(void *, void *, void *)`);
  const control: Bound = library.func("int EVP_CIPHER_CTX_ctrl(void *, int, int, void *)");
  const [encryptInit, encryptUpdate, encryptFinal] = [init("Encrypt"), update("Encrypt"), final("Encrypt")];
  const [decryptInit, decryptUpdate, decryptFinal] = [init("Decrypt"), update("Decrypt"), final("Decrypt")];
  /** Receives the lengths that OpenSSL reports, which GCM makes equal to the input's. */
  const length = Buffer.alloc(4);
  const trailer = Buffer.alloc(TAG_SIZE);
  // The cipher is looked up once; from then on a context is given a new nonce for each value, and a key when it is another one.
  must(encryptInit(encryption, cipher, null, null, null));
  must(decryptInit(decryption, cipher, null, null, null));
  let encryptionKey: Uint8Array | null = null;
  let decryptionKey: Uint8Array | null = null;
  return {
    encrypt(key, { nonce, aad, input, output, tag }) {
      const known = key === encryptionKey;
      encryptionKey = null;
      must(encryptInit(encryption, null, null, known ? null : key, nonce));
      must(encryptUpdate(encryption, null, length, aad, aad.length));
      if (input.length > 0) must(encryptUpdate(encryption, output, length, input, input.length));
      must(encryptFinal(encryption, trailer, length));
      must(control(encryption, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag));
      encryptionKey = key;
    },
    decrypt(key, { nonce, aad, input, output, tag }) {
      const known = key === decryptionKey;
      decryptionKey = null;
      must(decryptInit(decryption, null, null, known ? null : key, nonce));
      must(decryptUpdate(decryption, null, length, aad, aad.length));
      if (input.length > 0) must(decryptUpdate(decryption, output, length, input, input.length));
      must(control(decryption, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag));
      decryptionKey = key;
      return decryptFinal(decryption, trailer, length) === 1;
    },
  };
}

/**
 * SHA-256 whose state is the caller's: {@link SHA256_STATE_BYTES}, copied by copying it. Names are those of `openssl/sha.h`
 * (SHA256_Init(3)).
 */
export interface Sha256 {
  init(state: Uint8Array): void;
  update(state: Uint8Array, bytes: Uint8Array): void;
  /** The same in the thread pool. Neither may be touched until it resolves, which it always does. */
  updateLater(state: Uint8Array, bytes: Uint8Array): Promise<void>;
  /** Fills `digest`, 32 bytes; the state is of no use then. */
  final(digest: Uint8Array, state: Uint8Array): void;
}

/** Size of `SHA256_CTX`: eight words, two of length, a block, two more words. */
export const SHA256_STATE_BYTES = 112;

let sha256: Sha256 | null | undefined;

/** Null when this Node does not export these functions of OpenSSL, or there is no koffi for the platform. */
export function loadSha256(): Sha256 | null {
  if (sha256 === undefined) {
    try {
      sha256 = bindSha256();
    } catch {
      sha256 = null;
    }
  }
  return sha256;
}

function bindSha256(): Sha256 {
  const library = koffi.load(null);
  const init: Bound = library.func("int SHA256_Init(void *)");
  const update = library.func("int SHA256_Update(void *, void *, size_t)");
  const final: Bound = library.func("int SHA256_Final(void *, void *)");
  return {
    init: (state) => must(init(state)),
    update: (state, bytes) => must((update as Bound)(state, bytes, bytes.length)),
    updateLater: (state, bytes) =>
      new Promise((resolve) => {
        update.async(state, bytes, bytes.length, () => resolve());
      }),
    final: (digest, state) => must(final(digest, state)),
  };
}

function must(result: number): void {
  if (result !== 1) throw new Error("a call of OpenSSL failed");
}
