/** File types and permission bits as `st_mode` holds them (Linux values, also stored). */

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFIFO = 0o010000;
export const S_IFSOCK = 0o140000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
/** Permission bits with setuid, setgid and sticky. */
export const PERMISSIONS = 0o7777;

/** The type bits of a mode. */
export const typeOf = (mode: number): number => mode & S_IFMT;
export const isDirectory = (mode: number): boolean => typeOf(mode) === S_IFDIR;
export const isFile = (mode: number): boolean => typeOf(mode) === S_IFREG;
