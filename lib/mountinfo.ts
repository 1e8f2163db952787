/** The kernel's table of mounts. Reading it asks no filesystem anything, so it is safe whatever state a mount is in. */

import { readFile } from "node:fs/promises";

/** One mount of this process's mount namespace. */
export interface KernelMount {
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
}

/** All mounts, in the order they were made. Empty where there is no such table. */
export async function readMountinfo(file = "/proc/self/mountinfo"): Promise<readonly KernelMount[]> {
  try {
    return parseMountinfo(await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** `ID PARENT DEV ROOT MOUNTPOINT OPTIONS [TAG…] - TYPE SOURCE SUPER_OPTIONS`, see proc_pid_mountinfo(5). */
export function parseMountinfo(table: Buffer): KernelMount[] {
  const lines = table.toString("latin1").split("\n");
  return lines.filter(Boolean).map((line) => {
    const fields = line.split(" ");
    const separator = fields.indexOf("-", 6);
    return {
      mountpoint: unescapeOctal(fields[4] ?? ""),
      type: fields[separator + 1] ?? "",
      source: unescapeOctal(fields[separator + 2] ?? ""),
    };
  });
}

/** Whether a memfs daemon, this one or any other, made the mount. */
export function isMemfs(mount: KernelMount): boolean {
  return mount.type.startsWith("fuse") && (mount.type === "fuse.memfs" || mount.source.startsWith("memfs:"));
}

/** Whether `path` is `directory` or below it. Both absolute and normal. */
export function liesWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);
}

function unescapeOctal(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
