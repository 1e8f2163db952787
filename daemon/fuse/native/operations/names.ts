/** Operations on names: make, remove, rename. */

import type { Answer, NodeEntry } from "../../../../lib/vfs/filesystem.ts";
import { after } from "../answers.ts";
import type { Paths, Place } from "../paths.ts";
import { plain, type Services } from "./operation.ts";

const PERMISSIONS = 0o7777;

/** Makes something at a path. libfuse looks it up itself afterwards. */
function make({ paths }: Services, path: string, work: (place: Place) => Answer<NodeEntry>): Answer<void> {
  return paths.place(path, (place) => after(work(place), (entry) => paths.forget(entry.node)));
}

export const mknod = plain("mknod", [0], (services, request) =>
  make(services, request.text(0), ({ parent, name }) =>
    services.filesystem.mknod(services.caller, parent, name, request.u32(1), request.u32(2)),
  ),
);

export const mkdir = plain("mkdir", [0], (services, request) =>
  make(services, request.text(0), ({ parent, name }) =>
    services.filesystem.mkdir(services.caller, parent, name, request.u32(1) & PERMISSIONS),
  ),
);

export const symlink = plain("symlink", [1], (services, request) =>
  make(services, request.text(1), ({ parent, name }) =>
    services.filesystem.symlink(services.caller, parent, name, Buffer.from(request.text(0), "latin1")),
  ),
);

export const link = plain("link", [0, 1], (services, request) =>
  services.paths.node(request.text(0), (node) =>
    make(services, request.text(1), ({ parent, name }) =>
      services.filesystem.link(services.caller, node, parent, name),
    ),
  ),
);

export const unlink = plain("unlink", [0], ({ filesystem, caller, paths, hidden }, request) => {
  const path = request.text(0);
  const node = hidden.take(path);
  if (node !== null) return paths.forget(node);
  return paths.place(path, ({ parent, name }) => filesystem.unlink(caller, parent, name));
});

export const rmdir = plain("rmdir", [0], ({ filesystem, caller, paths, files }, request) => {
  const path = request.text(0);
  files.refuseBelow(path);
  return paths.place(path, ({ parent, name }) => filesystem.rmdir(caller, parent, name));
});

export const rename = plain("rename", [0, 1], (services, request) => {
  const [from, to] = [request.text(0), request.text(1)];
  const { filesystem, caller, paths, files } = services;
  const renamed = (): void => files.renamed(from, to);
  if (services.hidden.isHiding(to)) return after(services.removals.hide(request.worker, from, to), renamed);
  files.refuseBelow(to);
  return after(
    places(paths, [from, to], (source, target) => filesystem.rename(caller, source, target, 0)),
    renamed,
  );
});

function places<T>(
  paths: Paths,
  [a, b]: readonly [string, string],
  work: (a: Place, b: Place) => Answer<T>,
): Answer<T> {
  return paths.place(a, (first) => paths.place(b, (second) => work(first, second)));
}
