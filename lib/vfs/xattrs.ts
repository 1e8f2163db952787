/** Extended attributes: `user.*` is stored with the node, `user.memfs.*` is shown, nothing else exists. */

import { MemfsError } from "../errors.ts";
import { isDirectory, isFile } from "../store/tree/mode.ts";
import { toBytes } from "../store/tree/names.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import { removeXattr, setXattr } from "../store/tree/xattrs.ts";
import type { Answer, Caller } from "./filesystem.ts";
import { MEMFS_PREFIX, NOTE, SHOWN, shownAttribute } from "./memory-attributes.ts";
import type { View } from "./view.ts";

/** Flags of setxattr(2). */
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

export const USER_PREFIX = "user.";
/** The kernel asks for it before it writes: the answer must be quick, and no error. */
export const CAPABILITY = "security.capability";
/** A note is a line or two, not a place to keep things: it is in the version and in the journal for good. */
const NOTE_MAX_BYTES = 4096;

// Made once: `ls -l` and every writer ask for attributes that are not there, and a stack trace costs more than the rest.
export const ABSENT = new MemfsError("no_attribute", "no such attribute");
export const UNKNOWN_NAMESPACE = new MemfsError("not_supported", "only attributes named user.* are supported");
const NOT_FOR_LINKS = new MemfsError("not_permitted", "only files and directories have attributes named user.*");

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A SETXATTR request. Name and value are bytes (latin1), flags those of setxattr(2). */
export interface XattrChange {
  readonly name: string;
  readonly value: Buffer;
  readonly flags: number;
}

export class Xattrs {
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  /** @throws MemfsError `no_attribute`, `not_supported` */
  get(number: number, name: string): Answer<Buffer> {
    if (name === CAPABILITY) throw ABSENT;
    if (!name.startsWith(USER_PREFIX)) throw UNKNOWN_NAMESPACE;
    if (name.startsWith(MEMFS_PREFIX)) return this.#getOwn(number, name);
    const value = this.#view.node(number).xattrs.get(name);
    if (value === undefined) throw ABSENT;
    return toBytes(value);
  }

  /** Of the head version: what was closed in another mount must be in it. */
  #getOwn(number: number, name: string): Answer<Buffer> {
    const settling = this.#view.live.settleElsewhere(this.#view, number);
    return settling === undefined
      ? this.#getSettled(number, name)
      : settling.then(() => this.#getSettled(number, name));
  }

  #getSettled(number: number, name: string): Buffer {
    const view = this.#view;
    view.live.store.settling.recordFile(number);
    const value = name === NOTE ? view.notes.get(number) : this.#shown(view.node(number), name);
    if (value === undefined) throw ABSENT;
    return Buffer.from(value);
  }

  #shown({ memory }: NodeRecord, name: string): string | undefined {
    const { store } = this.#view.live;
    const record = memory === null ? undefined : store.memoryRecord(memory);
    return record === undefined ? undefined : shownAttribute(store, record, name);
  }

  /** Names, each ended by a NUL. */
  list(number: number): Buffer {
    const view = this.#view;
    view.live.store.settling.recordFile(number);
    const { memory, xattrs } = view.node(number);
    if (memory === null && xattrs.size === 0 && view.notes.size === 0) return Buffer.alloc(0);
    const names = memory === null ? [...xattrs.keys()] : [...xattrs.keys(), ...SHOWN];
    if (view.notes.has(number)) names.push(NOTE);
    return toBytes(names.map((name) => `${name}\0`).join(""));
  }

  /** @throws MemfsError `read_only`, `archived`, `exists`, `no_attribute`, `not_supported`, `no_space`, … */
  set(caller: Caller, number: number, { name, value, flags }: XattrChange): void {
    const view = this.#view;
    view.requireWritable(caller, "setxattr", number);
    const node = this.#changeable(number, name);
    if (name === NOTE) return this.#setNote(node, value, flags);
    // `rsync -X`, `mv` and `cp -a` bring these along from another memfs, and would fail over a refusal.
    if (name.startsWith(MEMFS_PREFIX)) return;
    const change = { name, value: value.toString("latin1"), existing: existingOf(flags) };
    view.live.store.update(view.cause(caller), (tx) => setXattr(tx, number, change));
  }

  /** @throws MemfsError `read_only`, `archived`, `no_attribute`, `not_supported`, `not_permitted` */
  remove(caller: Caller, number: number, name: string): void {
    const view = this.#view;
    view.requireWritable(caller, "removexattr", number);
    this.#changeable(number, name);
    if (name === NOTE) {
      if (!view.notes.delete(number)) throw ABSENT;
      return;
    }
    if (name.startsWith(MEMFS_PREFIX)) return;
    view.live.store.update(view.cause(caller), (tx) => removeXattr(tx, number, name));
  }

  #changeable(number: number, name: string): NodeRecord {
    if (!name.startsWith(USER_PREFIX)) throw UNKNOWN_NAMESPACE;
    const node = this.#view.node(number);
    if (!isFile(node.mode) && !isDirectory(node.mode)) throw NOT_FOR_LINKS;
    return node;
  }

  /** The next version of the file that this mount makes will have the note. */
  #setNote(node: NodeRecord, value: Buffer, flags: number): void {
    const { notes } = this.#view;
    if (!isFile(node.mode)) throw new MemfsError("not_permitted", "a note belongs to a version of a file");
    const existing = existingOf(flags);
    if (existing === false && notes.has(node.number)) throw new MemfsError("exists", "there is a note already");
    if (existing === true && !notes.has(node.number)) throw ABSENT;
    if (value.length > NOTE_MAX_BYTES)
      throw new MemfsError("no_space", `a note has at most ${NOTE_MAX_BYTES} bytes; write the rest into a file`);
    notes.set(node.number, noteText(value));
  }
}

function existingOf(flags: number): boolean | null {
  if ((flags & XATTR_CREATE) !== 0) return false;
  return (flags & XATTR_REPLACE) !== 0 ? true : null;
}

function noteText(value: Buffer): string {
  try {
    return utf8.decode(value);
  } catch (cause) {
    throw new MemfsError("invalid_argument", "a note is UTF-8 text", { cause });
  }
}
