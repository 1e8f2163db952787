/** What going back did, for people. */

import type { Kept, Reversed, Reverted } from "../lib/api/reversal.ts";
import { line, paint, printable, table } from "./output.ts";

const COLOURS = { deleted: "red", restored: "green", modified: "yellow", moved: "yellow" } as const;

/** A line for each thing, then for each that was left, then how to take it back. `store`: as the user names it. */
export function showReversed({ type, dry_run: dryRun, seq, changes, kept }: Reversed, store: string): void {
  table(changes.filter(({ action }) => action !== "none").map(row));
  table(kept.map(keptRow));
  const count = changes.filter(({ action }) => action !== "none").length;
  if (dryRun) line(`${count === 0 ? "nothing" : things(count)} would change; this was a dry run`);
  else if (seq === null) line("nothing to change");
  else line(`${things(count)} changed, as ${type} #${seq}; take it back with: memfs undo ${store} --seq ${seq}`);
}

function things(count: number): string {
  return count === 1 ? "1 thing" : `${count} things`;
}

function row({ action, kind, path, from_path: from, to }: Reverted): string[] {
  const colour = action === "none" || action === "attributes" ? "dim" : COLOURS[action];
  const where = printable(path) + (kind === "directory" ? "/" : "");
  const details = [
    ...(from === null ? [] : [`was at ${printable(from)}`]),
    ...(to === null || action === "deleted" ? [] : [`as version ${to.n} (${to.id})`]),
  ];
  return [paint(colour, action), where, paint("dim", details.join(", "))];
}

function keptRow({ kind, path, reason }: Kept): string[] {
  return [paint("yellow", "kept"), printable(path) + (kind === "directory" ? "/" : ""), reason];
}
