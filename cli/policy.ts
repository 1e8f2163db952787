/** Policies as people write them: `KEY=VALUE`. */

import type { Policy } from "../lib/api.ts";
import { MemfsError } from "../lib/errors.ts";
import { printable, size } from "./output.ts";

type Reader = (text: string) => Policy[keyof Policy] | null;

const CONFLICTS = ["keep_both", "last_writer_wins", "refuse"] as const;
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Whole numbers; a size may end in K, M or G. */
function number(text: string): number | null {
  const match = /^(\d+)([KMG]?)$/i.exec(text);
  const value = Number(match?.[1]) * (UNITS[match?.[2]?.toUpperCase() ?? ""] ?? NaN);
  return Number.isSafeInteger(value) ? value : null;
}

function conflict(text: string): Policy["on_conflict"] | null {
  return CONFLICTS.find((known) => known === text) ?? null;
}

function truth(text: string): boolean | null {
  return text === "true" ? true : text === "false" ? false : null;
}

/** Key → what it reads, and what to say when it does not. */
const KEYS: Readonly<Record<keyof Policy, readonly [Reader, string]>> = {
  max_memory_bytes: [number, "a size like 10M"],
  max_memories: [number, "a number"],
  max_live_bytes: [number, "a size like 1G"],
  max_history_bytes: [number, "a size like 10G"],
  on_conflict: [conflict, "keep_both, last_writer_wins or refuse"],
  keep_versions: [number, "a number, 0 for all"],
  keep_days: [number, "a number, 0 for all"],
  scratch: [(text) => text.split(/\s+/).filter(Boolean), "patterns with spaces between"],
  strict_names: [truth, "true or false"],
};

/** @throws MemfsError `invalid_argument` naming every pair that is wrong */
export function policyChanges(pairs: readonly string[]): Partial<Policy> {
  const problems: string[] = [];
  const changes = pairs.map((pair): [string, Policy[keyof Policy] | null] => {
    const [key = "", ...rest] = pair.split("=");
    if (!Object.hasOwn(KEYS, key)) {
      problems.push(`${JSON.stringify(key)} is no policy key (there are ${Object.keys(KEYS).join(", ")})`);
      return [key, null];
    }
    const [read, expected] = KEYS[key as keyof Policy];
    const value = rest.length === 0 ? null : read(rest.join("="));
    if (value === null) problems.push(`${key} needs ${expected}, as in ${key}=VALUE`);
    return [key, value];
  });
  if (problems.length > 0) throw new MemfsError("invalid_argument", `${problems.join("; ")}; correct it and try again`);
  return Object.fromEntries(changes) as Partial<Policy>;
}

/** The policy for a table. */
export function policyRows(policy: Policy): string[][] {
  return Object.entries(policy).map(([key, value]) => [key, show(key, value as Policy[keyof Policy])]);
}

function show(key: string, value: Policy[keyof Policy]): string {
  if (typeof value === "number") return key.endsWith("_bytes") ? size(value) : String(value);
  return typeof value === "object" ? printable(value.join(" ")) : String(value);
}
