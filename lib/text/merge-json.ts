/**
 * The three-way merge of JSON, key by key. Arrays are taken as a whole, and so is every value that is no object. The
 * result is head's text with mine's changes put in: order of keys, indentation, line endings are those of head.
 */

import { type JsonDocument, type JsonMember, type JsonNode, type JsonObject, sameJson } from "./json.ts";
import { JsonStyle, writeObject, type WrittenMember } from "./json-style.ts";

interface Sides {
  /** Null when there was nothing: then all keys are new on both sides. */
  readonly base: JsonDocument | null;
  readonly head: JsonDocument;
  readonly mine: JsonDocument;
}

/** The merged text, or null for a conflict: two different changes of one key, or one changed and removed. */
export function mergeJson({ base, head, mine }: Sides): string | null {
  const root = new JsonMerge(head, mine).value(base?.root, { head: head.root, mine: mine.root, depth: 0 });
  return root === undefined || root === CONFLICT ? null : head.before + root + head.after;
}

const CONFLICT = Symbol("conflict");

/** Text of a value; undefined when the key goes. */
type Merged = string | undefined | typeof CONFLICT;

interface Values {
  readonly head: JsonNode | undefined;
  readonly mine: JsonNode | undefined;
  /** Objects around the value. */
  readonly depth: number;
}

class JsonMerge {
  readonly #style: JsonStyle;
  readonly #sameStyle: boolean;

  constructor(head: JsonDocument, mine: JsonDocument) {
    const style = new JsonStyle(mine);
    // An empty object says nothing about the style of its text.
    this.#style = head.root.kind === "object" && head.root.members.size > 0 ? new JsonStyle(head) : style;
    this.#sameStyle = this.#style.equals(style);
  }

  value(base: JsonNode | undefined, { head, mine, depth }: Values): Merged {
    // Objects are never compared as a whole first: that would be done again on each level.
    if (head?.kind === "object" && mine?.kind === "object" && (base === undefined || base.kind === "object"))
      return this.#object(base, { head, mine, depth });
    if (same(head, mine) || same(base, mine)) return head?.raw;
    if (!same(base, head)) return CONFLICT;
    return mine === undefined ? undefined : this.#write(mine, depth);
  }

  #object(
    base: JsonObject | undefined,
    { head, mine, depth }: { head: JsonObject; mine: JsonObject; depth: number },
  ): Merged {
    if (head.raw === mine.raw || base?.raw === mine.raw) return head.raw;
    if (this.#sameStyle && base?.raw === head.raw) return mine.raw;
    const members: WrittenMember[] = [];
    for (const key of mergedKeys(base, head, mine)) {
      const origin = head.members.get(key) ?? null;
      const other = mine.members.get(key);
      const value = this.value(base?.members.get(key)?.value, {
        head: origin?.value,
        mine: other?.value,
        depth: depth + 1,
      });
      if (value === CONFLICT) return CONFLICT;
      if (value !== undefined) members.push({ key: (origin ?? (other as JsonMember)).key, value, origin });
    }
    if (members.length === 0 && head.members.size === 0) return head.raw;
    return writeObject(members, { origins: [...head.members.values()], style: this.#style, depth });
  }

  #write(node: JsonNode, depth: number): string {
    return this.#sameStyle ? node.raw : this.#style.write(node, depth);
  }
}

function same(a: JsonNode | undefined, b: JsonNode | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameJson(a, b);
}

/**
 * All keys of head and mine, in head's order. A key that only mine has comes behind the one it follows in mine, and
 * behind what head added there; else, as the first one, before all others; else at the end.
 */
function mergedKeys(base: JsonObject | undefined, head: JsonObject, mine: JsonObject): Iterable<string> {
  const added = [...mine.members.keys()].filter((key) => !head.members.has(key));
  if (added.length === 0) return head.members.keys();
  const order = new KeyOrder(head.members.keys());
  const [firstOfHead] = head.members.keys();
  const isNew = (key: string): boolean => !(base?.members.has(key) ?? false) && !mine.members.has(key);
  let before: string | null = null;
  for (const key of mine.members.keys()) {
    if (!head.members.has(key)) {
      if (before === null && firstOfHead !== undefined && mine.members.has(firstOfHead)) order.putFirst(key);
      else order.putBehind(before, key, isNew);
    }
    before = key;
  }
  return order.keys();
}

/** Keys as a linked list, so that a large object takes no time to put keys in. */
class KeyOrder {
  /** Each key's next; that of null is the first key, that of the last one null. */
  readonly #next = new Map<string | null, string | null>();
  #last: string | null = null;

  constructor(keys: Iterable<string>) {
    this.#next.set(null, null);
    for (const key of keys) this.#link(this.#last, key);
  }

  putFirst(key: string): void {
    this.#link(null, key);
  }

  /** Behind `place` and the keys there that are to be passed; at the end if there is no such place. */
  putBehind(place: string | null, key: string, isPassed: (key: string) => boolean): void {
    if (place === null || !this.#next.has(place)) return this.#link(this.#last, key);
    let at = place;
    let next = this.#next.get(at);
    while (typeof next === "string" && isPassed(next)) {
      at = next;
      next = this.#next.get(at);
    }
    this.#link(at, key);
  }

  *keys(): Iterable<string> {
    for (let at = this.#next.get(null); typeof at === "string"; at = this.#next.get(at)) yield at;
  }

  #link(place: string | null, key: string): void {
    this.#next.set(key, this.#next.get(place) ?? null);
    this.#next.set(place, key);
    if (place === this.#last) this.#last = key;
  }
}
