/** How a JSON text is laid out, and values written that way. */

import type { JsonDocument, JsonMember, JsonNode } from "./json.ts";

export class JsonStyle {
  /** White space before a member, one level deep: a line ending and an indentation, or neither. */
  readonly #lineEnding: string;
  readonly #indentation: string;
  readonly #colon: string;
  /** Between a comma and what follows it on one line. */
  readonly #gap: string;

  constructor({ root }: JsonDocument) {
    const [first, second] = root.kind === "object" ? root.members.values() : [];
    const [, lineEnding = "", indentation = ""] = /^(\r?\n)[\r\n]*(.*)$/s.exec(first?.lead ?? "") ?? [];
    this.#lineEnding = lineEnding;
    this.#indentation = indentation;
    this.#colon = first?.colon ?? ": ";
    this.#gap = lineEnding === "" ? (second?.lead ?? (this.#colon === ":" ? "" : " ")) : "";
  }

  /** Whether values can go from a text of the one style to the other as they are. */
  equals(other: JsonStyle): boolean {
    return (
      this.#lineEnding === other.#lineEnding &&
      this.#indentation === other.#indentation &&
      this.#colon === other.#colon &&
      this.#gap === other.#gap
    );
  }

  get colon(): string {
    return this.#colon;
  }

  /** White space behind an opening brace of this depth (the outermost is 0). */
  opening(depth: number): string {
    return this.#lineEnding + this.#indentation.repeat(depth + 1);
  }

  separating(depth: number): string {
    return this.#lineEnding === "" ? this.#gap : this.opening(depth);
  }

  closing(depth: number): string {
    return this.#lineEnding + this.#indentation.repeat(depth);
  }

  /** A value of this depth, laid out anew. */
  write(node: JsonNode, depth: number): string {
    if (node.kind === "scalar") return node.raw;
    if (node.kind === "array") {
      const items = node.items.map((item) => this.write(item, depth + 1));
      return this.#list("[]", items, depth);
    }
    const members = [...node.members.values()].map(
      ({ key, value }) => key + this.#colon + this.write(value, depth + 1),
    );
    return this.#list("{}", members, depth);
  }

  #list(brackets: string, parts: readonly string[], depth: number): string {
    if (parts.length === 0) return brackets;
    const inside = parts.join("," + this.separating(depth));
    return brackets.slice(0, 1) + this.opening(depth) + inside + this.closing(depth) + brackets.slice(1);
  }
}

/** A member to be written: its value is text already. */
export interface WrittenMember {
  readonly key: string;
  readonly value: string;
  /** The member of the text that is changed, if it is one of those. */
  readonly origin: JsonMember | null;
}

/** The members of an object as its text has them, and where it does not say, in its style. */
export function writeObject(
  members: readonly WrittenMember[],
  { origins, style, depth }: { origins: readonly JsonMember[]; style: JsonStyle; depth: number },
): string {
  if (members.length === 0) return "{}";
  const opening = origins[0]?.lead ?? style.opening(depth);
  const separating = origins[1]?.lead ?? (opening.includes("\n") ? opening : style.separating(depth));
  const closing = origins.at(-1)?.trail ?? style.closing(depth);
  const colon = origins[0]?.colon ?? style.colon;
  const parts = members.map(({ key, value, origin }, index) => {
    const moved = origin === null || (origin === origins[0]) !== (index === 0);
    const lead = !moved ? origin.lead : index === 0 ? opening : separating;
    const last = index === members.length - 1;
    const trail = last ? closing : origin === origins.at(-1) ? "" : (origin?.trail ?? "");
    return lead + key + (origin?.colon ?? colon) + value + trail;
  });
  return `{${parts.join(",")}}`;
}
