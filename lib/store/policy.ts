/** What a store allows, and the defaults. */

import { MemfsError } from "../errors.ts";
import type { Policy } from "./types.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Files that are real but not memories, in gitignore syntax. */
const SCRATCH = [
  ".git/",
  "node_modules/",
  "__pycache__/",
  ".venv/",
  "*.swp",
  "*.swx",
  "4913",
  "*~",
  ".#*",
  "\\#*\\#",
  ".tmp-*",
  ".fs-*.tmp",
  "*.tmp",
  ".DS_Store",
  ".nfs*",
];

export const DEFAULT_POLICY: Policy = Object.freeze({
  maxMemoryBytes: 10 * MIB,
  maxMemories: 100_000,
  maxLiveBytes: GIB,
  maxHistoryBytes: 10 * GIB,
  onConflict: "keep_both",
  keepVersions: 0,
  keepDays: 0,
  scratch: Object.freeze(SCRATCH),
  strictNames: false,
});

const COUNTS = [
  "maxMemoryBytes",
  "maxMemories",
  "maxLiveBytes",
  "maxHistoryBytes",
  "keepVersions",
  "keepDays",
] as const;
const CONFLICT_POLICIES = ["keep_both", "last_writer_wins", "refuse"];

/** The policy with changes. @throws MemfsError `invalid_argument` naming every value that is not allowed */
export function changePolicy(policy: Policy, changes: Partial<Policy>): Policy {
  const changed = { ...policy, ...changes };
  const wrong: string[] = COUNTS.filter((key) => !Number.isSafeInteger(changed[key]) || changed[key] < 0);
  if (!CONFLICT_POLICIES.includes(changed.onConflict)) wrong.push("onConflict");
  if (changed.scratch.some((pattern) => /[\0\n]/.test(pattern))) wrong.push("scratch");
  if (wrong.length > 0) throw new MemfsError("invalid_argument", `not allowed as policy: ${wrong.join(", ")}`);
  return Object.freeze(changed);
}
