/** The numbers behind the names of errnos, on this host. */

import { constants } from "node:os";
import { meaningOf } from "../../../lib/errors.ts";

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(constants.errno));

/** Errnos this driver decides by itself. Positive; the wire carries them negated. */
export const Errno = Object.freeze({
  EINTR: constants.errno.EINTR,
  EIO: constants.errno.EIO,
  EAGAIN: constants.errno.EAGAIN,
  ENOMEM: constants.errno.ENOMEM,
  EACCES: constants.errno.EACCES,
  EPERM: constants.errno.EPERM,
  ENOENT: constants.errno.ENOENT,
  EBUSY: constants.errno.EBUSY,
  ENODEV: constants.errno.ENODEV,
  EINVAL: constants.errno.EINVAL,
  ENOTTY: constants.errno.ENOTTY,
  ENOSYS: constants.errno.ENOSYS,
  EPROTO: constants.errno.EPROTO,
  ENOTCONN: constants.errno.ENOTCONN,
  ECONNABORTED: constants.errno.ECONNABORTED,
});

/** The number of an errno name; EIO for a name this host does not know. */
export function errnoNumber(name: string): number {
  return NUMBERS.get(name) ?? Errno.EIO;
}

/** The errno a tool sees for `error`; EIO for what is not a MemfsError. */
export function errnoOf(error: unknown): number {
  return errnoNumber(meaningOf(error).errno);
}

/** The name of an errno number, for logs and messages. */
export function errnoName(number: number): string {
  for (const [name, value] of NUMBERS) if (value === number) return name;
  return `errno ${String(number)}`;
}
