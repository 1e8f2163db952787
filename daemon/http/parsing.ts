/** Reading requests as the clients in the field send them. */

import { MemfsError } from "../../lib/errors.ts";

/** A query string: repeated keys become lists, `k[]` is `k`. Schemas name keys as they are sent: `created_at[gte]`. */
export function parseQuery(text: string): Record<string, string | string[]> {
  const lists = new Map<string, string[]>();
  const listed = new Set<string>();
  for (const [key, value] of new URLSearchParams(text)) {
    const name = key.endsWith("[]") ? key.slice(0, -2) : key;
    if (name !== key) listed.add(name);
    lists.set(name, [...(lists.get(name) ?? []), value]);
  }
  const plain = [...lists].map(([key, values]): [string, string | string[]] => {
    const [first] = values;
    return [key, values.length === 1 && first !== undefined && !listed.has(key) ? first : values];
  });
  return Object.fromEntries(plain);
}

/** A JSON body. SDKs send a JSON content type with no body at all on POSTs that need none: that is an empty object. */
export function parseBody(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new MemfsError("invalid_argument", "the body is not JSON; send a JSON object");
  }
}
