/** The consistency check of a store: references resolve, digests match, counters agree, the chain holds. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { MemfsError } from "../errors.ts";
import { formatId, type Uid } from "../id.ts";
import type { Key, Place } from "../kv/kv.ts";
import { verifyJournal } from "./history/audit.ts";
import { pastEntryKey, rangeOf, readU32, readU48 } from "./records/keys.ts";
import { isDirectory, isFile, S_IFDIR, typeOf } from "./tree/mode.ts";
import { sha256 } from "./content/hash.ts";
import { decodeContent } from "./content/manifest.ts";
import { decodeEntry, decodePastEntry, type EntryRecord, type PastEntryRecord } from "./records/entry-record.ts";
import { decodeMemory, type MemoryRecord } from "./records/memory-record.ts";
import { decodeNode, type NodeRecord } from "./records/node-record.ts";
import { printable } from "./tree/names.ts";
import type { StoreState } from "./state.ts";
import { pathOf, ROOT_NODE } from "./tree/tree.ts";
import { SEQ_AT } from "./versions.ts";

/** What is wrong, a line each; empty when the store is sound. */
export async function checkStore(state: StoreState): Promise<string[]> {
  const check = new Check(state);
  await check.readAll();
  check.entriesMatchNodes();
  check.memoriesMatchNodes();
  await check.versionsAreListed();
  check.countersAgree();
  await check.pastMatchesPresent();
  await check.appendedContentOpens();
  const audit = await verifyJournal(state);
  return audit.problem === null ? check.problems : [...check.problems, `journal: ${audit.problem}`];
}

/** Journal entries read (~10 µs each) before other work gets its turn. */
const VERSIONS_PER_TURN = 100;
/** Length of the seq at the end of a past entry's key. */
const SEQ_BYTES = 6;

class Check {
  readonly problems: string[] = [];
  readonly #state: StoreState;
  readonly #nodes = new Map<number, NodeRecord>();
  readonly #memories = new Map<Uid, MemoryRecord>();
  readonly #names = new Map<number, number>();
  /** Seqs of the versions that lists show. */
  readonly #listed = new Set<number>();

  constructor(state: StoreState) {
    this.#state = state;
  }

  async readAll(): Promise<void> {
    const { space } = this.#state;
    for await (const page of space.scan(rangeOf("n"))) {
      for (const { key, value } of page) this.#nodes.set(readU48(key, 1), decodeNode(readU48(key, 1), value));
    }
    for await (const page of space.scan(rangeOf("m"))) {
      for (const { key, value } of page) this.#memories.set(key.slice(1), decodeMemory(key.slice(1), value));
    }
    for await (const page of space.scan(rangeOf("d"))) {
      for (const { key, value } of page) this.#entry(readU48(key, 1), decodeEntry(value));
    }
    for await (const page of space.scan(rangeOf("v"))) {
      for (const { key } of page) this.#version(key.slice(1, 17), readU32(key, 17), readU48(key, SEQ_AT));
    }
  }

