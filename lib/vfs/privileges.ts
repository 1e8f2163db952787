/** The suid and sgid bits of a file go when somebody who may not keep them changes its content. */

import { setAttributes } from "../store/entries.ts";
import { PERMISSIONS } from "../store/mode.ts";
import type { Caller } from "./filesystem.ts";
import type { View } from "./view.ts";

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o0010;

/** Clears suid, and sgid where group execute is set: without it the bit means mandatory locking, not a privilege. */
export function dropPrivileges(view: View, caller: Caller, number: number): void {
  const { mode } = view.node(number);
  const cleared = (mode & S_IXGRP) !== 0 ? mode & ~(S_ISUID | S_ISGID) : mode & ~S_ISUID;
  if (cleared === mode) return;
  const permissions = cleared & PERMISSIONS;
  view.live.store.update(view.cause(caller), (tx) => setAttributes(tx, number, { permissions }));
  // The kernel asked for the content to change, not the mode: its own copy of the mode is old now.
  view.invalidator.attributes(view.ref(number));
}
