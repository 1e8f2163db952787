/** Operations on a node as such: attributes, symlink target, statistics. */

import type { AttributeChanges } from "../../../../lib/vfs/filesystem.ts";
import { after } from "../answers.ts";
import { NO_STAT, NO_STATFS, statfsWords, statWords } from "../records.ts";
import type { NativeRequest } from "../request.ts";
import { type NativeOperation, operation, plain, type Services } from "./operation.ts";

const PERMISSIONS = 0o7777;
/** `(uid_t) -1`: leave it. */
const UNCHANGED = 0xffff_ffff;

export const getattr = operation({
  name: "getattr",
  paths: [0],
  call: ({ paths }, request) => paths.attributes(request.text(0), statWords),
  reply: (stat) => ({ result: 0, results: [stat] }),
  refusal: () => [NO_STAT],
});

export const fgetattr = operation({
  name: "fgetattr",
  paths: [],
  call({ filesystem, caller, files }, request) {
    const { node, handle } = files.get(request.u32(1));
    return after(filesystem.getattr(caller, node, handle), (attributes) => statWords(node, attributes));
  },
  reply: (stat) => ({ result: 0, results: [stat] }),
  refusal: () => [NO_STAT],
});

export const statfs = operation({
  name: "statfs",
  paths: [0],
  call: ({ filesystem, caller, paths }, request) =>
    paths.node(request.text(0), (node) => after(filesystem.statfs(caller, node), statfsWords)),
  reply: (statistics) => ({ result: 0, results: [statistics] }),
  refusal: () => [NO_STATFS],
});

export const readlink = operation({
  name: "readlink",
  paths: [0],
  call: ({ filesystem, caller, paths }, request) =>
    paths.node(request.text(0), (node) => filesystem.readlink(caller, node)),
  reply: (target) => ({ result: 0, results: [target.toString("latin1")] }),
  refusal: () => [""],
});

export const chmod = change("chmod", (request) => ({ mode: request.u32(1) & PERMISSIONS }));

export const chown = change("chown", (request) => {
  const changes: AttributeChanges = {};
  if (request.u32(1) !== UNCHANGED) changes.uid = request.u32(1);
  if (request.u32(2) !== UNCHANGED) changes.gid = request.u32(2);
  return changes;
});

export const utimens = change("utimens", (request) => {
  const { atime, mtime } = request.times;
  return { atime: time(atime), mtime: time(mtime) };
});

export const truncate = change("truncate", (request) => ({ size: request.u64(1) }));

export const ftruncate = plain("ftruncate", [], ({ filesystem, caller, files }, request) => {
  const { node, handle } = files.get(request.u32(1));
  return after(filesystem.setattr(caller, node, handle, { size: request.u64(2) }), () => undefined);
});

/** A change of a node by path. */
function change(
  name: "chmod" | "chown" | "utimens" | "truncate",
  changes: (request: NativeRequest) => AttributeChanges,
): NativeOperation<void> {
  return plain(name, [0], ({ filesystem, caller, paths }: Services, request) =>
    paths.node(request.text(0), (node) =>
      after(filesystem.setattr(caller, node, null, changes(request)), () => undefined),
    ),
  );
}

function time(milliseconds: number): { sec: number; nsec: number } {
  return { sec: Math.floor(milliseconds / 1000), nsec: (milliseconds % 1000) * 1_000_000 };
}
