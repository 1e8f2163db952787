/** Lines of texts in the words of the API. */

import { isUtf8 } from "node:buffer";
import type * as api from "../../lib/api.ts";
import { formatId } from "../../lib/id.ts";
import { wirePath } from "../../lib/path.ts";
import type { DiffSide, FileDiff } from "../../lib/store/history/diff.ts";
import type { BlamedInfo } from "../../lib/store/history/history.ts";
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

export function wireFileDiff({ from, to, kind, hunks }: FileDiff): api.FileDiff {
  return {
    from: from === null ? null : wireSide(from),
    to: to === null ? null : wireSide(to),
    kind,
    hunks: hunks.map(wireHunk),
  };
}

function wireSide({ path, mode, version }: DiffSide): api.DiffSide {
  const shown = wirePath(Buffer.from(path, "latin1"));
  const hash = version?.hash ?? null;
  return {
    path: shown.path,
    path_exact: shown.exact,
    mode: mode.toString(8),
    memory_id: version === null ? null : formatId("mem", version.memory),
    memory_version_id: version === null ? null : formatId("memver", version.version),
    n: version?.n ?? null,
    content_sha256: hash === null ? null : Buffer.from(hash, "latin1").toString("hex"),
  };
}

function wireHunk(hunk: FileDiff["hunks"][number]): api.DiffHunk {
  return {
    from_line: hunk.from,
    from_count: hunk.fromCount,
    to_line: hunk.to,
    to_count: hunk.toCount,
    lines: hunk.lines.map(({ kind, text, terminated }) => ({
      kind,
      ...wireText(Buffer.from(text, "latin1")),
      ...(terminated ? {} : { no_newline: true }),
    })),
  };
}
