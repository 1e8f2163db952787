/** `.memfs/log`: the newest versions of the store. */

import { printable } from "../../store/tree/names.ts";
import type { Store } from "../../store/store.ts";
import type { Actor, VersionInfo } from "../../store/types.ts";
import { formatTime } from "../../time.ts";
import { oneLine, type Text } from "./text.ts";

/** Lines; writing one takes ~50 µs. */
const LINES = 500;

export class LogText {
  readonly #store: Store;
  /** What was written last, and up to which journal entry. */
  #written: { readonly seq: number; readonly text: Promise<Text> } | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  read(): Promise<Text> {
    const seq = this.#store.usage().headSeq;
    if (this.#written?.seq === seq) return this.#written.text;
    const text = this.#write();
    this.#written = { seq, text };
    text.catch(() => (this.#written = null));
    return text;
  }

  async #write(): Promise<Text> {
    const changedAt = this.#store.past.newestAt;
    const { items } = await this.#store.history.list({ limit: LINES });
    return { text: items.map(line).join(""), changedAt };
  }
}

/** Time, sequence number, version, operation, path and number, author, change of size. */
function line(version: VersionInfo): string {
  const { createdAt, seq, id, operation, n, actor } = version;
  const path = version.path === null ? "(redacted)" : oneLine(printable(version.path.toString("latin1")));
  return `${formatTime(createdAt)}  #${seq}  ${id}  ${operation}  ${path}@${n}  ${author(actor)}  ${sizeChange(version)}\n`;
}

function author(actor: Actor): string {
  if (actor.type === "session") return oneLine(`${actor.agent}/${actor.sessionId}`);
  return oneLine(actor.type === "api" ? actor.apiKeyId : actor.userId);
}

function sizeChange({ size, sizeBefore }: VersionInfo): string {
  const change = (size ?? 0) - (sizeBefore ?? 0);
  return change > 0 ? `+${change}` : String(change);
}
