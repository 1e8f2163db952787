/**
 * A filesystem in memory on fuse-native, as short and as fast as it can be: `native-echo.ts DIR`. It keeps no versions,
 * checks no rights and forgets everything at its end.
 */
import { createRequire } from "node:module";
import { posix } from "node:path";

type Reply = (error: number, ...result: unknown[]) => void;

interface Stat {
  mode: number;
  size: number;
  uid: number;
  gid: number;
  nlink: number;
  mtime: Date;
  atime: Date;
  ctime: Date;
}

interface EchoNode {
  readonly stat: Stat;
  data: Buffer;
  /** Names in a directory, null for a file. */
  readonly names: Set<string> | null;
}

interface FuseNative {
  new (
    mountpoint: string,
    operations: object,
  ): { mount(done: (error: Error | null) => void): void; unmount(done: () => void): void };
  readonly ENOENT: number;
  readonly EEXIST: number;
  readonly ENOTEMPTY: number;
}

const Fuse = createRequire(import.meta.url)("fuse-native") as FuseNative;
const nodes = new Map<string, EchoNode>();

function make(path: string, mode: number): EchoNode {
  const now = new Date();
  const stat = { mode, size: 0, uid: 0, gid: 0, nlink: 1, mtime: now, atime: now, ctime: now };
  const node = { stat, data: Buffer.alloc(0), names: (mode & 0o170000) === 0o040000 ? new Set<string>() : null };
  nodes.set(path, node);
  if (path !== "/") nodes.get(posix.dirname(path))?.names?.add(posix.basename(path));
  return node;
}

function drop(path: string): void {
  nodes.delete(path);
  nodes.get(posix.dirname(path))?.names?.delete(posix.basename(path));
}

function resize(node: EchoNode, size: number): void {
  if (size > node.data.length) {
    const grown = Buffer.alloc(size * 2);
    node.data.copy(grown, 0, 0, node.stat.size);
    node.data = grown;
  } else if (size < node.stat.size) node.data.fill(0, size, node.stat.size);
  node.stat.size = size;
  node.stat.mtime = new Date();
}

/** Answers with what `work` makes of the node, or ENOENT. */
function on(path: string, reply: Reply, work: (node: EchoNode) => void): void {
  const node = nodes.get(path);
  if (node === undefined) reply(Fuse.ENOENT);
  else work(node);
}

const operations = {
  getattr: (path: string, reply: Reply) => on(path, reply, (node) => reply(0, node.stat)),
  readdir: (path: string, reply: Reply) => on(path, reply, (node) => reply(0, [...(node.names ?? [])])),
  open: (path: string, _flags: number, reply: Reply) => on(path, reply, () => reply(0, 1)),
  create(path: string, mode: number, reply: Reply) {
    make(path, mode | 0o100000);
    reply(0, 1);
  },
  mkdir(path: string, mode: number, reply: Reply) {
    make(path, mode | 0o040000);
    reply(0);
  },
  read(path: string, _fd: number, target: Buffer, length: number, offset: number, reply: Reply) {
    const node = nodes.get(path);
    reply(node === undefined ? 0 : node.data.copy(target, 0, offset, Math.min(offset + length, node.stat.size)));
  },
  write(path: string, _fd: number, source: Buffer, length: number, offset: number, reply: Reply) {
    on(path, reply, (node) => {
      if (offset + length > node.stat.size) resize(node, offset + length);
      source.copy(node.data, offset, 0, length);
      reply(length);
    });
  },
  truncate(path: string, size: number, reply: Reply) {
    on(path, reply, (node) => {
      resize(node, size);
      reply(0);
    });
  },
  rename(from: string, to: string, reply: Reply) {
    on(from, reply, (node) => {
      drop(from);
      nodes.set(to, node);
      nodes.get(posix.dirname(to))?.names?.add(posix.basename(to));
      reply(0);
    });
  },
  unlink(path: string, reply: Reply) {
    on(path, reply, () => {
      drop(path);
      reply(0);
    });
  },
  rmdir(path: string, reply: Reply) {
    on(path, reply, (node) => {
      if (node.names !== null && node.names.size > 0) return reply(Fuse.ENOTEMPTY);
      drop(path);
      reply(0);
    });
  },
  flush: (_path: string, _fd: number, reply: Reply) => reply(0),
  release: (_path: string, _fd: number, reply: Reply) => reply(0),
  fsync: (_path: string, _fd: number, _dataOnly: boolean, reply: Reply) => reply(0),
};

make("/", 0o040755);
const fuse = new Fuse(process.argv[2] ?? "", operations);
fuse.mount((error) => {
  if (error !== null && error !== undefined) throw error;
});
process.once("SIGTERM", () => fuse.unmount(() => process.exit(0)));
