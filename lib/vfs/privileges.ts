/** The suid and sgid bits of a file go when somebody who may not keep them changes its content. */

import { setAttributes } from "../store/tree/entries.ts";
import { PERMISSIONS } from "../store/tree/mode.ts";
import type { Caller } from "./filesystem.ts";
import { withoutPrivileges } from "./ownership.ts";
import type { View } from "./view.ts";

/** Clears suid, and sgid where it is a privilege. */
export function dropPrivileges(view: View, caller: Caller, number: number): void {
  const { mode } = view.node(number);
  const cleared = withoutPrivileges(mode);
  if (cleared === mode) return;
  const permissions = cleared & PERMISSIONS;
  view.live.store.update(view.cause(caller), (tx) => setAttributes(tx, number, { permissions }));
  // The kernel asked for the content to change, not the mode: its own copy of the mode is old now.
  view.invalidator.attributes(view.ref(number));
}
