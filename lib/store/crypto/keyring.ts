/**
 * The keys of a home. One master key, from the environment or `master.key`, wraps one random key per store; each wrapped
 * key is a small file of its own in `keys/`, because a file can be overwritten and unlinked for good when the store is
 * deleted, while a key inside LevelDB would live on in old tables. All keys in use are derived with HKDF (RFC 5869).
 */
import { hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, open, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory, writeFileAtomic } from "../../atomic-file.ts";
import { MemfsError } from "../../errors.ts";
import type { Sealer } from "../../kv/kv.ts";
import { DATABASE_DIR } from "../../kv/layout.ts";
import type { Logger } from "../../log.ts";
import { AesSealer, PlainSealer } from "./seal.ts";

/** The environment variable that holds the master key, as 64 hex digits or base64. */
export const MASTER_KEY_VARIABLE = "MEMFS_MASTER_KEY";
/** The space of the catalogue; its key is derived from the master key, there is no file for it. */
export const CATALOGUE_SPACE = 1;

const KEY_SIZE = 32;
const MASTER_FILE = "master.key";
const KEYS_DIR = "keys";
/** Holds a value derived from the master key, by which a wrong one is known before it does harm. */
const CHECK_FILE = "master.check";
const KEY_FILE_MAGIC = Buffer.from("memfskey", "latin1");
const KEY_FILE_FORMAT = 1;
const KEY_FILE_HEADER = 16;
const AT_FORMAT = 8;
const AT_ENCRYPTED = 9;
const AT_SPACE = 12;

/** What a store needs to read and write its data. */
export interface StoreKeys {
  readonly sealer: Sealer;
  /** 32 bytes: HMAC key of names. */
  readonly nameKey: Buffer;
  /** 32 bytes: HMAC key of content ids. */
  readonly contentKey: Buffer;
  readonly encrypted: boolean;
}

export interface KeyringOptions {
  /** The home. */
  readonly dir: string;
  /** Where {@link MASTER_KEY_VARIABLE} is looked up; default none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

export class Keyring {
  readonly #dir: string;
  readonly #wrapper: Sealer;
  /** Seals the catalogue. */
  readonly catalogue: Sealer;

  private constructor(dir: string, master: Buffer) {
    this.#dir = dir;
    this.#wrapper = new AesSealer(derive(master, "wrap"));
    this.catalogue = new AesSealer(derive(master, "catalogue"));
  }

  /**
   * Finds or makes the master key and checks it against the home before anything is written.
   * @throws MemfsError `bad_key` when it is malformed, missing, readable by others, or not the one of this home
   */
  static async open(options: KeyringOptions): Promise<Keyring> {
    const dir = join(options.dir, KEYS_DIR);
    const used = await isUsed(options.dir);
    let master = configuredKey(options);
    if (master === null) {
      const path = join(options.dir, MASTER_FILE);
      if (used) throw new MemfsError("bad_key", `master key missing; restore ${path} or set ${MASTER_KEY_VARIABLE}`);
      await mkdir(options.dir, { recursive: true, mode: 0o700 });
      master = randomBytes(KEY_SIZE);
      await writeFileAtomic(path, `${master.toString("hex")}\n`);
      options.log.info("keyring: made a new master key; keep a copy of it in a safe place", { file: path });
    }
    const check = derive(master, "check");
    if (used) {
      verifyCheck(dir, check);
    } else {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await syncDirectory(options.dir);
      await writeFileAtomic(join(dir, CHECK_FILE), `${check.toString("hex")}\n`);
    }
    return new Keyring(dir, master);
  }

