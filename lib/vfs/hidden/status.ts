/** `.memfs/status`: which store this is and who writes to it. */

import type { View } from "../view.ts";
import type { Text } from "./text.ts";

export function statusText(view: View): Text {
  const { store } = view.live;
  const { info } = store;
  const { headSeq, memories, liveBytes } = store.usage();
  const status = {
    store: info.name,
    memory_store_id: info.id,
    access: info.archivedAt === null ? view.access : "ro",
    archived: info.archivedAt !== null,
    agent: view.identity.agent,
    session_id: view.identity.sessionId,
    head_sequence: headSeq,
    memories,
    live_bytes: liveBytes,
  };
  return { text: `${JSON.stringify(status, null, 2)}\n`, changedAt: store.past.newestAt };
}
