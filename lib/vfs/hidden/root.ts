/** `.memfs` itself. */

import { S_IFDIR, S_IFREG } from "../../store/tree/mode.ts";
import { ROOT_NODE } from "../../store/tree/tree.ts";
import type { View } from "../view.ts";
import { conflictsText } from "./conflicts.ts";
import { errorsText } from "./errors.ts";
import { HistoryDirectory } from "./history.ts";
import { LogText } from "./log.ts";
import { Moments } from "./moments.ts";
import type { HiddenDirectory, HiddenNode } from "./node.ts";
import { README } from "./readme.ts";
import { statusText } from "./status.ts";
import { TextFile, timeOf } from "./text.ts";

export function hiddenRoot(view: View): HiddenDirectory {
  const { store } = view.live;
  const source = { store, reads: view.reads };
  const log = new LogText(store);
  const nodes: ReadonlyMap<string, HiddenNode> = new Map<string, HiddenNode>([
    ["README", new TextFile(() => ({ text: README, changedAt: store.info.createdAt }))],
    ["at", new Moments(view.live, source)],
    ["conflicts", new TextFile(() => conflictsText(store))],
    ["errors", new TextFile(() => errorsText(view.failures, store.info.createdAt))],
    ["history", new HistoryDirectory(source, { path: "", directory: ROOT_NODE, memories: [] })],
    ["log", new TextFile(() => log.read())],
    ["status", new TextFile(() => statusText(view))],
  ]);
  const names = [...nodes].map(([name, { kind }]) => ({ name, type: kind === "directory" ? S_IFDIR : S_IFREG }));
  return {
    kind: "directory",
    look: () => ({ mode: S_IFDIR | 0o555, size: 0, mtime: timeOf(store.past.newestAt) }),
    lookup: (name) => nodes.get(name) ?? null,
    list: () => names,
  };
}
