/** The conflicts of an open store that nobody has resolved, and resolving them. */

import { MemfsError } from "../../errors.ts";
import { formatId, parseId, type Uid } from "../../id.ts";
import { commitContent } from "./commit.ts";
import { type ConflictRecord, decodeConflict } from "../records/conflict-record.ts";
import { finishedContent } from "../content/content-writer.ts";
import { unlink } from "../tree/entries.ts";
import { EMPTY_HASH } from "../content/hash.ts";
import { conflictKey, rangeOf } from "../records/keys.ts";
import { settle } from "../lineage.ts";
import type { MemoryRecord } from "../records/memory-record.ts";
import { printable, toBytes } from "../tree/names.ts";
import type { Settling } from "../settling.ts";
import type { StoreState } from "../state.ts";
import type { Cause, Transaction } from "../transaction.ts";
import type { ConflictInfo, StoreInfo } from "../types.ts";

/** What the conflicts are kept in. */
export interface OpenConflictsOptions {
  readonly state: StoreState;
  readonly settling: Settling;
  readonly describe: () => { readonly info: StoreInfo };
  /** Runs a change as one transaction. @throws MemfsError `no_space`, `io`, `closed` */
  readonly update: <T>(cause: Cause, change: (tx: Transaction) => T) => T;
}

/** How to end a conflict. */
export interface Resolution {
  /** The memory that holds the text beside. */
  readonly beside: string;
  /** That text, the head, or other bytes. */
  readonly take: "mine" | "theirs" | Buffer;
  /** Ids of the head and of the version beside that were looked at. */
  readonly seen?: { readonly head: string; readonly mine: string } | undefined;
  readonly note?: string | null;
}

interface Found {
  readonly record: ConflictRecord;
  readonly beside: MemoryRecord;
  readonly memory: MemoryRecord;
}

export class OpenConflicts {
  readonly #options: OpenConflictsOptions;

  constructor(options: OpenConflictsOptions) {
    this.#options = options;
  }

  /** The oldest first. A conflict ends when it is resolved, or when the text beside is removed. */
  async list(): Promise<ConflictInfo[]> {
    const { state, settling } = this.#options;
    await settling.recordAllInTurns();
    const found: ConflictInfo[] = [];
    for await (const page of state.space.scan(rangeOf("x"))) {
      for (const { key, value } of page) {
        const conflict = this.#find(key.slice(1), value);
        if (conflict !== null) found.push(conflictInfo(conflict));
      }
    }
    return found.sort((a, b) => a.at - b.at);
  }

  #find(beside: Uid, value: Buffer): Found | null {
    const { state } = this.#options;
    const record = decodeConflict(value);
    const kept = state.memory(beside);
    const memory = state.memory(record.memory);
    return kept?.state === "live" && memory !== undefined ? { record, beside: kept, memory } : null;
  }

  /**
   * Ends a conflict: the memory has the text that was taken, and the one beside is deleted, in one transaction. Returns
   * the memory's id.
   * @throws MemfsError `not_found`, `archived`, `file_too_big`; `conflict` when either text is another than the one seen
   */
  async resolve(resolution: Resolution, cause: Cause): Promise<string> {
    const { state, settling, describe, update } = this.#options;
    await settling.recordAllInTurns();
    if (describe().info.archivedAt !== null)
      throw new MemfsError("archived", "the store is archived; it can be read and deleted, not changed");
    const uid = parseId("mem", resolution.beside);
    const stored = state.get(conflictKey(uid));
    const found = stored === undefined ? null : this.#find(uid, stored);
    if (found === null)
      throw new MemfsError("not_found", `${resolution.beside} is in no conflict; see: memfs conflicts`);
    requireSeen(found, resolution);
    settling.recordAll();
    return update(cause, (tx) => resolve(tx, found, resolution));
  }
}

function requireSeen({ beside, memory }: Found, { seen }: Resolution): void {
  if (
    seen === undefined ||
    (parseId("memver", seen.head) === memory.head && parseId("memver", seen.mine) === beside.head)
  )
    return;
  throw new MemfsError(
    "conflict",
    "the texts have changed since they were looked at; look again with: memfs conflicts",
  );
}

function resolve(tx: Transaction, { beside, memory }: Found, { take, note }: Resolution): string {
  if (memory.state !== "live")
    throw new MemfsError(
      "not_found",
      `${printable(memory.path)} is gone; give ${printable(beside.path)} its name, or remove that`,
    );
  const node = tx.editNode(memory.node);
  if (take !== "theirs")
    commitContent(tx, node, { content: contentOf(tx, beside, take), base: "head", note: note ?? "conflict resolved" });
  const rest = tx.node(beside.node);
  for (const name of rest.names) unlink(tx, name);
  const held = tx.unsettled.ofMemory(beside.memory);
  if (held !== undefined) settle(tx, held);
  tx.delete(conflictKey(beside.memory));
  return formatId("mem", memory.memory);
}

function contentOf(tx: Transaction, beside: MemoryRecord, take: "mine" | Buffer) {
  if (take === "mine") return { hash: beside.hash ?? EMPTY_HASH, size: beside.size };
  const { maxMemoryBytes } = tx.state.policy();
  if (take.length > maxMemoryBytes)
    throw new MemfsError("file_too_big", `a memory has at most ${maxMemoryBytes} bytes here`);
  return finishedContent(take);
}

function conflictInfo({ record, beside, memory }: Found): ConflictInfo {
  const live = memory.state === "live";
  return {
    memoryId: formatId("mem", memory.memory),
    path: toBytes(memory.path),
    headId: live ? formatId("memver", memory.head) : null,
    headThenId: formatId("memver", record.head),
    baseId: record.base === null ? null : formatId("memver", record.base),
    besideId: formatId("mem", beside.memory),
    besidePath: toBytes(beside.path),
    besideHeadId: formatId("memver", beside.head),
    sessionId: beside.origin,
    at: record.at,
  };
}
