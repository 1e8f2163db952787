/** The key-value store in memory, for tests: same semantics, nothing durable, values not sealed. */
import { MemfsError } from "../errors.ts";
import { MAX_SPACE } from "./key.ts";
import type { Batch } from "./batch.ts";
import type { Entry, Key, Kv, Place, Range, Sealer, Space } from "./kv.ts";
import { PAGE_SIZE } from "./scan.ts";

/** A new, empty database. */
export function openMemoryKv(): Kv {
  return new MemoryKv();
}

class MemoryKv implements Kv {
  readonly pressed = false;
  readonly #spaces = new Map<number, MemorySpace>();
  #closed = false;

  space(id: number, _sealer: Sealer): Space {
    this.check();
    if (!Number.isInteger(id) || id < 1 || id > MAX_SPACE) {
      throw new MemfsError("invalid_argument", `${id} is no space id; it must be from 1 to ${MAX_SPACE}`);
    }
    let space = this.#spaces.get(id);
    if (space === undefined) this.#spaces.set(id, (space = new MemorySpace(this, id)));
    return space;
  }

  withheld(): readonly number[] {
    return [];
  }

  discard(_id: number): void {
    this.check();
  }

  async sync(): Promise<void> {
    this.check();
  }

  async drain(): Promise<void> {
    this.check();
  }

  async relieved(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** @throws MemfsError `closed` */
  check(): void {
    if (this.#closed) throw new MemfsError("closed", "the database is closed; open it again");
  }
}

class MemorySpace implements Space {
  readonly id: number;
  readonly #kv: MemoryKv;
  readonly #values = new Map<Key, Buffer>();
  readonly #appended: Buffer[] = [];
  #destroyed = false;

  constructor(kv: MemoryKv, id: number) {
    this.#kv = kv;
    this.id = id;
  }

  get(key: Key): Buffer | undefined {
    this.#check();
    return this.#values.get(key);
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  scan(range: Range): AsyncIterable<readonly Entry[]> {
    this.#check();
    const entries: Entry[] = [];
    for (const [key, value] of this.#values) if (key >= range.gte && key < range.lt) entries.push({ key, value });
    const sign = range.reverse === true ? -1 : 1;
    entries.sort((a, b) => (a.key < b.key ? -sign : sign));
    return this.#pages(entries.slice(0, range.limit));
  }

  commit(batch: Batch): void {
    this.#check();
    for (const key of batch.keys) {
      // A char above 255 is not a byte; on disk it would silently become another key.
      if (Buffer.from(key, "latin1").toString("latin1") !== key) throw new TypeError("a key must be a latin1 string");
    }
    for (const [key, value] of batch) {
      if (value === null) this.#values.delete(key);
      else this.#values.set(key, Buffer.from(value));
    }
  }

  defer(batch: Batch): void {
    this.commit(batch);
  }

  async append(values: readonly Uint8Array[]): Promise<Place[]> {
    this.#check();
    return values.map((value) => {
      this.#appended.push(Buffer.from(value));
      return { file: 1, offset: this.#appended.length, length: value.length };
    });
  }

  read({ offset }: Place): Buffer {
    this.#check();
    const value = this.#appended[offset - 1];
    if (value === undefined) throw new MemfsError("damaged", `no value was appended at ${offset}`);
    return value;
  }

  readTo(place: Place, target: Buffer): void {
    const value = this.read(place);
    if (value.length !== target.length) throw new MemfsError("damaged", "the value is of another length");
    target.set(value);
  }

  async destroy(): Promise<void> {
    this.#kv.check();
    this.#destroyed = true;
    this.#values.clear();
    this.#appended.length = 0;
  }

  async *#pages(entries: readonly Entry[]): AsyncGenerator<readonly Entry[]> {
    for (let at = 0; at < entries.length; at += PAGE_SIZE) {
      this.#check();
      yield entries.slice(at, at + PAGE_SIZE);
    }
  }

  #check(): void {
    this.#kv.check();
    if (this.#destroyed) throw new MemfsError("closed", `space ${this.id} is destroyed with its store`);
  }
}
