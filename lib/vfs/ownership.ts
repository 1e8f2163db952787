/** Who owns what is made: the mount's owner, or with `posixOwner` whoever makes it. */

import type { NewAttributes } from "../store/tree/entries.ts";
import { isDirectory, PERMISSIONS } from "../store/tree/mode.ts";
import type { NodeRecord } from "../store/records/node-record.ts";
import type { NewNode } from "../store/tree/tree.ts";
import type { AttributeChanges, Caller } from "./filesystem.ts";
import type { View } from "./view.ts";

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o0010;

/** A node to be made in a directory, as its maker asks for it. */
export interface Made {
  /** Type and permission bits. */
  readonly mode: number;
  readonly rdev?: number | undefined;
  /** Bytes. */
  readonly target?: string | undefined;
  readonly exclusive?: boolean | undefined;
}

/** A directory with the setgid bit hands it down to directories, and its group to everything. */
export function owned(view: View, caller: Caller, parent: number, made: Made): NewNode {
  const { mode, rdev, target, exclusive } = made;
  const { identity, live } = view;
  const directory = live.store.node(parent);
  const handsDown = directory !== undefined && (directory.mode & S_ISGID) !== 0;
  const inherited = handsDown && isDirectory(mode) ? mode | S_ISGID : mode;
  if (!identity.posixOwner) return { mode: inherited, uid: identity.uid, gid: identity.gid, rdev, target, exclusive };
  return { mode: inherited, uid: caller.uid, gid: handsDown ? directory.gid : caller.gid, rdev, target, exclusive };
}

/** Permissions after a change of owner or group: no file keeps a privilege that was given to another. */
export function withoutPrivileges(mode: number): number {
  if (isDirectory(mode)) return mode;
  // Without group execute the sgid bit means mandatory locking, not a privilege.
  return (mode & S_IXGRP) !== 0 ? mode & ~(S_ISUID | S_ISGID) : mode & ~S_ISUID;
}

/**
 * What chown(2) sets; null when nothing. Whether the caller may is for the kernel to say, which checks modes in such a
 * mount.
 */
export function ownerChanges({ mode }: NodeRecord, { uid, gid }: AttributeChanges): NewAttributes | null {
  if (uid === undefined && gid === undefined) return null;
  const permissions = withoutPrivileges(mode) & PERMISSIONS;
  return { permissions, ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
}