  #version(memory: Uid, n: number, seq: number): void {
    const version = this.#state.versionAt(seq);
    const found = version?.memory === memory && version.n === n;
    this.#expect(found, `version ${n} of ${formatId("mem", memory)}: entry ${seq} does not make it`);
    this.#listed.add(seq);
  }

  #entry(parent: number, entry: EntryRecord): void {
    const node = this.#nodes.get(entry.node);
    const where = `entry ${JSON.stringify(printable(entry.name))} of node ${parent}`;
    this.#expect(isDirectory(this.#nodes.get(parent)?.mode ?? 0), `${where}: the parent is no directory`);
    this.#expect(
      node !== undefined && typeOf(node.mode) === entry.type,
      `${where}: its node is missing or of another type`,
    );
    const named = node?.names.some((name) => name.parent === parent && name.name === entry.name) ?? false;
    this.#expect(named, `${where}: its node does not have that name`);
    this.#names.set(entry.node, (this.#names.get(entry.node) ?? 0) + 1);
  }

  entriesMatchNodes(): void {
    const children = new Map<number, { entries: number; subdirectories: number }>();
    for (const node of this.#nodes.values()) {
      this.#expect(
        node.names.length === (this.#names.get(node.number) ?? 0),
        `node ${node.number}: names without entries`,
      );
      const orphan = node.names.length === 0 && node.number !== ROOT_NODE;
      this.#expect(orphan === node.detachedSince > 0, `node ${node.number}: wrong orphan mark`);
      for (const { parent } of node.names) {
        const count = children.get(parent) ?? { entries: 0, subdirectories: 0 };
        count.entries += 1;
        count.subdirectories += typeOf(node.mode) === S_IFDIR ? 1 : 0;
        children.set(parent, count);
      }
    }
    for (const node of this.#nodes.values()) {
      const count = children.get(node.number) ?? { entries: 0, subdirectories: 0 };
      const right = node.entries === count.entries && node.subdirectories === count.subdirectories;
      this.#expect(right, `node ${node.number}: wrong count of entries`);
    }
  }

  memoriesMatchNodes(): void {
    for (const memory of this.#memories.values()) {
      const id = formatId("mem", memory.memory);
      const head = this.#state.versionAt(memory.headSeq);
      this.#expect(
        head?.version === memory.head && head.n === memory.headN && (head.erased || head.hash === memory.hash),
        `${id}: its head is not its newest version`,
      );
      // A memory that is to go on in a new file has none until the first commit there.
      if (memory.state !== "live" || this.#state.unsettled.ofMemory(memory.memory) !== undefined) continue;
      const node = this.#nodes.get(memory.node);
      this.#expect(
        node?.memory === memory.memory && node.content === memory.hash,
        `${id}: its node holds something else`,
      );
      const names = node?.names ?? [];
      const name = names.find((one) => !this.#state.scratch.has(this.#state, one, false)) ?? names[0];
      const path = name === undefined ? null : pathOf({ node: (number) => this.#state.nodeOrDamaged(number) }, name);
      this.#expect(path === memory.path, `${id}: its path is not where its node is`);
    }
    for (const node of this.#nodes.values()) {
      const memory = node.memory === null ? null : this.#memories.get(node.memory);
      this.#expect(memory === null || memory?.node === node.number, `node ${node.number}: its memory is elsewhere`);
    }
  }

  /** Versions are numbered without gaps, and lists show each one that no later one took the place of. */
  async versionsAreListed(): Promise<void> {
    let looked = 0;
    for (const { memory, headN, headSeq, state } of this.#memories.values()) {
      let n = headN;
      let replaced = state === "folded";
      for (let seq = headSeq; seq > 0; n--) {
        if (++looked % VERSIONS_PER_TURN === 0) await nextTurn();
        const version = this.#state.versionAt(seq);
        const what = `version ${n} of ${formatId("mem", memory)}`;
        this.#expect(version?.memory === memory && version.n === n, `${what}: entry ${seq} does not make it`);
        if (version === undefined) break;
        const listed = this.#listed.has(seq);
        this.#expect(listed !== replaced, `${what}: ${listed ? "is" : "is not"} listed`);
        replaced = state === "folded" || version.folded === n - 1;
        seq = version.previous;
      }
      this.#expect(n === 0, `${formatId("mem", memory)}: its first version is numbered ${n + 1}`);
    }
  }

  countersAgree(): void {
    const { counters } = this.#state;
    const live = [...this.#memories.values()].filter(
      (memory) => memory.state === "live" && this.#state.unsettled.ofMemory(memory.memory) === undefined,
    ).length;
    this.#expect(counters.memories === live, `counter of memories is ${counters.memories}, there are ${live}`);
    this.#expect(
      counters.versions === this.#listed.size,
      `counter of versions is ${counters.versions}, there are ${this.#listed.size}`,
    );
    let bytes = 0;
    for (const node of this.#nodes.values()) if (isFile(node.mode) && node.names.length > 0) bytes += node.size;
    this.#expect(counters.liveBytes === bytes, `counter of live bytes is ${counters.liveBytes}, there are ${bytes}`);
  }

  /** What looking back tells of now is what is there now. */
  async pastMatchesPresent(): Promise<void> {
    const newest = new Map<string, PastEntryRecord>();
    for await (const page of this.#state.space.scan(rangeOf("e"))) {
      for (const { key, value } of page) {
        const name = key.slice(0, -SEQ_BYTES);
        if (value.length === 0) newest.delete(name);
        else newest.set(name, decodePastEntry(value));
      }
    }
    for (const { number, mode, memory, names } of this.#nodes.values()) {
      for (const { parent, name } of names) {
        // Scratch is not looked back at.
        if (this.#state.scratch.has(this.#state, { parent, name }, this.#isDirectory(number))) continue;
        const past = newest.get(pastEntryKey(parent, this.#state.tagOfName(name), 0).slice(0, -SEQ_BYTES));
        // Only a file has a time when it is not in history yet.
        const isUnmade = past === undefined && memory === null && isFile(mode);
        const agrees = isUnmade || (past?.node === number && past.memory === memory);
        this.#expect(
          agrees,
          `entry ${JSON.stringify(printable(name))} of node ${parent}: its past ends in something else`,
        );
      }
    }
  }

  /** Content in value files is there, and is what its digest says. */
  async appendedContentOpens(): Promise<void> {
    for await (const page of this.#state.space.scan(rangeOf("c"))) {
      for (const { key, value } of page) {
        const content = decodeContent(value);
        if (!("file" in content)) continue;
        this.#expect(
          this.#holds(content, key),
          `content in value file ${content.file} at ${content.offset} is damaged`,
        );
        await nextTurn();
      }
    }
  }

  #holds(place: Place, key: Key): boolean {
    try {
      return this.#state.keyOfContent(sha256(this.#state.read(place))) === key;
    } catch (error) {
      if (error instanceof MemfsError && error.code === "damaged") return false;
      throw error;
    }
  }

  #isDirectory(number: number): boolean {
    return isDirectory(this.#nodes.get(number)?.mode ?? 0);
  }

  #expect(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
  }
}
