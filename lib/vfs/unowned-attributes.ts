/** Attributes of what nobody can change: the past, and `.memfs`. */

import type { Timestamp } from "../store/records/record.ts";
import type { Attributes } from "./filesystem.ts";

/**
 * Everything belongs to the mount's owner, has one link and one time: its modification. A directory has one link, which
 * tells `find` that the number of links says nothing about subdirectories.
 */
export function unownedAttributes(
  { mode, size, mtime: { sec, nsec } }: { readonly mode: number; readonly size: number; readonly mtime: Timestamp },
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Attributes {
  return {
    mode,
    links: 1,
    uid,
    gid,
    rdev: 0,
    size,
    atime: sec,
    atimeNsec: nsec,
    mtime: sec,
    mtimeNsec: nsec,
    ctime: sec,
    ctimeNsec: nsec,
    btime: sec,
    btimeNsec: nsec,
  };
}
