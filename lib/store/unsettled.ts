/**
 * What has happened in the tree and is not recorded in history yet, because it may be a step of saving a file: a memory
 * that lost its name, or moved, and a file that was made exclusively. Stored, so that a daemon that dies forgets nothing,
 * and held in memory whole: it is settled within seconds.
 */

import type { Uid } from "../id.ts";
import { u48 } from "../u48.ts";
import { unsettledKey } from "./records/keys.ts";
import type { Key } from "../kv/kv.ts";
import type { NodeName } from "./records/node-record.ts";
import {
  begin,
  openRecord,
  readActor,
  readOneOf,
  readTime,
  type Timestamp,
  UID_BYTES,
  writeActor,
  writeTime,
} from "./records/record.ts";
import type { Actor, Evidence, Micros } from "./types.ts";

/** How long (µs) the program has for its next step. */
export const HOLD_MICROS = 1e6;

const KINDS = ["gone", "moved", "claimed", "provisional"] as const;

/** One thing that is held back. */
export interface Unsettled {
  /**
   * - `gone`: the memory's file was removed, replaced, or renamed to a scratch name;
   * - `moved`: the memory's file, `node`, was renamed away;
   * - `claimed`: the memory goes on in the new file `node`, which has no content yet;
   * - `provisional`: the file `node` was made exclusively and is no memory yet.
   */
  readonly kind: (typeof KINDS)[number];
  /** Null for a provisional file. */
  readonly memory: Uid | null;
  /** 0 for a memory that is gone. */
  readonly node: number;
  /** The name and path the memory had; bytes. Meaningless for a provisional file. */
  readonly from: NodeName;
  readonly path: string;
  /** Who may go on with the memory at its path: any process of the session, or this one only. */
  readonly wholeSession: boolean;
  readonly at: Micros;
  readonly actor: Actor;
  readonly evidence: Evidence | null;
  /** Of the memory's file then. */
  readonly mode: number;
  readonly mtime: Timestamp;
}

export function encodeUnsettled(held: Unsettled): Buffer {
  const { evidence } = held;
  const out = begin().u8(KINDS.indexOf(held.kind)).optional(held.memory).varint(held.node);
  out.varint(held.from.parent).bytes(held.from.name).bytes(held.path);
  out.u8(held.wholeSession ? 1 : 0).varint(held.at);
  writeActor(out, held.actor);
  out.u8(evidence === null ? 0 : 1);
  if (evidence !== null) out.varint(evidence.uid).varint(evidence.pid).text(evidence.program);
  out.varint(held.mode);
  writeTime(out, held.mtime);
  return out.take();
}

/** @throws MemfsError `damaged`, `format_newer` */
export function decodeUnsettled(bytes: Buffer): Unsettled {
  const from = openRecord(bytes);
  return {
    kind: readOneOf(from, KINDS),
    memory: from.optional(UID_BYTES),
    node: from.varint(),
    from: { parent: from.varint(), name: from.bytes() },
    path: from.bytes(),
    wholeSession: from.u8() === 1,
    at: from.varint(),
    actor: readActor(from),
    evidence: from.u8() === 0 ? null : { uid: from.varint(), pid: from.varint(), program: from.text() },
    mode: from.varint(),
    mtime: readTime(from),
  };
}

/** One memory, or one provisional file, is held once. */
const idOf = ({ memory, node }: Unsettled): string => memory ?? u48(node);

/** All that a store holds back, oldest first. */
export class UnsettledIndex {
  readonly #all = new Map<string, Unsettled>();
  readonly #atPath = new Map<string, Unsettled>();
  readonly #ofNode = new Map<number, Unsettled>();

  get size(): number {
    return this.#all.size;
  }

  /** Files that are to be memories: provisional ones, and those that a memory goes on in. */
  get files(): number {
    return this.#ofNode.size;
  }

  /** How many wait for time to pass. */
  get waiting(): number {
    return this.#atPath.size + this.#ofNode.size;
  }

  ofMemory(memory: Uid): Unsettled | undefined {
    return this.#all.get(memory);
  }

  /** The memory that left a path. */
  atPath(path: string): Unsettled | undefined {
    return this.#atPath.get(path);
  }

  /** What a file that has no memory yet is. */
  ofNode(node: number): Unsettled | undefined {
    return this.#ofNode.get(node);
  }

  values(): Iterable<Unsettled> {
    return this.#all.values();
  }

  set(held: Unsettled): void {
    const id = idOf(held);
    this.#remove(id);
    this.#all.set(id, held);
    if (held.kind === "gone" || held.kind === "moved") this.#atPath.set(held.path, held);
    else this.#ofNode.set(held.node, held);
  }

  delete(held: Unsettled): void {
    this.#remove(idOf(held));
  }

  #remove(id: string): void {
    const held = this.#all.get(id);
    if (held === undefined) return;
    this.#all.delete(id);
    if (this.#atPath.get(held.path) === held) this.#atPath.delete(held.path);
    if (this.#ofNode.get(held.node) === held) this.#ofNode.delete(held.node);
  }
}

/** Where changes are written: a transaction. */
interface Target {
  put(key: Key, value: Uint8Array): void;
  delete(key: Key): void;
}

interface Change {
  readonly held: Unsettled;
  readonly dropped: boolean;
}

/** The index as a transaction sees and changes it. */
export class UnsettledChanges {
  readonly #index: UnsettledIndex;
  readonly #target: Target;
  #changes: Change[] | null = null;

  constructor(index: UnsettledIndex, target: Target) {
    this.#index = index;
    this.#target = target;
  }

  /** Nothing is held back: the case that must cost nothing. */
  get none(): boolean {
    return this.#index.size === 0 && this.#changes === null;
  }

  ofMemory(memory: Uid): Unsettled | undefined {
    return this.#find((held) => held.memory === memory, this.#index.ofMemory(memory));
  }

  atPath(path: string): Unsettled | undefined {
    const left = (held: Unsettled): boolean => held.path === path && (held.kind === "gone" || held.kind === "moved");
    return this.#find(left, this.#index.atPath(path));
  }

  ofNode(node: number): Unsettled | undefined {
    const becomes = (held: Unsettled): boolean =>
      held.node === node && (held.kind === "claimed" || held.kind === "provisional");
    return this.#find(becomes, this.#index.ofNode(node));
  }

  #find(wanted: (held: Unsettled) => boolean, indexed: Unsettled | undefined): Unsettled | undefined {
    if (this.#changes === null) return indexed;
    for (let at = this.#changes.length - 1; at >= 0; at--) {
      const change = this.#changes[at];
      if (change !== undefined && wanted(change.held)) return change.dropped ? undefined : change.held;
    }
    if (indexed === undefined) return undefined;
    // It may have become something else meanwhile.
    const id = idOf(indexed);
    return this.#changes.some(({ held }) => idOf(held) === id) ? undefined : indexed;
  }

  set(held: Unsettled): void {
    this.#target.put(unsettledKey(idOf(held)), encodeUnsettled(held));
    (this.#changes ??= []).push({ held, dropped: false });
  }

  drop(held: Unsettled): void {
    this.#target.delete(unsettledKey(idOf(held)));
    (this.#changes ??= []).push({ held, dropped: true });
  }

  /** The transaction is committed. */
  publish(): void {
    if (this.#changes === null) return;
    for (const { held, dropped } of this.#changes) {
      if (dropped) this.#index.delete(held);
      else this.#index.set(held);
    }
  }
}
