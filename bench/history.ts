/** What looking back, merging and going back cost in a store with a long history. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "../lib/client.ts";
import { findSocket, homeAt } from "../lib/home.ts";
import { attempt } from "./attempt.ts";
import {
  BLAMED,
  BLAMED_LINES,
  BLAMED_VERSIONS,
  checkUndone,
  fillHistory,
  LOG,
  LOG_VERSIONS,
  type Mounts,
  pathOf,
  sharedContents,
  UNDONE_WRITES,
  VERSIONS,
} from "./history-store.ts";
import { mountedType, unmount, until } from "./process.ts";
import { startMemfs } from "./systems/memfs.ts";
import { middle } from "./table.ts";
import { onTeardown } from "./teardown.ts";
import { waitsDuring } from "./waits.ts";

/** One row: milliseconds of single tries, in the order they were made. */
export interface HistoryRow {
  readonly label: string;
  readonly milliseconds: readonly number[];
  /** What the median may be at most. */
  readonly target: number;
}

/** A store that was filled, and the ways to it. */
interface Filled {
  readonly mounts: Mounts;
  readonly client: Client;
  readonly socket: string;
  /** Id of the store. */
  readonly store: string;
  /** Sequence number of the newest journal entry when it was filled. */
  readonly headSeq: number;
}

const TRIES = 20;
/** The most that a page of a list holds. */
const PAGE = 100;
const UNDONE_SESSION = "s-undone";
const MERGED = "merged.md";
const MERGED_LINES = 1000;

/** Fills a store of a daemon of its own and measures it. A row that fails is left out, and the bench fails at the end. */
export async function measureHistory(scratch: string): Promise<HistoryRow[]> {
  const filled = await startFilled(scratch);
  const rows: HistoryRow[] = [];
  for (const measure of [firstPage, blame, momentInPast, mergeAtClose, undoSession]) {
    rows.push(...((await attempt(() => measure(filled))) ?? []));
  }
  return rows;
}

