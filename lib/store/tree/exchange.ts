/** Two names change places: files, directories, or one of each. */

import { MemfsError } from "../../errors.ts";
import { moveMemory } from "../memories.ts";
import { isDirectory } from "./mode.ts";
import type { Transaction } from "../transaction.ts";
import { exchangeNames, existingEntry, isBelow, type Move, pathOf } from "./tree.ts";
import { arrive, moveBelow, settleMover } from "./rename.ts";

/**
 * Exchanges two names. Each memory keeps its id and goes on at the other path. Exchanging a directory needs the listings
 * below it in memory (`loadSubtree`).
 * @throws MemfsError `not_found`, `invalid_argument` when one is below the other
 */
export function exchange(tx: Transaction, { from, to }: Move): void {
  const first = tx.node(existingEntry(tx, from).node);
  const second = tx.node(existingEntry(tx, to).node);
  if (first.number === second.number) return;
  if (isBelow(tx, to, first) || isBelow(tx, from, second))
    throw new MemfsError("invalid_argument", "a directory cannot change places with what is below it");
  settleMover(tx, first);
  settleMover(tx, second);
  const wasScratch = tx.isScratch(from, isDirectory(first.mode));
  const otherWas = tx.isScratch(to, isDirectory(second.mode));
  const paths = [pathOf(tx, from), pathOf(tx, to)] as const;
  exchangeNames(tx, { from, to }, [first.number, second.number]);
  if (isDirectory(first.mode) || isDirectory(second.mode)) tx.movedDirectory();
  if (wasScratch || otherWas) {
    const moves = [
      { number: first.number, from, to, wasScratch },
      { number: second.number, from: to, to: from, wasScratch: otherWas },
    ];
    // What leaves history first: what comes to its path goes on with its memory.
    if (wasScratch) moves.reverse();
    for (const { number, ...move } of moves) arrive(tx, number, move);
    return;
  }
  moved(tx, first.number, { path: paths[0], to: paths[1] });
  moved(tx, second.number, { path: paths[1], to: paths[0] });
  tx.putPastEntry(from, tx.counters.seq, tx.node(second.number));
  tx.putPastEntry(to, tx.counters.seq, tx.node(first.number));
}

/** The memories of a file, or of all files below a directory, go on where they are now. */
function moved(tx: Transaction, number: number, { path, to }: { path: string; to: string }): void {
  const node = tx.node(number);
  const before = tx.counters.seq;
  if (node.memory !== null) moveMemory(tx, node.memory, node);
  // A directory, no memory, or one whose path is another name of the file.
  if (tx.counters.seq === before) tx.journal("entry.renamed", { memory: node.memory }, { path, detail: { to } });
  if (isDirectory(node.mode)) moveBelow(tx, number, false);
}
