/** The mount options of libfuse 2. */

import { MemfsError } from "../../../lib/errors.ts";
import type { AttachOptions } from "../driver.ts";

/** Bytes that the addon copies, without the terminating NUL. What is longer it would cut off silently. */
const MAX_BYTES = 1023;

/** What the kernel may keep, and how requests arrive. */
const ALWAYS: readonly string[] = [
  // The part after the dot of the type in /proc/mounts.
  "subtype=memfs",
  // The addon decodes names as UTF-8 and would replace bytes that are none. libfuse turns each byte into the character
  // of that number first, so that names arrive as latin1 strings, byte for byte.
  "modules=iconv,from_code=UTF-8,to_code=ISO-8859-1",
  // Nothing can be taken back from the kernel, so it keeps nothing: names, attributes, pages.
  "attr_timeout=0,entry_timeout=0,negative_timeout=0,direct_io",
  // Node numbers as inode numbers: hard links are recognised, and a file keeps its number.
  "use_ino",
  // O_TRUNC comes with OPEN, not as a truncation of its own, which would be a version.
  "atomic_o_trunc",
  "big_writes",
];

/**
 * The option string for a mount.
 * @throws MemfsError `mountpoint_unusable` when mountpoint and options do not fit into the addon
 */
export function mountOptions(options: AttachOptions): string {
  const chosen = [`fsname=${escape(options.source)}`, ...ALWAYS];
  if (options.readOnly) chosen.push("ro");
  if (options.suid) chosen.push("suid");
  if (options.dev) chosen.push("dev");
  if (options.allowOther) chosen.push("allow_other");
  if (options.defaultPermissions) chosen.push("default_permissions");
  const text = `-o${chosen.join(",")}`;
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw new MemfsError("mountpoint_unusable", "too many stores for the native driver; mount fewer in one directory");
  if (Buffer.byteLength(options.mountpoint) > MAX_BYTES)
    throw new MemfsError("mountpoint_unusable", "the path is too long for the native driver; mount at a shorter one");
  return text;
}

/** libfuse separates options by commas; a backslash takes the next character as it is. */
function escape(value: string): string {
  return value.replace(/[\\,]/g, "\\$&");
}
