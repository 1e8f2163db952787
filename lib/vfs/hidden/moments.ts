/** `.memfs/at`: a directory per moment, found by name. They are too many to list. */

import type { Moment } from "../../store/history/past.ts";
import { S_IFDIR } from "../../store/tree/mode.ts";
import { parseRelative, parseTime } from "../../time.ts";
import type { LiveStore } from "../live-store.ts";
import type { HiddenDirectory, HiddenName, Look } from "./node.ts";
import { PastDirectory, type PastSource } from "./past-tree.ts";
import { timeOf } from "./text.ts";

/** `1234` or `#1234`, `memver_…`, an RFC 3339 time (local without a zone), or `2h ago`. `now` in microseconds. */
export function parseMoment(text: string, now: number): Moment | null {
  const seq = /^#?(\d{1,15})$/.exec(text)?.[1];
  if (seq !== undefined) return { seq: Number(seq) };
  if (text.startsWith("memver_")) return { version: text };
  const at = parseTime(text, true) ?? parseRelative(text, now);
  return at === null ? null : { at };
}

export class Moments implements HiddenDirectory {
  readonly kind = "directory";
  readonly #live: LiveStore;
  readonly #source: PastSource;

  constructor(live: LiveStore, source: PastSource) {
    this.#live = live;
    this.#source = source;
  }

  look(): Look {
    return { mode: S_IFDIR | 0o555, size: 0, mtime: timeOf(this.#live.store.past.newestAt) };
  }

  /** A moment that is given in relation to now is another one each time. */
  lookup(name: string): HiddenDirectory | null {
    const { store, clock } = this.#live;
    const moment = parseMoment(name, clock.now());
    const seq = moment === null ? null : store.past.seqOf(moment);
    if (seq === null) return null;
    const view = store.past.at(seq);
    return new PastDirectory(this.#source, view, { node: view.root, identity: String(seq) });
  }

  list(): readonly HiddenName[] {
    return [];
  }
}
