/** The operations that are given to libfuse. What is not here it answers itself, or with ENOSYS. */

import * as attributes from "./attributes.ts";
import * as directories from "./directories.ts";
import * as files from "./files.ts";
import * as names from "./names.ts";
import type { NativeOperation } from "./operation.ts";
import * as xattrs from "./xattrs.ts";

export const OPERATIONS: readonly NativeOperation<unknown>[] = [
  ...Object.values(names),
  ...Object.values(attributes),
  ...Object.values(files),
  ...Object.values(directories),
  ...Object.values(xattrs),
];