  /** Makes the key of a new store; durable when resolved. @throws MemfsError `exists` */
  async create(space: number, options: { readonly encrypt: boolean }): Promise<StoreKeys> {
    const path = this.#path(space);
    if (space === CATALOGUE_SPACE || existsSync(path)) {
      throw new MemfsError("exists", `there is a key for space ${space} already: ${path}`);
    }
    const key = randomBytes(KEY_SIZE);
    const header = Buffer.alloc(KEY_FILE_HEADER);
    header.set(KEY_FILE_MAGIC);
    header[AT_FORMAT] = KEY_FILE_FORMAT;
    header[AT_ENCRYPTED] = options.encrypt ? 1 : 0;
    header.writeUInt32BE(space, AT_SPACE);
    await writeFileAtomic(path, Buffer.concat([header, this.#wrapper.seal(header, key)]));
    return keysOf(key, options.encrypt);
  }

  /** The keys of a store. @throws MemfsError `bad_key` when its file is missing, damaged, or another store's */
  load(space: number): StoreKeys {
    const path = this.#path(space);
    const bytes = readOrNull(path);
    if (bytes === null) {
      throw new MemfsError("bad_key", `key file ${path} is missing; restore it from a backup, or delete the store`);
    }
    const header = bytes.subarray(0, KEY_FILE_HEADER);
    const valid =
      bytes.length > KEY_FILE_HEADER &&
      header.subarray(0, AT_FORMAT).equals(KEY_FILE_MAGIC) &&
      header[AT_FORMAT] === KEY_FILE_FORMAT &&
      header.readUInt32BE(AT_SPACE) === space;
    if (!valid) throw badKeyFile(path);
    try {
      return keysOf(this.#wrapper.open(header, bytes.subarray(KEY_FILE_HEADER)), header[AT_ENCRYPTED] === 1);
    } catch (cause) {
      throw badKeyFile(path, cause);
    }
  }

  /** For the replay of the redo log: null when the store's key file is gone. @throws MemfsError `bad_key` as {@link load} */
  sealerOf(space: number): Sealer | null {
    if (space === CATALOGUE_SPACE) return this.catalogue;
    return existsSync(this.#path(space)) ? this.load(space).sealer : null;
  }

  /** Destroys the key of a store: its data cannot be opened by anybody from then on. Harmless when it is gone already. */
  async forget(space: number): Promise<void> {
    const path = this.#path(space);
    if (!existsSync(path)) return;
    const handle = await open(path, "r+");
    try {
      // In place, so that the old bytes are gone where the filesystem keeps its blocks.
      await handle.write(randomBytes((await handle.stat()).size), 0, undefined, 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await unlink(path);
    await syncDirectory(this.#dir);
  }

  #path(space: number): string {
    return join(this.#dir, `${space.toString(16).padStart(8, "0")}.key`);
  }
}

function derive(key: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "", `memfs ${purpose}`, KEY_SIZE));
}

function keysOf(key: Buffer, encrypted: boolean): StoreKeys {
  return Object.freeze({
    sealer: encrypted ? new AesSealer(derive(key, "values")) : new PlainSealer(),
    nameKey: derive(key, "names"),
    contentKey: derive(key, "content"),
    encrypted,
  });
}

/** True when a master key was in use here before: there are keys, or data that can only have been sealed with some. */
async function isUsed(home: string): Promise<boolean> {
  if (existsSync(join(home, DATABASE_DIR))) return true;
  const dir = join(home, KEYS_DIR);
  if (!existsSync(dir)) return false;
  return (await readdir(dir)).some((name) => name === CHECK_FILE || name.endsWith(".key"));
}

function verifyCheck(dir: string, check: Buffer): void {
  const path = join(dir, CHECK_FILE);
  const text = readOrNull(path)?.toString("latin1").trim();
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text)) {
    throw new MemfsError("bad_key", `${path} is missing or damaged; restore it from a backup`);
  }
  if (timingSafeEqual(Buffer.from(text, "hex"), check)) return;
  throw new MemfsError(
    "bad_key",
    `wrong master key: ${dir} belongs to another one; set ${MASTER_KEY_VARIABLE} or restore ${MASTER_FILE} to the right key`,
  );
}

/** The master key of the environment, else of the file; null when there is neither. */
function configuredKey(options: KeyringOptions): Buffer | null {
  const text = options.env?.[MASTER_KEY_VARIABLE];
  if (text !== undefined && text !== "") return parseKey(text, MASTER_KEY_VARIABLE);
  const path = join(options.dir, MASTER_FILE);
  const bytes = readOrNull(path);
  if (bytes === null) return null;
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new MemfsError("bad_key", `${path} is readable by others (mode 0${mode.toString(8)}); run chmod 600 ${path}`);
  }
  return parseKey(bytes.toString("latin1"), path);
}

function parseKey(text: string, source: string): Buffer {
  const trimmed = text.trim();
  const key = /^[0-9a-fA-F]{64}$/.test(trimmed) ? Buffer.from(trimmed, "hex") : base64Key(trimmed);
  if (key?.length === KEY_SIZE) return key;
  throw new MemfsError(
    "bad_key",
    `${source} does not hold a master key; it must be 32 bytes as 64 hex digits or base64`,
  );
}

function base64Key(text: string): Buffer | null {
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, "base64") : null;
}

function readOrNull(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new MemfsError("bad_key", `cannot read ${path}; check its owner and permissions`, { cause: error });
  }
}

function badKeyFile(path: string, cause?: unknown): MemfsError {
  const message = `key file ${path} is damaged or belongs elsewhere; restore it from a backup, or delete the store`;
  return new MemfsError("bad_key", message, cause === undefined ? {} : { cause });
}
