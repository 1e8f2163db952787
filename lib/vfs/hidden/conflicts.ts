/** `.memfs/conflicts`: what several agents wrote that does not go together. */

import { printable } from "../../store/tree/names.ts";
import type { Store } from "../../store/store.ts";
import type { ConflictInfo } from "../../store/types.ts";
import { formatTime } from "../../time.ts";
import { oneLine, type Text } from "./text.ts";

export async function conflictsText(store: Store): Promise<Text> {
  const conflicts = await store.conflicts.list();
  const newest = conflicts.at(-1);
  return { text: conflicts.map(line).join(""), changedAt: newest?.at ?? store.info.createdAt };
}

/** Time, the file, the file with the other text, who wrote that. */
function line({ at, path, headId, besidePath, sessionId }: ConflictInfo): string {
  const gone = headId === null ? " (deleted)" : "";
  return `${formatTime(at)}  ${shown(path)}${gone}  ${shown(besidePath)}  ${oneLine(sessionId ?? "")}\n`;
}

function shown(path: Buffer): string {
  return oneLine(printable(path.toString("latin1")));
}
