/** Extended attributes of nodes, with their journal entries. They make no version. */

import { inHistory } from "./entries.ts";
import { MemfsError } from "../../errors.ts";
import { printable } from "./names.ts";
import { type NodeRecord, xattrBytes } from "../records/node-record.ts";
import type { Transaction } from "../transaction.ts";
import { pathOf } from "./tree.ts";

/** Longest name and value in bytes, as Linux has them (XATTR_NAME_MAX, XATTR_SIZE_MAX). */
const NAME_MAX = 255;
const VALUE_MAX = 65_536;
/**
 * Names and values of one node together: they are in its record, which every change of the node writes again. Twice the
 * longest value, so that one of that length always fits beside others.
 */
const TOTAL_MAX = 2 * VALUE_MAX;
/** A list of names that is longer can never be read (XATTR_LIST_MAX). */
const LIST_MAX = 65_536;

/** A change of an attribute; `existing`: false if it must be new, true if it must be there, null if either will do. */
export interface NewXattr {
  /** Bytes, with the namespace: `user.…`. */
  readonly name: string;
  /** Bytes. */
  readonly value: string;
  readonly existing: boolean | null;
}

/** @throws MemfsError `exists`, `no_attribute`, `invalid_argument`, `no_space` when it is over a limit */
export function setXattr(tx: Transaction, number: number, { name, value, existing }: NewXattr): void {
  const { xattrs } = tx.node(number);
  const present = xattrs.has(name);
  if (existing === false && present) throw new MemfsError("exists", "the attribute exists");
  if (existing === true && !present) throw new MemfsError("no_attribute", "no such attribute");
  if (name === "" || name.length > NAME_MAX || name.includes("\0"))
    throw new MemfsError("invalid_argument", `the name of an attribute is empty, over ${NAME_MAX} bytes, or has a NUL`);
  const changed = new Map(xattrs).set(name, value);
  checkRoom(changed, value);
  change(tx, number, changed, { xattr: printable(name), size: value.length });
}

function checkRoom(xattrs: ReadonlyMap<string, string>, value: string): void {
  let list = 0;
  for (const name of xattrs.keys()) list += name.length + 1;
  if (value.length > VALUE_MAX || list > LIST_MAX || xattrBytes(xattrs) > TOTAL_MAX) {
    throw new MemfsError("no_space", `the attributes of a file have at most ${TOTAL_MAX} bytes, one ${VALUE_MAX}`);
  }
}

/** @throws MemfsError `no_attribute` */
export function removeXattr(tx: Transaction, number: number, name: string): void {
  const changed = new Map(tx.node(number).xattrs);
  if (!changed.delete(name)) throw new MemfsError("no_attribute", "no such attribute");
  change(tx, number, changed, { xattr: printable(name), removed: true });
}

function change(
  tx: Transaction,
  number: number,
  xattrs: NodeRecord["xattrs"],
  detail: Readonly<Record<string, unknown>>,
): void {
  const node = tx.editNode(number);
  node.xattrs = xattrs;
  node.ctime = tx.now;
  if (!inHistory(tx, node)) return;
  const name = node.names[0];
  const path = name === undefined ? undefined : pathOf(tx, name);
  tx.journal("node.changed", { memory: node.memory }, { path, detail });
}
