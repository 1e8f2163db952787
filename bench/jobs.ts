/** Whole jobs of ordinary programs, timed from start to end in the mounted directory. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { firstLine, pinned, run } from "./process.ts";
import type { Target } from "./rows.ts";
import { interrupted } from "./teardown.ts";

export interface Job {
  readonly name: string;
  readonly label: string;
  readonly targets: readonly Target[];
  /** Debian packages whose commands it needs, by command. */
  readonly needs: Readonly<Record<string, string>>;
  /** Makes what it works from, once, outside the measured directories. */
  prepare(scratch: string): Promise<void>;
  /** The measured command; `directory` is empty and may be left full. */
  command(scratch: string, directory: string): readonly string[];
}

const ARCHIVED = 15_000;
const CLONED = 2000;
const PER_DIRECTORY = 100;

/** Small files with content of their own, a hundred to a directory. */
async function makeFiles(directory: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    if (index % PER_DIRECTORY === 0) interrupted.throwIfAborted();
    const folder = join(directory, `d${Math.floor(index / PER_DIRECTORY)}`);
    if (index % PER_DIRECTORY === 0) await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `f${index}.md`), `# Note ${index}\n\n${`line ${index} `.repeat(1 + (index % 60))}\n`);
  }
}

const within = (times: number): Target[] => [{ cpu: "any", versus: "plain", atLeast: 1 / times }];

/** Every job, in the order of the table. */
export const JOBS: readonly Job[] = [
  {
    name: "unzip",
    label: `unzip of ${ARCHIVED} small files`,
    targets: within(6),
    needs: { unzip: "unzip", zip: "zip" },
    async prepare(scratch) {
      const source = join(scratch, "archived");
      await makeFiles(source, ARCHIVED);
      await run(["sh", "-c", 'cd "$1" && zip -q -r -0 ../archive.zip .', "sh", source]);
      await rm(source, { recursive: true });
    },
    command: (scratch, directory) => ["unzip", "-q", join(scratch, "archive.zip"), "-d", directory],
  },
  {
    name: "clone",
    label: `git clone of ${CLONED} files`,
    targets: within(5),
    needs: { git: "git" },
    async prepare(scratch) {
      const source = join(scratch, "repository");
      await makeFiles(source, CLONED);
      const git = 'cd "$1" && git init -q && git add . && git -c user.name=b -c user.email=b@b commit -q -m all';
      await run(["sh", "-c", git, "sh", source]);
    },
    command: (scratch, directory) => ["git", "clone", "-q", join(scratch, "repository"), join(directory, "clone")],
  },
];

/** Why a job cannot run here, or null. */
export async function missing({ needs }: Job): Promise<string | null> {
  for (const [command, packageName] of Object.entries(needs)) {
    if ((await firstLine(["sh", "-c", 'command -v "$1"', "sh", command])) === null) {
      return `${command} is not installed (apt-get install ${packageName})`;
    }
  }
  return null;
}

/** Runs the job once in a new directory and gives its milliseconds. What it made is removed again, untimed. */
export async function time(job: Job, { scratch, directory }: { scratch: string; directory: string }): Promise<number> {
  await mkdir(directory);
  const start = performance.now();
  await run(pinned("any", job.command(scratch, directory)), { signal: interrupted });
  const took = performance.now() - start;
  await run(["rm", "-rf", directory]);
  return took;
}
