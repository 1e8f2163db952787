/** Operations on open files. Their paths are only what libfuse believes: the number of the file counts. */

import type { Caller, LockOwner } from "../../../../lib/vfs/filesystem.ts";
import { after } from "../answers.ts";
import type { OpenFile } from "../open-files.ts";
import type { NativeRequest } from "../request.ts";
import { operation, plain, type Reply } from "./operation.ts";

const PERMISSIONS = 0o7777;
/** The fd that goes with a refusal: none. */
const NO_FD: readonly unknown[] = Object.freeze([0]);

export const open = operation({
  name: "open",
  paths: [0],
  call({ filesystem, caller, files, paths }, request) {
    const [path, flags] = [request.text(0), request.u32(1)];
    return paths.keep(path, (node, counted) =>
      after(filesystem.open(caller, node, flags), (opened) => files.add({ node, path, opened, flags, counted })),
    );
  },
  reply: (fd) => ({ result: 0, results: [fd] }),
  refusal: () => NO_FD,
});

export const create = operation({
  name: "create",
  paths: [0],
  call({ filesystem, caller, files, paths }, request) {
    const [path, flags] = [request.text(0), request.openFlags];
    const mode = request.u32(1) & PERMISSIONS;
    return paths.place(path, ({ parent, name }) =>
      after(filesystem.create(caller, parent, name, flags, mode), ({ entry: { node }, opened }) =>
        files.add({ node, path, opened, flags, counted: true }),
      ),
    );
  },
  reply: (fd) => ({ result: 0, results: [fd] }),
  refusal: () => NO_FD,
});

export const read = operation({
  name: "read",
  paths: [],
  call({ filesystem, caller, files }, request) {
    const { node, handle } = files.get(request.u32(1));
    return filesystem.read(caller, node, handle, request.u64(4), request.u32(3));
  },
  reply: (data, request) => transferred(request, data.copy(request.memory(2))),
  refusal: (request) => transferred(request, 0).results,
});

export const write = operation({
  name: "write",
  paths: [],
  call({ filesystem, caller, files }, request) {
    const file = files.get(request.u32(1));
    const writeback = request.writesPage;
    if (!writeback) file.opener ??= request.lockOwner;
    const data = request.memory(2);
    const flags = { open: request.openFlags, writeback };
    return filesystem.write(caller, file.node, file.handle, request.u64(4), data, flags);
  },
  reply: (size, request) => transferred(request, size),
  refusal: (request) => transferred(request, 0).results,
});

/** The addon takes its memory back with the answer. */
function transferred(request: NativeRequest, size: number): Reply {
  return { result: size, results: [size, request.memory(2).buffer] };
}

export const flush = plain("flush", [], ({ filesystem, caller, files }, request) => {
  const file = files.get(request.u32(1));
  if (!file.writable) return undefined;
  const owner = request.lockOwner;
  return filesystem.flush(closer(file, owner, caller), file.node, file.handle, owner);
});

/** Whether the opener closes, as far as that can be told, decides whether the file is committed now. */
function closer(file: OpenFile, owner: LockOwner, opener: Caller): Caller {
  file.opener ??= owner;
  const same = owner.ownerLow === file.opener.ownerLow && owner.ownerHigh === file.opener.ownerHigh;
  return same ? opener : { ...opener, pid: -1 };
}

export const release = plain("release", [], ({ filesystem, caller, files, paths }, request) => {
  const fd = request.u32(1);
  const { node, handle, counted } = files.get(fd);
  files.remove(fd);
  return after(filesystem.release(caller, node, handle), () => {
    if (counted) paths.forget(node);
  });
});

export const fsync = plain("fsync", [], ({ filesystem, caller, files }, request) => {
  const { node, handle } = files.get(request.u32(2));
  return filesystem.fsync(caller, node, handle, request.u32(1) !== 0);
});
