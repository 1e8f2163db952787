/** A store with a long history: 10,000 memories, 100,000 versions by three sessions, all written through mounts. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { interrupted } from "./teardown.ts";

export const MEMORIES = 10_000;
export const VERSIONS = 100_000;
/** Versions of the file `LOG`, one line each. */
export const LOG_VERSIONS = 10_000;
/** Versions of the file `BLAMED`, and its lines in the end. */
export const BLAMED_VERSIONS = 1000;
export const BLAMED_LINES = 1000;
/** Writes of the session that is undone. */
export const UNDONE_WRITES = 1000;
/** New files among them; the other writes add a line to a file each. */
const UNDONE_CREATED = 100;

/** Paths below a mount. */
export const LOG = "log.md";
export const BLAMED = "blamed.md";

const DIRECTORIES = 100;
const FILES = MEMORIES - 2;
const FIRST_LINES = 10;
const UNDONE_LINE = "written by the session that is undone\n";

/** The same store in three mounts, each of a session of its own. */
export interface Mounts {
  readonly one: string;
  readonly other: string;
  readonly undone: string;
}

/** Path of a file below a mount, by its number from 0 to below 9,998. */
export function pathOf(index: number): string {
  return join(`d${index % DIRECTORIES}`, `f${index}.md`);
}

/** The files that both the undone session and, before and after it, others wrote to. */
export function sharedFiles(): string[] {
  return Array.from({ length: UNDONE_WRITES - UNDONE_CREATED }, (_, index) => pathOf((index * 11) % FILES));
}

function createdFiles(): string[] {
  return Array.from({ length: UNDONE_CREATED }, (_, index) => join(`d${index}`, `undone${index}.md`));
}

/** Does everything in an order that is always the same. The mounts have seen nothing yet. */
export async function fillHistory(mounts: Mounts): Promise<void> {
  for (let index = 0; index < DIRECTORIES; index++) mkdirSync(join(mounts.one, `d${index}`));
  const rest = VERSIONS - FILES - LOG_VERSIONS - BLAMED_VERSIONS - UNDONE_WRITES;
  await each(FILES, (index) => writeFileSync(join(mounts.one, pathOf(index)), firstLines(index)));
  await each(LOG_VERSIONS, (index) => appendFileSync(join(mounts.one, LOG), `- ${index} happened in this step\n`));
  await growBlamed(mounts);
  await append(mounts, 0, Math.floor(rest / 2));
  const shared = sharedFiles();
  await each(shared.length, (index) => appendFileSync(join(mounts.undone, shared[index] ?? ""), UNDONE_LINE));
  const created = createdFiles();
  await each(created.length, (index) => writeFileSync(join(mounts.undone, created[index] ?? ""), UNDONE_LINE));
  await append(mounts, Math.floor(rest / 2), rest);
}

/** Checks that a mount shows others' work, and nothing of the session that was undone. @throws Error where it does not */
export async function checkUndone({ one }: Mounts, before: ReadonlyMap<string, string>): Promise<void> {
  for (const path of createdFiles()) if (read(join(one, path)) !== null) throw new Error(`${path} is still there`);
  for (const [path, content] of before) {
    if (read(join(one, path)) !== content.replaceAll(UNDONE_LINE, "")) throw new Error(`wrong content in ${path}`);
  }
}

/** What is in the files that the undone session shares with others. */
export function sharedContents({ one }: Mounts): Map<string, string> {
  return new Map(sharedFiles().map((path) => [path, readFileSync(join(one, path), "utf8")]));
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function firstLines(index: number): string {
  return Array.from({ length: FIRST_LINES }, (_, line) => `- ${index}.${line}: known from the beginning\n`).join("");
}

/** Lines at the end of one file after the other, by two sessions in turn. */
async function append({ one, other }: Mounts, from: number, to: number): Promise<void> {
  await each(to - from, (at) => {
    const index = from + at;
    appendFileSync(join(index % 2 === 0 ? one : other, pathOf(index % FILES)), `- ${index} was added\n`);
  });
}

/** Puts lines into a file, then changes some, each time reading what is there as an agent would. */
async function growBlamed(mounts: Mounts): Promise<void> {
  const first = 100;
  const inserted = BLAMED_LINES - first;
  writeFileSync(join(mounts.one, BLAMED), Array.from({ length: first }, (_, line) => `line ${line}\n`).join(""));
  await each(BLAMED_VERSIONS - 1, (step) => {
    const path = join(step % 2 === 0 ? mounts.one : mounts.other, BLAMED);
    const lines = readFileSync(path, "utf8").split("\n");
    lines.splice((step * 7919) % (lines.length - 1), step < inserted ? 0 : 1, `line of step ${step}`);
    writeFileSync(path, lines.join("\n"));
  });
}

async function each(count: number, step: (index: number) => void): Promise<void> {
  for (let index = 0; index < count; index++) {
    if (index % 100 === 0) await breathe();
    interrupted.throwIfAborted();
    step(index);
  }
}