async function startFilled(scratch: string): Promise<Filled> {
  const { directory, cli } = await startMemfs(scratch, "any");
  await cli("store", "policy", "bench", "max_memories=200000", "max_live_bytes=4G", "max_history_bytes=16G");
  const another = async (agent: string): Promise<string> => {
    const place = join(scratch, `mount-${agent}`);
    await mkdir(place);
    onTeardown(() => unmount(place));
    await cli("mount", "bench", place, "--agent", agent, "--session", `s-${agent}`);
    await until("a memfs mount", () => mountedType(place) !== null);
    return place;
  };
  const mounts = { one: directory, other: await another("other"), undone: await another("undone") };
  const socket = findSocket(homeAt(join(scratch, "home"))) ?? "";
  const client = new Client(socket);
  onTeardown(() => client.close());
  process.stderr.write(`history: writing ${VERSIONS} versions\n`);
  const start = performance.now();
  await fillHistory(mounts);
  process.stderr.write(`history: written in ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
  const { id, usage } = await client.store("bench");
  if ((usage?.versions ?? 0) < VERSIONS) throw new Error(`the store has ${usage?.versions} versions, not ${VERSIONS}`);
  return { mounts, client, socket, store: id, headSeq: usage?.head_seq ?? 0 };
}

/** Milliseconds of each of some tries. */
async function times(tries: number, once: (index: number) => Promise<void>): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < tries; index++) {
    const start = performance.now();
    await once(index);
    found.push(performance.now() - start);
  }
  return found;
}

async function firstPage({ client, store }: Filled): Promise<HistoryRow[]> {
  const milliseconds = await times(TRIES, async () => {
    const page = await client.versions(store, { path: `/${LOG}` }, PAGE);
    if (page.length !== PAGE || page[0]?.n !== LOG_VERSIONS) throw new Error(`wrong log of ${LOG}`);
  });
  return [{ label: `log: first page of a memory with ${LOG_VERSIONS} versions`, milliseconds, target: 20 }];
}

async function blame({ client, store }: Filled): Promise<HistoryRow[]> {
  const milliseconds = await times(5, async () => {
    const { lines } = await client.blame(store, `/${BLAMED}`);
    const agents = new Set(lines.map((line) => line.agent));
    if (lines.length !== BLAMED_LINES || agents.size !== 2) throw new Error(`wrong blame of ${BLAMED}`);
  });
  return [{ label: `blame of ${BLAMED_LINES} lines over ${BLAMED_VERSIONS} versions`, milliseconds, target: 1000 }];
}

/** Each time another moment and another file, so that nothing is there from the time before. */
async function momentInPast({ mounts, headSeq }: Filled): Promise<HistoryRow[]> {
  const milliseconds = await times(TRIES, async (index) => {
    // All files have their first lines after a fifth of the history.
    const seq = Math.floor(headSeq * (0.3 + (0.7 * index) / TRIES));
    const moment = join(mounts.one, ".memfs", "at", String(seq));
    const names = await readdir(moment);
    const content = await readFile(join(moment, pathOf(index * 97)), "utf8");
    if (!names.includes(LOG) || !content.includes("known from the beginning")) throw new Error(`wrong store at ${seq}`);
  });
  return [{ label: `at: list the root and read a file, ${VERSIONS} versions`, milliseconds, target: 50 }];
}

/** Two mounts change a file of 1,000 lines from the same version; the time is that of the second close. */
async function mergeAtClose({ mounts }: Filled): Promise<HistoryRow[]> {
  const lines = Array.from({ length: MERGED_LINES }, (_, line) => `- ${line}: as it was, with some words of text`);
  const found: number[] = [];
  for (let index = 0; index < TRIES; index++) {
    const path = join(`merged${index}`, MERGED);
    mkdirSync(join(mounts.one, `merged${index}`));
    writeFileSync(join(mounts.one, path), text(lines));
    const mine = lines.with(index, "- by mine");
    const head = lines.with(MERGED_LINES - 1 - index, "- by head");
    const handle = await open(join(mounts.one, path), "r+");
    await handle.readFile();
    await handle.truncate(0);
    await handle.write(text(mine), 0);
    writeFileSync(join(mounts.other, path), text(head));
    const start = performance.now();
    await handle.close();
    found.push(performance.now() - start);
    const merged = readFileSync(join(mounts.other, path), "utf8");
    if (merged !== text(head.with(index, "- by mine"))) throw new Error("the two changes were not merged");
  }
  return [{ label: `close that merges a file of ${MERGED_LINES} lines`, milliseconds: found, target: 10 }];
}

/** A preview, then the real thing, each once; and how long others waited meanwhile. */
async function undoSession({ mounts, client, store, socket }: Filled): Promise<HistoryRow[]> {
  const before = sharedContents(mounts);
  const rows: HistoryRow[] = [];
  for (const dryRun of [true, false]) {
    const undo = async (): Promise<number> => {
      const start = performance.now();
      const { changes, kept } = await client.undo(store, { session_id: UNDONE_SESSION, dry_run: dryRun });
      if (changes.length !== UNDONE_WRITES || kept.length > 0)
        throw new Error(`undo: ${changes.length} changes, ${kept.length} kept`);
      return performance.now() - start;
    };
    const files = [...before.keys()].map((path) => join(mounts.one, path));
    const { result, waits } = await waitsDuring(undo, { files, socket });
    const label = `undo of a session with ${UNDONE_WRITES} writes${dryRun ? ", dry run" : ""}`;
    rows.push(
      { label, milliseconds: [result], target: 3000 },
      { label: `${label}: longest wait of an open and read meanwhile`, milliseconds: [waits.read], target: 50 },
      { label: `${label}: longest wait for an answer over HTTP meanwhile`, milliseconds: [waits.http], target: 50 },
    );
  }
  await checkUndone(mounts, before);
  return rows;
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/** For people: the median counts, as everywhere. */
export function historyLine({ label, milliseconds, target }: HistoryRow): string {
  const median = middle(milliseconds);
  const most = milliseconds.length > 1 ? `, at most ${Math.max(...milliseconds).toFixed(1)} ms` : "";
  const verdict = median < target ? "met" : "**missed**";
  return `${label}: ${median.toFixed(1)} ms${most} (target: under ${target} ms): ${verdict}`;
}
