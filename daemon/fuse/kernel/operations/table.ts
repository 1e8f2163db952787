/** Which opcode is which operation. */

import { Opcode } from "../abi.ts";
import { Errno } from "../errno.ts";
import * as attributes from "./attributes.ts";
import * as directories from "./directories.ts";
import * as files from "./files.ts";
import * as locks from "./locks.ts";
import * as names from "./names.ts";
import type { Operation } from "./operation.ts";
import * as xattrs from "./xattrs.ts";

const ALL: readonly Operation<unknown>[] = [
  ...Object.values(names),
  ...Object.values(attributes),
  ...Object.values(files),
  ...Object.values(directories),
  ...Object.values(xattrs),
  ...Object.values(locks),
];

/** The operations by opcode. */
export const OPERATIONS: ReadonlyMap<number, Operation<unknown>> = new Map(
  ALL.map((operation) => [Opcode[operation.name], operation]),
);

/**
 * The errno (positive) of an opcode that is not in {@link OPERATIONS}. ENOSYS makes the kernel never ask again
 * (ACCESS, POLL). An ioctl is not of that kind: every program that looks for a terminal sends one.
 */
export function refusal(opcode: number): number {
  return opcode === Opcode.IOCTL ? Errno.ENOTTY : Errno.ENOSYS;
}
