/** Operations on directories. libfuse asks for a listing as a whole and keeps it for the open directory. */

import type { Answer, DirectorySink, NodeRef, OpenedHandle } from "../../../../lib/vfs/filesystem.ts";
import { after, eventually } from "../answers.ts";
import { entryWords } from "../records.ts";
import { operation, plain, type Services } from "./operation.ts";

/** Names, and type and inode number of each. */
class Listing implements DirectorySink {
  readonly plus = false;
  readonly names: string[] = [];
  readonly stats: Uint32Array[] = [];
  cookie = 0;

  add(name: Buffer, cookie: number, node: NodeRef, mode: number): boolean {
    this.names.push(name.toString("latin1"));
    this.stats.push(entryWords(node, mode));
    this.cookie = cookie;
    return true;
  }
}

export const readdir = operation({
  name: "readdir",
  paths: [0],
  call: (services, request) =>
    onOpened(services, request.text(0), (node, opened) => fill(services, { node, opened, listing: new Listing() })),
  reply: ({ names, stats }) => ({ result: 0, results: [names, stats] }),
  refusal: () => [[], []],
});

export const fsyncdir = plain("fsyncdir", [0], (services, request) =>
  onOpened(services, request.text(0), (node, opened) => services.filesystem.fsyncdir(services.caller, node, opened)),
);

/** Calls `work` with a handle of the directory at a path, which is then closed. */
function onOpened<T>(
  { filesystem, caller, paths }: Services,
  path: string,
  work: (node: NodeRef, opened: OpenedHandle) => Answer<T>,
): Answer<T> {
  return paths.node(path, (node) =>
    after(filesystem.opendir(caller, node), (opened) =>
      eventually(
        () => work(node, opened),
        () => void filesystem.releasedir(caller, node, opened),
      ),
    ),
  );
}

/** Reads on until nothing more comes. */
function fill(
  services: Services,
  reading: { readonly node: NodeRef; readonly opened: OpenedHandle; readonly listing: Listing },
): Answer<Listing> {
  const { filesystem, caller } = services;
  const { node, opened, listing } = reading;
  const before = listing.names.length;
  return after(filesystem.readdir(caller, node, opened, listing.cookie, listing), () =>
    listing.names.length === before ? listing : fill(services, reading),
  );
}
