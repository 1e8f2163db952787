/** To whom a mount belongs, who may enter it, and what programs in it may become. */

import { MemfsError } from "../lib/errors.ts";

/** A user with a group. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What was granted. */
export interface MountRights {
  /** Of the mount; also of everything in it, unless owners are stored. */
  readonly owner: Owner;
  /** Files keep the owners and groups they are given, and the kernel checks modes against them. */
  readonly posixOwner: boolean;
  /** Users other than the daemon's may enter. */
  readonly allowOther: boolean;
  /** Set-user-id bits count. */
  readonly suid: boolean;
  /** Device files work. */
  readonly dev: boolean;
}

/** What was asked for; an owner of null is the daemon's own user. */
export interface RightsRequest extends Omit<MountRights, "owner"> {
  readonly owner: Owner | null;
}

/**
 * What a daemon of `daemon` grants. Root's mounts are open to all users: that they may not be entered is said by the
 * directories above them. `/etc/fuse.conf` may still refuse an ordinary user's `allowOther`, when it is mounted.
 * @throws MemfsError `not_permitted` what only root may grant
 */
export function grantRights(request: RightsRequest, daemon: Owner): MountRights {
  const { owner, posixOwner, allowOther, suid, dev } = request;
  if (daemon.uid === 0) return Object.freeze({ owner: owner ?? daemon, posixOwner, allowOther: true, suid, dev });
  if (owner !== null && (owner.uid !== daemon.uid || owner.gid !== daemon.gid)) {
    const own = `${daemon.uid}:${daemon.gid}`;
    throw refused(`this daemon runs as ${own} and can mount for that owner only`, "leave --owner out");
  }
  if (suid || dev)
    throw refused("only root's daemon may honour set-user-id bits or devices", "leave --suid and --dev out");
  return Object.freeze({ owner: daemon, posixOwner, allowOther, suid, dev });
}

/**
 * Whether the kernel is to check modes. Where all files belong to the owner and others are let in it would refuse them
 * the files they have just made, so there the access of the mount alone decides.
 */
export function checksModes({ posixOwner, allowOther }: MountRights): boolean {
  return posixOwner || !allowOther;
}

function refused(what: string, advice: string): MemfsError {
  return new MemfsError("not_permitted", `${what}; ${advice}, or ask root's daemon`);
}
