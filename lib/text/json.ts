/** JSON as a tree that knows its own text, so that what a merge does not touch keeps every byte. */

export type JsonNode = JsonScalar | JsonArray | JsonObject;

export interface JsonScalar {
  readonly kind: "scalar";
  /** As it was written: numbers are never converted, so that none loses a digit. */
  readonly raw: string;
  /** Equal for equal strings, however they were escaped, and for numbers that were written alike. */
  readonly value: string;
}

export interface JsonArray {
  readonly kind: "array";
  readonly raw: string;
  readonly items: readonly JsonNode[];
}

export interface JsonObject {
  readonly kind: "object";
  readonly raw: string;
  readonly members: ReadonlyMap<string, JsonMember>;
}

export interface JsonMember {
  /** White space between the brace or comma and the key. */
  readonly lead: string;
  /** The key with its quotes. */
  readonly key: string;
  /** The colon with the white space around it. */
  readonly colon: string;
  readonly value: JsonNode;
  /** White space between the value and the comma or brace. */
  readonly trail: string;
}

/** A whole text: its value, and the white space around it. */
export interface JsonDocument {
  readonly before: string;
  readonly root: JsonNode;
  readonly after: string;
}

/** Deeper nesting is not taken apart: those who do that call themselves for each level. */
export const MAX_JSON_DEPTH = 200;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes that are JSON, or null. */
export function jsonText(bytes: Buffer): string | null {
  try {
    const text = decoder.decode(bytes);
    JSON.parse(text);
    return text;
  } catch {
    return null; // neither UTF-8 nor JSON is an error here: then it is text like any other
  }
}

/** Takes a text apart; null if it is no JSON, has a key twice in one object, or is nested deeper than 200. */
export function parseJson(bytes: Buffer): JsonDocument | null {
  const text = jsonText(bytes);
  if (text === null) return null;
  const scanner = new Scanner(text);
  const before = scanner.space();
  const root = scanner.node(0);
  return root === null ? null : { before, root, after: scanner.space() };
}

/** Whether two values mean the same: white space, escapes and the order of keys do not count. */
export function sameJson(a: JsonNode, b: JsonNode): boolean {
  if (a.raw === b.raw) return true;
  if (a.kind === "scalar") return b.kind === "scalar" && a.value === b.value;
  if (a.kind === "array") {
    if (b.kind !== "array" || a.items.length !== b.items.length) return false;
    return a.items.every((item, index) => sameJson(item, b.items[index] as JsonNode));
  }
  if (b.kind !== "object" || a.members.size !== b.members.size) return false;
  for (const [key, { value }] of a.members) {
    const other = b.members.get(key);
    if (other === undefined || !sameJson(value, other.value)) return false;
  }
  return true;
}

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /[^,:\]}[{ \t\r\n"]+/y;
const QUOTE = '"';
const BACKSLASH = 0x5c;

/** Goes through a text that is known to be JSON. `node` returns null for what is not taken apart. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  space(): string {
    return this.#take(SPACE);
  }

  node(depth: number): JsonNode | null {
    const first = this.#text[this.#at];
    if (depth > MAX_JSON_DEPTH) return null;
    if (first === "{") return this.#object(depth);
    if (first === "[") return this.#array(depth);
    const raw = first === QUOTE ? this.#string() : this.#take(SCALAR);
    return { kind: "scalar", raw, value: raw.includes("\\") ? JSON.stringify(JSON.parse(raw)) : raw };
  }

  #object(depth: number): JsonObject | null {
    const from = this.#at++;
    const members = new Map<string, JsonMember>();
    let lead = this.space();
    while (this.#text[this.#at] !== "}") {
      const key = this.#string();
      const colon = this.space() + this.#text[this.#at++] + this.space();
      const value = this.node(depth + 1);
      const name = key.includes("\\") ? (JSON.parse(key) as string) : key.slice(1, -1);
      if (value === null || members.has(name)) return null;
      members.set(name, { lead, key, colon, value, trail: this.space() });
      if (this.#text[this.#at] !== ",") break;
      this.#at++;
      lead = this.space();
    }
    return { kind: "object", raw: this.#text.slice(from, ++this.#at), members };
  }

  #array(depth: number): JsonArray | null {
    const from = this.#at++;
    const items: JsonNode[] = [];
    this.space();
    while (this.#text[this.#at] !== "]") {
      const item = this.node(depth + 1);
      if (item === null) return null;
      items.push(item);
      this.space();
      if (this.#text[this.#at] !== ",") break;
      this.#at++;
      this.space();
    }
    return { kind: "array", raw: this.#text.slice(from, ++this.#at), items };
  }

  #string(): string {
    const from = this.#at;
    let end = this.#text.indexOf(QUOTE, from + 1);
    while (this.#escaped(end)) end = this.#text.indexOf(QUOTE, end + 1);
    this.#at = end + 1;
    return this.#text.slice(from, this.#at);
  }

  /** An odd number of backslashes stands before. */
  #escaped(at: number): boolean {
    let first = at;
    while (this.#text.charCodeAt(first - 1) === BACKSLASH) first--;
    return (at - first) % 2 === 1;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}
