/** Lines of texts in the words of the API. */

import { isUtf8 } from "node:buffer";
import type * as api from "../../lib/api.ts";
import type { BlamedInfo } from "../../lib/store/history.ts";
import { formatTime } from "../../lib/time.ts";
import { wireActor } from "./wire.ts";

/** @param bytes of a line, without its line feed */
export function wireText(bytes: Buffer): api.LineText {
  if (isUtf8(bytes)) return { text: bytes.toString("utf8") };
  return { text: null, text_base64: bytes.toString("base64") };
}

/** @param line from 1 */
export function wireBlamed(line: number, { text, version }: BlamedInfo): api.BlamedLine {
  const { actor } = version;
  const session = actor.type === "session" ? actor : null;
  return {
    line,
    ...wireText(text),
    memory_id: version.memoryId,
    memory_version_id: version.id,
    n: version.n,
    agent: session?.agent ?? null,
    session_id: session?.sessionId ?? null,
    created_by: wireActor(actor),
    created_at: formatTime(version.createdAt),
  };
}
